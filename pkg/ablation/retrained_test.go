package ablation

import (
	"context"
	"math"
	"strings"
	"testing"

	"github.com/illm-go/illm/pkg/record"
)

// runOverCosts runs a study over made-up records: cost is what a configuration loses of the float model's loss in nats.
func runOverCosts(t *testing.T, store *record.Store, s Study, cost func(Config) float64, options ...Option) *Runs {
	t.Helper()
	_, err := s.Run(context.Background(), store, Each(func(_ context.Context, c Config) (record.Record, error) {
		r := c.Record()
		for _, k := range []string{"width", "method", "trained", "made"} { // what a real evaluator does not know
			delete(r.Config, k)
		}
		x := cost(c)
		for i := range 4 {
			r.Windows = append(r.Windows, record.WindowStat{Index: i, N: 100, NLL: 100 * (3 + float64(i) + x)})
		}
		r.Metrics = []record.Metric{{Name: "ppl", Value: 20 * math.Exp(x)}, {Name: "kld_mean", Value: x / 2, Stderr: 0.001}}
		return r, nil
	}), options...)
	if err != nil {
		t.Fatal(err)
	}
	runs, err := s.Run(context.Background(), store, nil, Stored())
	if err != nil {
		t.Fatal(err)
	}
	return runs
}

func open(t *testing.T) *record.Store {
	t.Helper()
	store, err := record.Open(record.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	return store
}

// TestRetrained: levels spell variants of the recipe, and the table has the change from the right row on each side.
func TestRetrained(t *testing.T) {
	recipes := map[string]string{}
	store := open(t)
	again := runOverCosts(t, store, Retrained, func(c Config) float64 {
		recipes[c["trained"]] = c["recipe"]
		return map[string]float64{"w4a4": 0.2, "w4a4-fsbr": 0.1, "w4a4-fsbr@no_qkv": 0.11, "w4a4-fsbr@only_qkv": 0.15}[c["recipe"]]
	}, Only(func(c Config) bool {
		return strings.HasSuffix(c["trained"], "qkv") || c["trained"] == "" || c["trained"] == AllKinds || c["trained"] == noKinds
	}))
	for level, want := range map[string]string{"": "fp32", AllKinds: "w4a4-fsbr", noKinds: "w4a4", "-qkv": "w4a4-fsbr@no_qkv", "qkv": "w4a4-fsbr@only_qkv"} {
		if recipes[level] != want {
			t.Errorf("level %q is recipe %q, want %q", level, recipes[level], want)
		}
	}
	// The row of all kinds is the same record in both studies.
	together := runOverCosts(t, store, Shares, func(c Config) float64 {
		return map[string]float64{"-qkv": 0.13, "qkv": 0.19, noKinds: 0.2}[c["kinds"]]
	}, Only(func(c Config) bool { return c["kinds"] == "-qkv" || c["kinds"] == "qkv" || c["kinds"] == noKinds }))
	g := KindTable(together, again, "wikitext2")
	percent := func(nats float64) string { return short(100 * math.Expm1(nats)) }
	want := []string{"qkv", "+" + percent(0.03), "+" + percent(0.01), percent(-0.01), percent(-0.05)}
	if len(g.Rows) != 1 {
		t.Fatalf("rows %v, want one of qkv", g.Rows)
	}
	for i, cell := range g.Rows[0] {
		if !strings.HasPrefix(cell, want[i][:min(4, len(want[i]))]) {
			t.Errorf("column %q: %q, want %s", g.Head[i], cell, want[i])
		}
	}
	for _, alone := range []bool{false, true} {
		if c := KindChart(together, again, "wikitext2", alone); c.Validate() != nil || len(c.Series) != 2 || len(c.Series[0].Points) != 1 {
			t.Errorf("alone %v: %v, %+v", alone, c.Validate(), c.Series)
		}
	}
	// Each side's own windows where they differ, once where they are equal.
	if c := KindChart(together, again, "wikitext2", false); strings.Count(c.Subtitle, "windows of") != 1 {
		t.Errorf("subtitle %q", c.Subtitle)
	}
	for _, row := range together.rows {
		for _, cell := range row.cells {
			cell.config["windows"] = "2"
		}
	}
	if c := KindChart(together, again, "wikitext2", false); !strings.Contains(c.Subtitle, "factors as trained together: tiny-llama, 2 windows") || !strings.Contains(c.Subtitle, "trained again: tiny-llama, ") {
		t.Errorf("subtitle %q", c.Subtitle)
	}
	// −qkv costs 1.005 %: more than twice √2·0.1 %, less than twice √2·1 %.
	for sd, want := range map[float64]string{0.02: "missed: qkv (+1.0", 0.2: "not told apart from chance: qkv (+1.0"} {
		if have := KindVerdict(again, Spread{N: 4, Mean: 20, SD: sd}, "wikitext2"); !strings.Contains(have, want) {
			t.Errorf("standard deviation %g: %q, want %q", sd, have, want)
		}
	}
	if have := KindVerdict(again, Spread{N: 2}, "wikitext2"); !strings.Contains(have, "cannot be said") {
		t.Errorf("two seeds: %q", have)
	}
	if _, err := Retrained.Run(context.Background(), store, nil, Set("trained", "-softmax")); err == nil || !strings.Contains(err.Error(), `"-softmax" is not allowed`) {
		t.Errorf("unknown kind: %v", err)
	}
}

// TestCalibration: levels spell variants, the seeds' spread is that of the three numbers, and rows without a record say so.
func TestCalibration(t *testing.T) {
	cost := map[string]float64{"fp32": 0, "w4a4-fsbr@n16": 0.3, "w4a4-fsbr@n64": 0.15, "w4a4-fsbr": 0.1, "w4a4-fsbr@seed3": 0.12, "w4a4-fsbr@seed4": 0.08}
	runs := runOverCosts(t, open(t), Calibration, func(c Config) float64 { return cost[c["recipe"]] },
		Only(func(c Config) bool { _, ok := cost[c["recipe"]]; return ok }))
	var sum, squares float64
	v := []float64{20 * math.Exp(0.1), 20 * math.Exp(0.12), 20 * math.Exp(0.08)}
	for _, x := range v {
		sum += x
	}
	for _, x := range v {
		squares += (x - sum/3) * (x - sum/3)
	}
	s := runs.Seeds("ppl_wikitext2")
	if s.N != 3 || math.Abs(s.Mean-sum/3) > 1e-9 || math.Abs(s.SD-math.Sqrt(squares/2)) > 1e-9 || s.Least != v[2] || s.Worst != v[1] {
		t.Errorf("spread %+v", s)
	}
	if text := s.Sentence(); !strings.HasPrefix(text, "Over 3 seeds: mean 22.1") {
		t.Errorf("sentence %q", text)
	}
	if text := (Spread{N: 2}).Sentence(); !strings.Contains(text, "a spread takes three") {
		t.Errorf("two runs: %q", text)
	}
	c := runs.Sizes("wikitext2")
	if err := c.Validate(); err != nil || len(c.Series) != 2 || len(c.Series[0].Points) != 3 || len(c.Series[1].Points) != 2 || c.Series[0].Points[0].X != 16 {
		t.Errorf("chart %v, %+v", err, c.Series)
	}
	if c := runs.Where("made", Plain).Sizes("wikitext2"); c != nil {
		t.Errorf("a chart of one point: %+v", c.Series)
	}
	g := runs.CalibrationTable("wikitext2", func(recipe string) map[string]string {
		switch recipe {
		case "w4a4-fsbr@n16":
			return map[string]string{"windows": "16", "rounding_windows": "32", "epochs": "160", "seed": "2"}
		case "w4a4-fsbr@n32": // a closed form says it of its rounding
			return map[string]string{"rounding_windows": "32"}
		}
		return nil
	})
	text := g.String()
	if len(g.Rows) != len(Calibration.Axes[0].Levels) || g.Rows[0][1] != "16" || g.Rows[0][2] != "160" || g.Rows[1][1] != "32" || g.Rows[2][1] != "–" || g.Rows[1][6] != "no record" {
		t.Errorf("table\n%s", text)
	}
	if row := g.Rows[0]; !strings.HasPrefix(row[7], "+22.1") {
		t.Errorf("16 windows against 128: %q, want e^0.2 = +22.1 %%", row[7])
	}
	for _, c := range []struct {
		recipe, level string
		windows       int
		order         bool
	}{
		{"w4a4-fsbr@n8", "n8", 8, false}, {"w4a4-fsbr", Plain, 128, true}, {"w4a4-omniquant@seed3", "seed3", 128, true},
		{"w4a4-best", Plain, 32, true}, {"w4a4-best@seed3", "seed3", 32, true}, {"w4a4-best@n64", "n64", 64, false},
		{"w4a4-smoothquant", Plain, 16, true},
	} {
		if w, order := calibrated(c.recipe, c.level); w != c.windows || order != c.order {
			t.Errorf("%s is %d windows, other order %v; want %d, %v", c.recipe, w, order, c.windows, c.order)
		}
	}
}
