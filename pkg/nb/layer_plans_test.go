package nb

import (
	"math"
	"strings"
	"testing"

	"github.com/illm-go/illm/pkg/catalog"
	"github.com/illm-go/illm/pkg/record"
)

// The plan that lowers one block lowers the one with the least divergence in the records before the plans' windows, or as a
// contrast the one with the most; a model that is nowhere has no plans.
func TestLayerPlans(t *testing.T) {
	if catalog.Here(catalog.TinyLlama) != nil {
		t.Skip("the model is not in this checkout")
	}
	s := Open()
	defer s.Close()
	least, most := math.Inf(1), 0.0
	var first, last string
	for _, r := range s.all.Filter(func(r *record.Record) bool { return r.Config["model"] == catalog.TinyLlama }) {
		kl, ok := r.Metric("kld_mean")
		if level := r.Axes["layers"]; !ok || len(level) != 9 || strings.Count(level, "4") != 1 || strings.Count(level, "8") != 8 || len(r.Windows) == 0 || r.Windows[0].Index != 0 {
			continue
		} else if kl.Value < least {
			least, first = kl.Value, level
		}
		if level := r.Axes["layers"]; kl.Value > most {
			most, last = kl.Value, level
		}
	}
	p, err := s.LayerPlans(catalog.TinyLlama, 4)
	if err != nil || p == nil {
		t.Fatal(p, err)
	}
	levels := p.Levels()
	if len(levels) != 18 || levels[1] != first || levels[10] != last {
		t.Errorf("plans %v, want those of one block to be %s and %s", levels, first, last)
	}
	if g := p.Budgets("wikitext2", 1e3); g.Rows[0][1] != "888888888" {
		t.Errorf("of all plans %v diverges least", g.Rows[0])
	}
	if p, err := s.LayerPlans("no-such-model", 4); err == nil || p != nil {
		t.Errorf("a model that is nowhere has plans %v", p)
	}
}
