package fakequant

import (
	"context"
	"fmt"
	"math"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/illm-go/illm/pkg/floatref"
	"github.com/illm-go/illm/pkg/model"
	"github.com/illm-go/illm/pkg/quant"
)

// fixtures are the random-weight models of package floatref.
var fixtures = []string{"tiny_untied", "tiny_tied", "llama_bias", "mistral", "qwen2", "qwen3", "opt"}

func open(t *testing.T, name string) *model.Model {
	t.Helper()
	m, err := model.OpenWeights(filepath.Join("..", "..", "floatref", "testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

func spec(t *testing.T, recipe, clip, mode string) quant.Spec {
	t.Helper()
	s, err := quant.NewSpec(recipe, clip, mode)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func simulate(t *testing.T, m *model.Model, s quant.Spec, opt Options) *floatref.Model {
	t.Helper()
	lm, err := New(m, s, opt)
	if err != nil {
		t.Fatal(err)
	}
	return lm
}

func tokens(n, vocab int) []int32 {
	t := make([]int32, n)
	for i := range t {
		t[i] = int32((i*i*31 + i*7 + 3) % vocab)
	}
	return t
}

func logits(t *testing.T, m *floatref.Model, ids []int32) [][]float32 {
	t.Helper()
	out := make([][]float32, len(ids))
	if err := m.Logits(context.Background(), ids, func(pos int, l []float32) error {
		out[pos] = append([]float32(nil), l...)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return out
}

// distance is the RMS difference of all logits, relative to the RMS of b.
func distance(a, b [][]float32) float64 {
	var d, n float64
	for i := range a {
		for j := range a[i] {
			x, y := float64(a[i][j]), float64(b[i][j])
			d += (x - y) * (x - y)
			n += y * y
		}
	}
	return math.Sqrt(d / n)
}

// With every quantiser skipped the simulation is the reference, bit for bit.
func TestNothingQuantised(t *testing.T) {
	opt := Options{FloatWeights: true, FloatHead: true}
	for i := range opt.Skip {
		opt.Skip[i] = true
	}
	for _, name := range fixtures {
		m := open(t, name)
		ref, err := floatref.New(m, 2)
		if err != nil {
			t.Fatal(err)
		}
		ids := tokens(100, 256)
		if d := distance(logits(t, simulate(t, m, spec(t, "w4a4", "", ""), opt), ids), logits(t, ref, ids)); d != 0 {
			t.Errorf("%s: differs by %g from the reference", name, d)
		}
	}
}

// Fewer bits are further from the reference, step by step, and 8 bits are near.
func TestWidths(t *testing.T) {
	for _, name := range fixtures {
		m := open(t, name)
		ref, err := floatref.New(m, 2)
		if err != nil {
			t.Fatal(err)
		}
		ids := tokens(200, 256)
		want := logits(t, ref, ids)
		last := 0.0
		for _, recipe := range []string{"w8a8", "w6a6", "w4a4"} {
			d := distance(logits(t, simulate(t, m, spec(t, recipe, "", ""), Options{}), ids), want)
			t.Logf("%s %s: relative RMS difference of the logits %.4f", name, recipe, d)
			if d < 2*last {
				t.Errorf("%s: %s at distance %.4f is not clearly worse than the wider recipe at %.4f", name, recipe, d, last)
			}
			if recipe == "w8a8" && !(d > 0 && d < 0.1) {
				t.Errorf("%s: w8a8 at distance %.4f, want above 0 and below 0.1", name, d)
			}
			last = d
		}
	}
}

// gridTap counts the distinct values of each row and looks for an exact zero where the grid has one.
type gridTap struct {
	mu   sync.Mutex
	most [floatref.Sites]int
	rows [floatref.Sites]int
	low  float32 // least score
}

func (g *gridTap) Tap(b *floatref.Block) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for r := range b.Rows {
		seen := map[float32]bool{}
		for _, v := range b.Row(r) {
			seen[v] = true
			if b.Site == floatref.Scores {
				g.low = min(g.low, v)
			}
		}
		g.most[b.Site] = max(g.most[b.Site], len(seen))
		g.rows[b.Site]++
	}
}

// Every site holds at most as many values a row as its width has codes, and more than half as many somewhere.
func TestGrids(t *testing.T) {
	recipe := quant.Recipe{Name: "mixed", Weight: 5, Act: 5, Query: 4, KV: 3, Score: 6, GLU: 6, Head: 4, Emb: 8}
	s := quant.Spec{Recipe: recipe, Clip: 500, Mode: quant.ILLM, MantissaBits: 16, ProbBits: 15}
	g := &gridTap{}
	m := open(t, "tiny_untied")
	logits(t, simulate(t, m, s, Options{Tap: g}), tokens(200, 256))
	for site, bits := range map[floatref.Site]int{
		floatref.AttnIn: 5, floatref.AttnOut: 5, floatref.MLPIn: 5, floatref.Product: 5, floatref.Query: 4,
		floatref.Key: 3, floatref.Value: 3, floatref.Scores: 6, floatref.Gate: 6, floatref.Up: 6, floatref.HeadIn: 4,
	} {
		codes, width := 1<<bits, 16 // q, k and v of the tiny model have 16 values a row
		if n := g.most[site]; n > codes || n <= min(codes, width)/2 {
			t.Errorf("%v: %d different values in a row, want more than %d and at most %d", site, n, min(codes, width)/2, codes)
		}
		if g.rows[site] == 0 {
			t.Errorf("%v: no rows", site)
		}
	}
	if math.Abs(float64(g.low)+0.5) > 1e-6 {
		t.Errorf("least score %v, want −0.5, the clip", g.low)
	}
	// Precise mode widens scores and SwiGLU operands alone.
	s.Mode, s.Clip = quant.Precise, 0
	g = &gridTap{}
	logits(t, simulate(t, m, s, Options{Tap: g}), tokens(200, 256))
	if g.most[floatref.Gate] < 80 || g.most[floatref.Scores] < 65 || g.most[floatref.Key] > 8 {
		t.Errorf("precise: %d gate values, %d scores, %d key values in a row", g.most[floatref.Gate], g.most[floatref.Scores], g.most[floatref.Key])
	}
}

// OPT has no gate; what fc1 gives has no codes before the ReLU, and the codes behind it start at 0.
func TestGridsOfOPT(t *testing.T) {
	recipe := quant.Recipe{Name: "mixed", Weight: 5, Act: 5, Query: 4, KV: 3, Score: 6, GLU: 4, Head: 4, Emb: 8}
	s := quant.Spec{Recipe: recipe, Clip: 500, Mode: quant.ILLM, MantissaBits: 16, ProbBits: 15}
	g, product := &gridTap{}, &productTap{}
	logits(t, simulate(t, open(t, "opt"), s, Options{Threads: 1, Tap: floatref.Taps{g, product}}), tokens(200, 256))
	for site, bits := range map[floatref.Site]int{
		floatref.AttnIn: 5, floatref.AttnOut: 5, floatref.MLPIn: 5, floatref.Product: 5, floatref.Query: 4,
		floatref.Key: 3, floatref.Value: 3, floatref.Scores: 6, floatref.HeadIn: 4,
	} {
		codes, width := 1<<bits, 16
		if n := g.most[site]; n > codes || n <= min(codes, width)/2 {
			t.Errorf("%v: %d different values in a row, want more than %d and at most %d", site, n, min(codes, width)/2, codes)
		}
	}
	if n := g.most[floatref.Up]; n < 90 {
		t.Errorf("up: at most %d different values in a row of 96: it was rounded", n)
	}
	if g.rows[floatref.Gate] != 0 {
		t.Errorf("gate: %d rows seen in a model without one", g.rows[floatref.Gate])
	}
	// All 31 steps above 0 span the range, so the least positive value is the step.
	if product.rows == 0 || product.bad > 0 {
		t.Errorf("product: %d of %d rows do not lie on 0 … max in 31 steps", product.bad, product.rows)
	}
}

// productTap counts rows of Product that are not whole steps of max/31 from 0 on.
type productTap struct{ rows, bad int }

func (p *productTap) Tap(b *floatref.Block) {
	for r := 0; b.Site == floatref.Product && r < b.Rows; r++ {
		top := float32(0)
		for _, v := range b.Row(r) {
			top = max(top, v)
		}
		p.rows++
		for _, v := range b.Row(r) {
			code := float64(v) * 31 / float64(top)
			if v < 0 || math.Abs(code-math.Round(code)) > 1e-4 {
				p.bad++
				break
			}
		}
	}
}

// The table of positions lies on the grid of the embedding; biases and norms of every kind are left alone.
func TestWeightsOfOPTAndQwen(t *testing.T) {
	for _, name := range []string{"opt", "qwen2", "qwen3", "llama_bias"} {
		m := open(t, name)
		for _, emb := range []int{3, 16} {
			r := spec(t, "w4a4", "", "").Recipe
			r.Emb = emb
			src := weights{src: m, cfg: m.Config, bits: r}
			kept := 0
			for _, n := range m.Names() {
				got, err := src.Float32(n, nil)
				if err != nil {
					t.Fatal(err)
				}
				want, err := m.Float32(n, nil)
				if err != nil {
					t.Fatal(err)
				}
				switch {
				case n == model.Positions:
					for r := 0; r < len(want); r += m.Config.Hidden {
						if row := want[r : r+m.Config.Hidden]; emb == 16 {
							Symmetric(row, 16)
						} else {
							Row(row, emb)
						}
					}
					kept++
				case strings.HasSuffix(n, ".bias") || strings.Contains(n, "norm"):
					kept++
				default:
					continue
				}
				for i := range want {
					if got[i] != want[i] {
						t.Fatalf("%s: %s: value %d: %v, want %v", name, n, i, got[i], want[i])
					}
				}
			}
			// OPT: 4 of norms and 6 biases a layer, 2 of the final norm, the table.
			if want := map[string]int{"opt": 23, "qwen2": 11, "qwen3": 9, "llama_bias": 19}[name]; kept != want {
				t.Errorf("%s: %d norms, biases and position tables, want %d", name, kept, want)
			}
		}
	}
}

// Weights lie on the recipe's grids row by row; a shared table stays shared where its two widths agree.
func TestWeights(t *testing.T) {
	m := open(t, "tiny_tied")
	values := func(w []float32, cols int) int {
		most := 0
		for r := 0; r < len(w); r += cols {
			seen := map[float32]bool{}
			for _, v := range w[r : r+cols] {
				seen[v] = true
			}
			most = max(most, len(seen))
		}
		return most
	}
	r := spec(t, "w4a4", "", "").Recipe
	r.Head, r.Emb = 3, 16
	src := weights{src: m, cfg: m.Config, bits: r}
	for _, c := range []struct {
		name       string
		cols, want int
	}{
		{"model.embed_tokens.weight", 64, 64}, {"lm_head.weight", 64, 8},
		{"model.layers.0.self_attn.o_proj.weight", 96, 16}, {"model.layers.1.mlp.down_proj.weight", 80, 16},
		{"model.layers.1.self_attn.k_proj.weight", 64, 16},
	} {
		w, err := src.Float32(c.name, nil)
		if err != nil {
			t.Fatal(err)
		}
		if n := values(w, c.cols); n > c.want || n < c.want*3/4 {
			t.Errorf("%s: up to %d different values in a row, want %d", c.name, n, c.want)
		}
	}
	norm, err := src.Float32("model.norm.weight", nil)
	if err != nil {
		t.Fatal(err)
	}
	plain, _ := m.Float32("model.norm.weight", nil)
	for i := range norm {
		if norm[i] != plain[i] {
			t.Fatalf("norm weight %d was changed", i)
		}
	}
	if _, err := src.Float32("model.layers.9.mlp.up_proj.weight", nil); err == nil {
		t.Error("a tensor that is not there gave no error")
	}
}

// With the piecewise e^x of the engine the result changes, and little.
func TestShapesInTheModel(t *testing.T) {
	m := open(t, "tiny_untied")
	ids := tokens(200, 256)
	for _, c := range []struct {
		mode string
		most float64
	}{{"illm", 0.1}, {"precise", 0.04}} {
		s := spec(t, "w8a8", "", c.mode)
		d := distance(logits(t, simulate(t, m, s, Options{Shapes: true}), ids), logits(t, simulate(t, m, s, Options{}), ids))
		t.Logf("%s: relative RMS difference %.4f", c.mode, d)
		if !(d > 0 && d < c.most) {
			t.Errorf("%s: relative RMS difference %.4f, want above 0 and below %v", c.mode, d, c.most)
		}
	}
}

type broken struct{ floatref.Source }

func (b broken) Float32(name string, dst []float32) ([]float32, error) {
	w, err := b.Source.Float32(name, dst)
	if strings.Contains(name, "layers.1.mlp.up_proj") {
		w[77] = float32(math.NaN())
	}
	return w, err
}

func TestErrors(t *testing.T) {
	m := open(t, "tiny_untied")
	if _, err := New(m, quant.Spec{}, Options{}); err == nil {
		t.Error("the zero spec was accepted")
	}
	_, err := NewFrom(m.Config, broken{m}, spec(t, "w8a8", "", ""), Options{})
	if want := "layers.1.mlp.up_proj.weight: row 1, value 13 is NaN"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("NaN in a weight: error %v, want one with %q", err, want)
	}
}

func Example() {
	m, err := model.OpenWeights("../../floatref/testdata/tiny_tied")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer m.Close()
	s, _ := quant.NewSpec("w8a8", "15", "illm")
	lm, err := New(m, s, Options{Threads: 1})
	if err != nil {
		fmt.Println(err)
		return
	}
	positions := 0
	err = lm.Logits(context.Background(), []int32{1, 2, 3}, func(pos int, logits []float32) error {
		positions++
		return nil
	})
	fmt.Println(positions, lm.Vocab(), err)
	// Output: 3 256 <nil>
}
