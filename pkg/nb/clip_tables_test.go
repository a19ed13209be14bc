package nb

import (
	"slices"
	"testing"

	"github.com/illm-go/illm/pkg/catalog"
	"github.com/illm-go/illm/pkg/chart"
)

// A chart, a name and a table of the rule a text, and all rows behind them: eight clip values at each width.
func TestClipTables(t *testing.T) {
	if testing.Short() {
		t.Skip("quantises a model")
	}
	if catalog.Here(catalog.TinyOPT) != nil {
		t.Skip("the model is not in this checkout")
	}
	s := Open()
	defer s.Close()
	got, err := s.ClipTables(catalog.TinyOPT, "opticks", 32, "w8a8", "w4a4")
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 8 || got[0] != catalog.TinyOPT || got[2] != "WikiText-2" || got[5] != "C4" {
		t.Fatalf("%d items: %v", len(got), got)
	}
	for _, at := range []int{1, 4} {
		if c, ok := got[at].(*chart.Chart); !ok || len(c.Series) != 2 || len(c.Marks) != 1 {
			t.Errorf("item %d: expected a chart of two widths with the rule's clip value, found %v", at, got[at])
		}
	}
	rule, rows := got[3].(chart.Grid), got[7].(chart.Grid)
	if len(rule.Rows) != 2 || rule.Rows[0][0] != "w8a8" || rule.Rows[1][0] != "w4a4" {
		t.Errorf("rule %v", rule.Rows)
	}
	if len(rows.Rows) != 16 || len(rows.Head) != 7 || slices.ContainsFunc(rows.Rows, func(r []string) bool { return slices.Contains(r[:6], "–") }) {
		t.Errorf("rows %v", rows)
	}
	if _, err := s.ClipTables("no-such-model", "opticks", 32, "w8a8"); err == nil {
		t.Error("a model that is nowhere has a table")
	}
}
