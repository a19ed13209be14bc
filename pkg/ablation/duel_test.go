package ablation

import (
	"math"
	"slices"
	"strings"
	"testing"
)

// A duel counts wins, losses and draws and names the losses, the worst first, by the axes that tell them apart.
func TestDuel(t *testing.T) {
	worse := map[string]float64{"w8a8": 0.01, "w6a6": 1e-9, "w4a8": -0.02, "w4a4": 0.05}
	m := ByModel{invented(t, Methods, "tiny-llama", func(c Config) (float64, float64, bool) {
		if c["method"] == "best" {
			return worse[c["width"]], 0, true
		}
		return 0, 0, true
	}, Set("corpus", "c4"), Set("method", "fsbr", "best"), Set("arithmetic", Integer))}
	s := m.Duel("method", "best", "fsbr", []string{"c4", "wikitext2"})
	expect(t, s, "lower in 1 of 4 comparisons, higher in 2, not told apart in 1", "changes by -1.98 to 5.13 %", "Higher: tiny-llama w4a4 C4 +5.127", "; tiny-llama w8a8 C4 +1.005")
	if strings.Contains(s, "integer") {
		t.Errorf("what all rows share is named:\n%s", s)
	}
	if s := m.Duel("method", "best", "omniquant", []string{"c4"}); s != "best against omniquant: no records yet." {
		t.Error(s)
	}
	for _, c := range []struct {
		reference string
		want      []string
	}{{"fsbr", []string{"c4"}}, {"omniquant", nil}} {
		if texts := m[0].Against("method", c.reference).Texts(); !slices.Equal(texts, c.want) {
			t.Errorf("texts against %s: %q, expected %q", c.reference, texts, c.want)
		}
	}
	if texts := m[0].Where("method", "fsbr").Against("method", "fsbr").Texts(); texts != nil {
		t.Errorf("a row beside itself is compared on %q", texts)
	}
}

// Two modes of one study are compared window by window, model by model.
func TestBeside(t *testing.T) {
	mode := func(name string, worse float64) ByModel {
		return ByModel{invented(t, Static, "tiny-opt", func(c Config) (float64, float64, bool) { return worse, worse, true },
			Set("corpus", "c4"), Set("width", "w8a8"), Set("setting", Dynamic), Set("method", "rtn"), Set("mode", name))}
	}
	ours, published := mode("illm", 0), mode("published", math.Log(1.5))
	expect(t, ours.Beside(published, "c4", "width", "w8a8"), "tiny-opt, 4 windows: perplexity +50.0", "larger by 0.4054651 ± ", "the 0.002 of ours")
	for _, none := range []string{ours.Beside(published, "wikitext2", "width", "w8a8"), ours.Beside(nil, "c4", "width", "w8a8"), ours.Beside(published, "c4", "width", "w4a4")} {
		if none != "No records yet." {
			t.Error(none)
		}
	}
}
