package ablation

import (
	"context"
	"math"
	"strings"
	"testing"

	"github.com/illm-go/illm/pkg/record"
)

// windowsOf is a record whose windows have the given mean losses.
func windowsOf(t *testing.T, clip string, nll ...float64) *record.Record {
	r := shippedRecord(t, "w8a8", clip, "c4", len(nll), 22, 1)
	mean := 0.0
	for i, x := range nll {
		r.Windows[i].NLL = x * float64(r.Windows[i].N)
		mean += x / float64(len(nll))
	}
	r.Metrics[0].Value = math.Exp(mean)
	return r
}

func TestPairedNLL(t *testing.T) {
	a, b := windowsOf(t, "15", 3.1, 2.2, 4.3), windowsOf(t, "none", 3.0, 2.0, 4.0)
	mean, se, n := PairedNLL(a, b)
	// Differences 0.1, 0.2, 0.3: mean 0.2, standard deviation 0.1.
	if math.Abs(mean-0.2) > 1e-12 || math.Abs(se-0.1/math.Sqrt(3)) > 1e-12 || n != 3 {
		t.Errorf("mean %g, error %g, n %d; want 0.2, %g, 3", mean, se, n, 0.1/math.Sqrt(3))
	}
	if _, se, n := PairedNLL(windowsOf(t, "15", 3), windowsOf(t, "none", 2)); se != 0 || n != 1 {
		t.Errorf("one window: error %g over %d", se, n)
	}
	b.Windows = b.Windows[1:]
	if _, _, n := PairedNLL(a, b); n != 2 {
		t.Errorf("windows 0–2 against 1–2: %d in common, want 2", n)
	}
	b.Windows = nil
	if _, _, n := PairedNLL(a, b); n != 0 {
		t.Errorf("no windows: %d in common", n)
	}
}

func TestAgainst(t *testing.T) {
	store := storeOf(t,
		windowsOf(t, "none", 3.0, 2.0, 4.0), windowsOf(t, "15", 3.001, 2.0, 3.998), windowsOf(t, "8", 3.2, 2.21, 4.19), windowsOf(t, "6", 4, 3.02, 4.9))
	runs, err := Clip.Run(context.Background(), store, nil, Set("recipe", "w8a8"), Set("clip", "none", 15, 8, 6), Set("corpus", "c4"), WithoutBase())
	if err != nil || runs.Err() != nil {
		t.Fatal(err, runs.Err())
	}
	change := runs.Against("clip", "none")
	want := map[string]float64{"none": 0, "15": 100 * math.Expm1(-0.001/3), "8": 100 * math.Expm1(0.2), "6": 100 * math.Expm1((1+1.02+0.9)/3)}
	for i := range change.Len() {
		clip, _ := change.Text(i, "clip")
		v, ok := change.Number(i, "delta_c4")
		if !ok || math.Abs(v.Y-want[clip]) > 1e-9 {
			t.Errorf("clip %s: %g %v, want %g", clip, v.Y, ok, want[clip])
		}
	}
	if v, ok := change.Number(0, "ppl_c4"); !ok || v.Y != math.Exp(3) {
		t.Errorf("other columns: %v %v", v, ok)
	}
	if kept := change.Where("clip", 15); kept.Len() != 1 {
		t.Errorf("%d rows kept, want 1", kept.Len())
	} else if v, ok := kept.Number(0, "delta_c4"); !ok || v.Y == 0 {
		t.Errorf("a kept row lost its counterpart: %v %v", v, ok)
	}
	text := change.Sentences("c4", "15")
	for _, part := range []string{"w8a8: lowest perplexity on C4 at clip = 15", "clip = none costs", "(not resolved)", "clip = 8 costs 22"} {
		if !strings.Contains(text, part) {
			t.Errorf("%q is not in %q", part, text)
		}
	}
	if strings.Contains(text, "clip = 6") {
		t.Errorf("more than the first harmful value is told: %q", text)
	}
	if got := change.Sentences("wikitext2", "15"); !strings.Contains(got, "No records") {
		t.Errorf("a text without records: %q", got)
	}
}
