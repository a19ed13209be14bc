package ablation

import (
	"context"
	"testing"
)

// A run that computes everything anew does so on as many windows as the records that it is to repeat, whatever the cell said
// of computing nothing.
func TestComputedOnAsManyWindows(t *testing.T) {
	shipped := storeOf(t, shippedRecord(t, "w8a8", "15", "c4", 3, 22, 1))
	own := storeOf(t)
	ev := new(counting)
	options := []Option{Set("recipe", "w8a8"), Set("clip", 15), Set("corpus", "c4"), WithoutBase(), Stored()}
	runs, err := Clip.Run(context.Background(), own, ev, options...)
	if err != nil || ev.total() != 0 || runs.Err() == nil {
		t.Fatalf("Stored computed %d configurations (%v, %v), want none and the hole named", ev.total(), err, runs.Err())
	}
	runs, err = Clip.Run(context.Background(), own, ev, append(options, Computing(), CountsOf(shipped))...)
	if err != nil || runs.Err() != nil {
		t.Fatal(err, runs.Err())
	}
	if n, _ := runs.Text(0, "windows"); ev.total() != 1 || n != "3" {
		t.Errorf("%d configurations computed on %s windows, want one on 3", ev.total(), n)
	}
}
