package ablation

import (
	"context"
	"strings"
	"testing"

	"github.com/illm-go/illm/pkg/record"
)

// mixed answers the study Layers for plans of three blocks of which the later ones matter more: a block with 8 bits takes
// 0.1, 0.2 or 0.3 off a divergence of 1, for one megabyte each on top of four.
func mixed(t *testing.T, levels ...any) *Runs {
	t.Helper()
	store, err := record.Open(record.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	runs, err := Layers.Run(context.Background(), store, Each(func(_ context.Context, c Config) (record.Record, error) {
		r := c.Record()
		eights, kl := strings.Count(c["layers"], "8"), 1.0
		for i, d := range c["layers"] {
			if d == '8' {
				kl -= 0.1 * float64(i+1) // later blocks matter more
			}
		}
		r.Metrics = []record.Metric{{Name: "ppl", Value: 20 + kl}}
		if c["layers"] != "" {
			r.Metrics = append(r.Metrics, record.Metric{Name: "kld_mean", Value: kl}, record.Metric{Name: "weight_bytes", Value: 1e6 * float64(4+eights)})
		}
		r.Windows = []record.WindowStat{{Index: 0, N: 10, NLL: 30}}
		return r, nil
	}), Set("layers", levels...))
	if err != nil {
		t.Fatal(err)
	}
	return runs
}

// Among the plans that fit, the one that diverges least, by looking at all of them.
func TestBudgets(t *testing.T) {
	runs := mixed(t, "444", "844", "484", "448", "888")
	g := runs.Budgets("wikitext2", 3, 4, 5.5, 9)
	for i, want := range []string{"none fits", "444", "448", "888"} {
		if g.Rows[i][1] != want {
			t.Errorf("budget %s: %s, want %s", g.Rows[i][0], g.Rows[i][1], want)
		}
	}
	if g.Rows[2][5] != "2" || g.Rows[2][2] != "5.00" {
		t.Errorf("row %v", g.Rows[2])
	}
}
