package ablation

import (
	"context"
	"strings"
	"testing"

	"github.com/illm-go/illm/pkg/record"
)

// The thresholds are the two-sided 95 % points of Student's t as printed in tables: 12.706, 4.303, 2.365 and 1.960 for 1, 2, 7
// and very many degrees of freedom.
func TestTold(t *testing.T) {
	for _, c := range []struct {
		mean, se float64
		n, want  int
	}{
		{12.70, 1, 2, 0}, {12.71, 1, 2, 1}, {-12.71, 1, 2, -1}, {4.302, 1, 3, 0}, {4.303, 1, 3, 1},
		{-2.364, 1, 8, 0}, {-2.365, 1, 8, -1}, {1.9599, 1, 1e6, 0}, {1.961, 1, 1e6, 1},
		{5, 0, 1, 0}, {5, 0.1, 1, 0}, {5, 0, 8, 0}, {-5, 0, 8, 0}, {0, 0, 0, 0}, {0, 1, 8, 0},
	} {
		if got := told(c.mean, c.se, c.n); got != c.want {
			t.Errorf("mean %g, error %g, %d windows: %d, want %d", c.mean, c.se, c.n, got, c.want)
		}
	}
}

func TestWindowRange(t *testing.T) {
	for want, list := range map[string][]int{"1 window": {1, 1}, "8 windows": {8, 8}, "1 to 8 windows": {8, 1}, "2 to 16 windows": {4, 16, 2}} {
		var r windowRange
		for _, n := range list {
			r.add(n)
		}
		if r.String() != want {
			t.Errorf("%v: %q, want %q", list, r, want)
		}
	}
	if a, b := counted(1, "row"), counted(0, "row"); a != "1 row" || b != "0 rows" {
		t.Errorf("%q, %q", a, b)
	}
	if a, b := others(1), others(2); a != "the other one is" || b != "the other 2 are" {
		t.Errorf("%q, %q", a, b)
	}
}

// changedOn answers a study on so many windows, whose likelihood and divergence are above the reference's by the given nats, give
// or take one tenth of them.
func changedOn(t *testing.T, s Study, windows int, change func(Config) float64, options ...Option) ByModel {
	t.Helper()
	store, err := record.Open(record.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	ev := Each(func(_ context.Context, c Config) (record.Record, error) {
		r := c.Record()
		r.Metrics = []record.Metric{{Name: "ppl", Value: 10}}
		if c["recipe"] != "fp32" {
			r.Metrics = append(r.Metrics, record.Metric{Name: "kld_mean", Value: 0.002})
		}
		for w := range windows {
			const n = 1000
			d := change(c) * (1 + 0.1*float64(1-2*(w%2)))
			r.Windows = append(r.Windows, record.WindowStat{Index: w, N: n, NLL: n * (3 + d), KL: n * (0.5 + d)})
		}
		return r, nil
	})
	runs, err := s.Run(context.Background(), store, ev, options...)
	if err != nil || runs.Err() != nil {
		t.Fatal(err, runs.Err())
	}
	return ByModel{runs}
}

// Ten standard errors on two windows are not told, four on eight are; one window is counted with what is not told, in all verdicts.
func TestVerdictsNeedWindows(t *testing.T) {
	static := func(windows int, change float64) string {
		return changedOn(t, Static, windows, func(c Config) float64 {
			if c["setting"] == "static" {
				return change
			}
			return 0
		}, Set("corpus", "c4"), Set("width", "w8a8"), Set("method", "rtn"), Set("setting", Dynamic, "static")).StaticVerdict("c4")
	}
	expect(t, static(2, 0.05), "As the paper claims", "in 1 comparison of static with", "no constant grid is told to be better. Single sites on a constant grid are not among them.", "2 windows each", "static: worse than dynamic in 0 of 1 comparisons, better in 0, not told apart in 1")
	expect(t, static(8, 0.05), "8 windows each", "static: worse than dynamic in 1 of 1 comparisons")
	expect(t, static(1, -0.05), "As the paper claims", "1 window each", "better in 0, not told apart in 1")
	expect(t, static(8, -0.05), "Against the paper's claim", "told to be better in 1: tiny-llama, w8a8 static rtn, C4: -4.88")

	nonlinear := func(windows int) string {
		return changedOn(t, NonLinear, windows, func(c Config) float64 {
			return map[string]float64{"half": -0.01, "half:norm": 0.01}[c["operators"]]
		}, Set("corpus", "c4"), Set("recipe", "w8a8"), Set("operators", Integer, "half:norm", "half", "float32")).NonLinearVerdict("c4")
	}
	expect(t, nonlinear(8), "Against integer operators, w8a8", "8 windows each", "half:norm closer 0, farther 1 of 1; half closer 1, farther 0 of 1; float32 closer 0, farther 0 of 1.")
	expect(t, nonlinear(1), "Not against integer operators", "1 window each", "half closer 0, farther 0 of 1")

	sites := func(change map[string]float64, settings ...any) string {
		m := changedOn(t, StaticSites, 8, func(c Config) float64 { return change[c["setting"]] }, Set("corpus", "c4"), Set("width", "w8a8"), Set("setting", append(settings, Dynamic)...))
		return m[0].Against("setting", Dynamic).WorstSites("c4", "w8a8")
	}
	both := sites(map[string]float64{"static:product": 0.02, "static:gate": -0.01, "static:up": -0.02}, "static:product", "static:gate", "static:up", "static:key")
	expect(t, both, "w8a8, C4 (8 windows): worse product +2.02 ± 0.08 %; better gate -1.00 ± 0.04 %, up -1.98 ± 0.07 %; the other one is not told from nothing.")
	expect(t, sites(map[string]float64{"static:gate": -0.01}, "static:gate"), "no site alone is told to cost anything; better gate -1.00")
	if s := sites(nil, "static:gate", "static:up"); !strings.HasSuffix(s, ": no site alone is told to cost anything.") {
		t.Errorf("sites that change nothing: %q", s)
	}
}
