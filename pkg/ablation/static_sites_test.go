package ablation

import (
	"math"
	"strings"
	"testing"

	"github.com/illm-go/illm/pkg/floatref"
)

// siteRuns is a study of single sites at w8a8: the costs in percent, by site; every other site changes nothing.
func siteRuns(t *testing.T, costs map[string]float64) *Runs {
	t.Helper()
	return invented(t, StaticSites, "tiny-llama", func(c Config) (float64, float64, bool) {
		site := strings.TrimPrefix(c["setting"], "static:")
		return math.Log1p(costs[site] / 100), costs[site] / 1000, true
	}, Set("corpus", "c4"), Set("width", "w8a8"))
}

// A site can lose most bits and cost nothing: the sentence has the order of the bits, and the costs beside them.
func TestBitsAndCosts(t *testing.T) {
	d := siteRuns(t, map[string]float64{"product": 2, "up": 7}).Against("setting", Dynamic)
	seen := new(Amplitudes)
	for site, small := range map[floatref.Site]float32{floatref.Query: 1.0 / 16, floatref.Product: 1.0 / 4, floatref.Up: 1} {
		// two rows of three are small, so that the median is one of them
		seen.Tap(&floatref.Block{Site: site, Rows: 3, Cols: 1, Stride: 1, X: []float32{1, small, small}})
	}
	text := d.BitsAndCosts(seen, "c4", "w8a8")
	expect(t, text, "query 4.0 (not told from nothing)", "product 2.0 (+2.0", "up 0.0 (+7.0")
	if a, b, c := strings.Index(text, "query"), strings.Index(text, "product"), strings.Index(text, "up "); a > b || b > c {
		t.Errorf("expected query, product, up in the order of their bits:\n%s", text)
	}
	if got := d.BitsAndCosts(seen, "wikitext2", "w8a8"); !strings.HasSuffix(got, "no records yet.") {
		t.Error(got)
	}
}

// What is dynamic in "mixed" is not listed, what costs and is static is, the worst first; what costs nothing is not.
func TestLeftStatic(t *testing.T) {
	d := siteRuns(t, map[string]float64{"product": 50, "up": 7, "key": 9}).Against("setting", Dynamic)
	text := d.LeftStatic("c4", "w8a8")
	expect(t, text, "key +9.0", ", up +7.0")
	for _, bad := range []string{"product", "query"} {
		if strings.Contains(text, bad) {
			t.Errorf("%s: found in %s", bad, text)
		}
	}
	if got := siteRuns(t, map[string]float64{"product": 50}).Against("setting", Dynamic).LeftStatic("c4", "w8a8"); got != "" {
		t.Errorf("only a dynamic site costs: expected nothing, found %s", got)
	}
}

// Sites whose windows are equal are named together; one that differs in a single bit is not.
func TestSameBits(t *testing.T) {
	costs := map[string]float64{}
	for i, site := range []string{"attn_in", "mlp_in", "product", "query", "key", "gate", "up", "scores"} {
		costs[site] = float64(i + 1)
	}
	costs["value"], costs["attn_out"] = 30, 30
	expect(t, siteRuns(t, costs).SameBits("c4", "w8a8"), "static alone, attn_out and value make the same function, bit for bit in all 4 windows.")
	costs["value"] = math.Nextafter(30, 31)
	runs := siteRuns(t, costs)
	for _, row := range runs.rows { // one bit of one window
		if row.axes["setting"] == "static:value" {
			w := row.cells["c4"].record.Windows
			w[3].NLL = math.Nextafter(w[3].NLL, 0)
		}
	}
	if text := runs.SameBits("c4", "w8a8"); text != "" {
		t.Errorf("expected no equal sites, found %s", text)
	}
}

// A method that helps where channels are uneven is counted as smaller there, and as larger where it is not.
func TestStaticSmoothing(t *testing.T) {
	m := ByModel{invented(t, Static, "tiny-opt", func(c Config) (float64, float64, bool) {
		switch c["width"] + c["method"] + c["setting"] {
		case "w8a8rtnstatic":
			return math.Log(5), 1, true
		case "w8a8fsbrstatic":
			return math.Log(1.05), 0.1, true
		case "w4a4rtnstatic":
			return math.Log(2), 1, true
		case "w4a4fsbrstatic":
			return math.Log(3), 1, true
		}
		return 0, 0, true
	}, Set("corpus", "c4"), Set("width", "w8a8", "w4a4"), Set("setting", Dynamic, "static"))}
	expect(t, m.StaticSmoothing("static", "fsbr", "c4"), "smaller with it in 1 of 2, larger in 1", "tiny-opt: w8a8 +400 % → +5 %, w4a4 +100 % → +200 %")
	if s := m.StaticSmoothing("static", "fsbr", "wikitext2"); !strings.HasSuffix(s, "no records yet.") {
		t.Error(s)
	}
}
