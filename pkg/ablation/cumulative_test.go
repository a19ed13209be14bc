package ablation

import (
	"strings"
	"testing"

	"github.com/illm-go/illm/pkg/chart"
	"github.com/illm-go/illm/pkg/record"
)

// The rows of T5 are found among records that other studies made, each under its own spelling.
func TestCumulative(t *testing.T) {
	store, err := record.Open(record.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range []struct{ recipe, arithmetic, operators string }{
		{"fp32", "", ""},
		{"w4a4-smoothquant", "simulated", ""},
		{"w4a4-omniquant", "simulated", ""},
		{"w4a4-fsbr", "simulated", ""},
		{"w4a4-fsbr", "", "float32"},
		{"w4a4-fsbr", "", "float32:activation+norm"},
		{"w4a4-fsbr", "", "float32:norm"},
		{"w4a4-fsbr", "", ""},
	} {
		rec := &record.Record{Kind: record.Quality, Axes: map[string]string{"model": "tiny-llama", "recipe": r.recipe, "corpus": "c4", "windows": "3"},
			Config: map[string]any{"window": 2048, "i": i}, Metrics: []record.Metric{{Name: "ppl", Value: float64(10 + i)}}}
		for name, v := range map[string]string{"arithmetic": r.arithmetic, "operators": r.operators} {
			if v != "" {
				rec.Axes[name] = v
			}
		}
		if err := store.Append(rec); err != nil {
			t.Fatal(err)
		}
	}
	runs, err := Cumulative.Run(t.Context(), store, nil, Set("width", "w4a4"), Set("corpus", "c4"))
	if err != nil {
		t.Fatal(err)
	}
	if runs.Len() != 8 || runs.Count()[Missing] != 0 {
		t.Fatalf("%d rows, %d missing: %v", runs.Len(), runs.Count()[Missing], runs.Err())
	}
	for i := range runs.Len() {
		if v, ok := runs.Number(i, "ppl_c4"); !ok || v.Y != float64(10+i) {
			name, _ := runs.Text(i, "method")
			t.Errorf("row %d (%s): %v, want %d", i, name, v.Y, 10+i)
		}
	}
}

// Made up: integer products add 1/1000 nats, SwiGLU 2/1000 more, softmax and norms nothing.
func TestStepCosts(t *testing.T) {
	nats := map[string]float64{StepProducts: 0.001, StepSoftmax: 0.001, StepSwiGLU: 0.003, StepNorm: 0.003}
	m := changedOn(t, Cumulative, 8, func(c Config) float64 { return nats[c["method"]] }, Set("corpus", "c4"))
	got := strings.Split(m[0].StepCosts("c4"), "\n")
	if len(got) != 2 || !strings.HasPrefix(got[0], "w6a6, C4 (8 windows)") || !strings.HasPrefix(got[1], "w4a4, C4 (8 windows)") {
		t.Fatalf("%q", got)
	}
	for _, want := range []string{
		"Perplexity: fsbr, integer products +0.1", "+ DI-SwiGLU +0.2", "(2 of 4 steps told). Divergence (nats/1000): fsbr, integer products +1.0",
		"+ DI-SwiGLU +2.0", "All of them: perplexity +0.30", "divergence +3.0",
	} {
		if !strings.Contains(got[0], want) {
			t.Errorf("%q lacks %q", got[0], want)
		}
	}
	if strings.Contains(got[0], StepSoftmax) || strings.Contains(got[0], StepNorm) || strings.Contains(got[0], "not resolved") {
		t.Errorf("%q names what changes nothing", got[0])
	}
	level := changedOn(t, Cumulative, 8, func(Config) float64 { return 0 }, Set("corpus", "c4"), Set("width", "w4a4"))
	if got := level[0].StepCosts("c4"); strings.Count(got, "none of 4 steps is told") != 2 || strings.Count(got, "not resolved") != 2 {
		t.Errorf("%q", got)
	}
	if got := level[0].StepCosts("wikitext2"); got != "" {
		t.Errorf("of a text without records: %q", got)
	}
}

// A method far above the others is left out of its panel and named with its value; within ten times all are drawn.
func TestStepsChart(t *testing.T) {
	runs := withMetrics(t, Cumulative, func(c Config) []record.Metric {
		kl := map[string]float64{"smoothquant": 5.5, "omniquant": 0.3, "fsbr": 0.2}[c["method"]]
		if kl == 0 {
			kl = 0.25
		}
		if c["width"] == "w6a6" {
			kl = min(kl, 1)
		}
		return []record.Metric{{Name: "kld_mean", Value: kl}}
	}, Set("corpus", "c4"), WithoutBase())
	c := runs.StepsChart("c4")
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	drawn := map[string]float64{}
	for _, s := range c.Series {
		for _, p := range s.Points {
			drawn[s.Name+" "+p.Label] = p.Y
		}
	}
	if _, far := drawn["w4a4 smoothquant"]; far || len(drawn) != 13 || drawn["w6a6 smoothquant"] != 1 || drawn["w4a4 fsbr"] != 0.2 {
		t.Errorf("drawn %v, want all but w4a4 smoothquant", drawn)
	}
	if !strings.Contains(c.Subtitle, "more than 10 times the others: w4a4 smoothquant 5.5") || strings.Contains(c.Subtitle, "w6a6") {
		t.Errorf("subtitle %q", c.Subtitle)
	}
	for _, few := range [][]float64{{100, 1}, {100}, nil, {5, 4, 3}, {100, 0, 0}} {
		var points []chart.Point
		for _, y := range few {
			points = append(points, chart.Point{Y: y})
		}
		if far := farPoints(points); len(far) != 0 {
			t.Errorf("of %v, %v are far", few, far)
		}
	}
}
