package ablation

import (
	"context"
	"strings"
	"testing"

	"github.com/illm-go/illm/pkg/chart"
)

// Perplexities 20 and 24 against 16 are changes of 25 and 50 %, whatever the number of windows; a row without any record
// is left out and counted.
func TestMethodTable(t *testing.T) {
	var list []string
	store := storeOf(t, shippedRecord(t, "fp32", "", "wikitext2", 4, 16, 0), shippedRecord(t, "w4a4", "15", "wikitext2", 4, 24, 1),
		shippedRecord(t, "w4a4-fsbr", "15", "wikitext2", 4, 20, 1))
	runs, err := Methods.Run(context.Background(), store, nil, Stored(), Set("width", "w4a4"), Set("method", "rtn", "fsbr", "best"), Set("arithmetic", Integer))
	if err != nil {
		t.Fatal(err)
	}
	g, missing := runs.MethodTable()
	for _, row := range g.Rows {
		list = append(list, strings.Join(row[:4], " | "))
	}
	have, want := strings.Join(list, "\n"), "fp32 | FP32 | 16.00 | –\nw4a4 | RTN | 24.00 | +50 %\nw4a4 | FSBR | 20.00 | +25 %"
	if have != want || missing != 1 {
		t.Errorf("%d rows missing, want 1; rows\n%s\nwant\n%s", missing, have, want)
	}
	words := runs.MethodSentences("wikitext2")
	for _, part := range []string{"tiny-llama: the float model has perplexity 16.00 on WikiText-2, 4 windows", "w4a4: RTN 24.00 (+50 %); FSBR 20.00 (+25 %)"} {
		if !strings.Contains(words, part) {
			t.Errorf("sentences %q lack %q", words, part)
		}
	}
	// In nats: ln 1.5 lost, ln 1.25 left.
	if have := runs.TakenBack("wikitext2"); have != "tiny-llama, taken back by each method. w4a4: of the 0.405 nats a token that rounding to nearest loses, FSBR 45 %." {
		t.Errorf("taken back: %q", have)
	}
	if have := runs.TakenBack("c4"); have != "No records yet." {
		t.Errorf("taken back on a text without records: %q", have)
	}
	if have := changed(chart.Value{Y: 4300}); have != "× 44" {
		t.Errorf("44 times as much is printed as %q", have)
	}
	calibrated := func(c Config) bool { return c["method"] != "best" }
	if runs, err = Methods.Run(context.Background(), store, nil, Stored(), Set("method", "rtn", "best"), Set("arithmetic", Integer), Set("corpus", "wikitext2"), Only(calibrated)); err != nil || runs.Len() != 5 {
		t.Errorf("%d rows, %v; want the float model and four widths", runs.Len(), err)
	}
	if words := runs.MethodSentences("c4"); words != "No records yet." {
		t.Errorf("a text without records: %q", words)
	}
}
