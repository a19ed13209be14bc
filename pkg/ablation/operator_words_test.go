package ablation

import (
	"strings"
	"testing"
)

// Each exponential has its range and its counts, in both directions.
func TestExpAdds(t *testing.T) {
	exps := ByModel{invented(t, Exp, "tiny-llama", func(c Config) (float64, float64, bool) {
		switch c["exp"] {
		case "lut8":
			return 0, 0.0005, true
		case "shiftmax":
			return -0.01, 0.002, true
		}
		return 0, 0, true
	}, Set("corpus", "c4"), Set("exp", "float64", "lut8", "shiftmax"))}
	g := exps.ExpAdds("c4")
	if len(g.Rows) != 2 {
		t.Fatalf("rows %v", g.Rows)
	}
	if got := strings.Join(g.Rows[0], "|"); !strings.HasPrefix(got, "lut8|0.5|0|1|") || !strings.HasSuffix(got, "|0|0|1") {
		t.Errorf("found %s", got)
	}
	if got := strings.Join(g.Rows[1], "|"); !strings.HasPrefix(got, "shiftmax|2|0|1|-0.99") || !strings.HasSuffix(got, "|1|0|1") {
		t.Errorf("found %s", got)
	}
}

// Only what is told to be farther is named, by widths; what is closer is not.
func TestNonLinearFarther(t *testing.T) {
	runs := func(far float64) ByModel {
		return ByModel{invented(t, NonLinear, "tiny-opt", func(c Config) (float64, float64, bool) {
			switch {
			case c["operators"] == "half":
				return 0.001, -0.0005, true
			case c["operators"] == "half:softmax" && c["recipe"] == "w4a4":
				return 0.001, far, true
			}
			return 0, 0, true
		}, Set("corpus", "c4"), Set("recipe", "w8a8", "w4a4"), Set("operators", Integer, "half", "half:softmax"))}
	}
	text := runs(0.016).NonLinearFarther("c4")
	expect(t, text, "w4a4 (nats/1000): tiny-opt on C4 with half:softmax +16.0")
	if strings.Contains(text, "w8a8") || strings.Contains(text, "half +") || strings.Contains(text, "half -") {
		t.Errorf("what is closer is named: %s", text)
	}
	expect(t, runs(-0.016).NonLinearFarther("c4"), "Nowhere")
	if s := runs(0).NonLinearFarther("wikitext2"); s != "No records yet." {
		t.Error(s)
	}
}
