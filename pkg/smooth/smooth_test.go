package smooth

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/illm-go/illm/pkg/floatref"
	"github.com/illm-go/illm/pkg/model"
	"github.com/illm-go/illm/pkg/model/modeltest"
	"github.com/illm-go/illm/pkg/simd/vec"
)

// families are small random models of both families: grouped heads, biases, head norms, a head of its own.
var families = []struct {
	name string
	make func(testing.TB) string
}{{"llama", modeltest.Tiny}, {"opt", modeltest.TinyOPT}, {"qwen2", modeltest.TinyQwen2}, {"qwen3", modeltest.TinyQwen3}}

func open(t testing.TB, folder string) *model.Model {
	t.Helper()
	m, err := model.OpenWeights(folder)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

// logits runs a float model over fixed tokens.
func logits(t testing.TB, cfg model.Config, src floatref.Source, opt floatref.Options) [][]float32 {
	t.Helper()
	opt.Threads = 1
	m, err := floatref.NewFrom(cfg, src, opt)
	if err != nil {
		t.Fatal(err)
	}
	ids := make([]int32, 70)
	for i := range ids {
		ids[i] = int32((i*i*31 + 7*i + 3) % cfg.Vocab)
	}
	rows := make([][]float32, len(ids))
	var mu sync.Mutex
	err = m.Logits(context.Background(), ids, func(pos int, l []float32) error {
		mu.Lock()
		defer mu.Unlock()
		rows[pos] = append([]float32(nil), l...)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// distance is the largest difference relative to the largest logit.
func distance(a, b [][]float32) float64 {
	var d, top float64
	for i := range a {
		for j := range a[i] {
			d = max(d, math.Abs(float64(a[i][j])-float64(b[i][j])))
			top = max(top, math.Abs(float64(b[i][j])))
			if v := float64(a[i][j]); math.IsNaN(v) {
				return math.Inf(1)
			}
		}
	}
	return d / top
}

// draw returns factors of one kind, or with "" of all: log-normal s, normal δ.
func draw(cfg model.Config, only string, seed uint64) *Factors {
	r := rand.New(rand.NewPCG(seed, 6))
	f := &Factors{Blocks: make([]Block, cfg.Layers), Meta: map[string]string{}}
	for i := range f.Blocks {
		for _, k := range Table(cfg) {
			if only != "" && k.Name != only {
				continue
			}
			v := make([]float32, k.Length)
			for c := range v {
				if k.Shift {
					v[c] = float32(0.5 * r.NormFloat64())
				} else {
					v[c] = float32(math.Exp(0.7 * r.NormFloat64()))
				}
			}
			f.Blocks[i].SetVector(k.Name, v)
		}
	}
	return f
}

func applied(t testing.TB, m *model.Model, f *Factors) [][]float32 {
	t.Helper()
	a, err := Apply(m.Config, m, f)
	if err != nil {
		t.Fatal(err)
	}
	return logits(t, a.Config(), a, floatref.Options{Alpha: a.Alpha, Tap: a.Tap()})
}

// Every kind leaves the float function as it is, alone and with all others, in every family.
func TestApply(t *testing.T) {
	for _, fam := range families {
		m := open(t, fam.make(t))
		want := logits(t, m.Config, m, floatref.Options{})
		worst := 0.0
		kinds := []string{""}
		for _, k := range Table(m.Config) {
			kinds = append(kinds, k.Name)
		}
		for i, kind := range kinds {
			d := distance(applied(t, m, draw(m.Config, kind, uint64(i))), want)
			if worst = max(worst, d); !(d <= 1e-5) {
				t.Errorf("%s, %q: logits differ by %g of the largest", fam.name, kind, d)
			}
		}
		t.Logf("%s: %d kinds, largest relative difference %.1e", fam.name, len(kinds)-1, worst)
	}
}

// Every rotation leaves the float function as it is, alone, with all others and with all factors on top.
func TestRotations(t *testing.T) {
	for _, fam := range families {
		m := open(t, fam.make(t))
		want := logits(t, m.Config, m, floatref.Options{})
		worst := 0.0
		for i := range 8 {
			f := &Factors{}
			switch {
			case i < 5:
				*f.Rotation.flags()[i] = true
			case i == 5:
				f.Rotation = Rotation{Residual: true, Seed: 9}
			default:
				if i == 7 {
					f = draw(m.Config, "", 5)
				}
				f.Rotation = Rotation{Residual: true, ValueOut: true, QueryKey: true, OutProj: true, Down: true, Seed: 3}
			}
			if m.Config.FFN == 80 && f.Rotation.Down { // 80 = 20·4: no order of the engine
				if err := f.Check(m.Config); err == nil || !strings.Contains(err.Error(), "leave this site unrotated") {
					t.Error(err)
				}
				f.Rotation.Down = false
			}
			d := distance(applied(t, m, f), want)
			if worst = max(worst, d); !(d <= 1e-5) {
				t.Errorf("%s, %v: logits differ by %g of the largest", fam.name, f.Rotation.names(), d)
			}
		}
		t.Logf("%s: largest relative difference %.1e", fam.name, worst)
	}
}

// A transformation that is wrong in one place does not pass the bound of TestApply: the test can fail.
func TestUntiedPairsWouldChangeTheFunction(t *testing.T) {
	m := open(t, modeltest.Tiny(t))
	want := logits(t, m.Config, m, floatref.Options{})
	a, err := Apply(m.Config, m, draw(m.Config, "qk", 1))
	if err != nil {
		t.Fatal(err)
	}
	for i := range a.kinds {
		if a.kinds[i].Name == "qk" { // channel by channel
			n := a.kinds[i].Length
			a.kinds[i].Uses[1].Index = func(c int) int { return c % n }
			a.kinds[i].Uses[0].Index = func(c int) int { return c % n }
		}
	}
	if d := distance(logits(t, a.Config(), a, floatref.Options{}), want); d < 0.01 {
		t.Errorf("untied rotary pairs change the logits by %g only", d)
	}
}

func TestHadamardMatrices(t *testing.T) {
	for _, c := range []struct{ n, o, j int }{{1, 1, 0}, {64, 1, 6}, {128, 1, 7}, {256, 1, 8}, {1024, 1, 10}, {576, 36, 4}, {1536, 12, 7},
		{384, 12, 5}, {896, 28, 5}, {3072, 12, 8}, {80, 20, 2}, {12, 12, 0}, {4864, 76, 6}} {
		o, j, ok := Order(c.n)
		if !ok || o != c.o || j != c.j {
			t.Errorf("order %d: %d·2^%d %v, want %d·2^%d", c.n, o, j, ok, c.o, c.j)
		}
	}
	for _, n := range []int{0, -4, 3, 6, 4 * 13, 11008, 1 << 30} {
		if _, _, ok := Order(n); ok {
			t.Errorf("order %d was accepted", n)
		}
	}
	for o := 1; o <= maxOrder; o++ {
		h := Matrix(o)
		if got, _, ok := Order(o); ok && got == o != (h != nil) {
			t.Errorf("order %d: Order says %d, Matrix %v", o, got, h != nil)
		}
		for a := range h {
			for b := range h {
				dot := 0
				for c := range h {
					if v := h[a][c]; v != 1 && v != -1 {
						t.Fatalf("H_%d[%d][%d] = %d", o, a, c, v)
					}
					dot += int(h[a][c]) * int(h[b][c])
				}
				if want := map[bool]int{true: o}[a == b]; dot != want {
					t.Fatalf("H_%d: rows %d and %d have product %d, want %d", o, a, b, dot, want)
				}
			}
		}
	}
}

// The known answers of the algorithm reference, computed there in NumPy.
func TestHadamardKnownAnswers(t *testing.T) {
	for _, c := range []struct {
		n    int
		want []float64
	}{{12, []float64{78, 12, 2, 14, 4, -6, -16, -4, 8, 20, 10, 22}}, {36, []float64{662, -20, 2, -8, -66, -12}}} {
		h, ok := newHadamard(c.n)
		if !ok {
			t.Fatal(c.n)
		}
		x := make([]float64, c.n)
		for i := range x {
			x[i] = float64(i + 1)
		}
		h.apply(x, make([]float64, h.o))
		for i, w := range c.want {
			if x[i] != w {
				t.Errorf("H_%d·(1…%d)[%d] = %v, want %v", c.n, c.n, i, x[i], w)
			}
		}
	}
}

// The integer engine has the same matrices, written apart from these.
func TestHadamardOfTheEngine(t *testing.T) {
	for _, n := range []int{64, 384, 576, 896, 1536} {
		h, _ := newHadamard(n)
		x, y := make([]float64, n), make([]int64, n)
		for i := range x {
			y[i] = int64((i*i*131+17*i)%1001 - 500)
			x[i] = float64(y[i])
		}
		h.apply(x, make([]float64, h.o))
		vec.Hadamard(y, h.o)
		for i := range x {
			if x[i] != float64(y[i]) {
				t.Fatalf("order %d: element %d is %v, the engine has %d", n, i, x[i], y[i])
			}
		}
	}
}

// The transform is the product with H_o ⊗ H_{2^j}.
func TestHadamardIsKronecker(t *testing.T) {
	for _, n := range []int{8, 48, 96, 576} {
		h, _ := newHadamard(n)
		x := make([]float64, n)
		for i := range x {
			x[i] = float64((i*i*7+i)%101 - 50)
		}
		want := make([]float64, n)
		for i := range want {
			for k, v := range x {
				s := float64(h.outer[i/h.block][k/h.block])
				for bits := (i % h.block) & (k % h.block); bits > 0; bits &= bits - 1 {
					s = -s
				}
				want[i] += s * v
			}
		}
		h.apply(x, make([]float64, h.o))
		for i := range x {
			if x[i] != want[i] {
				t.Fatalf("order %d: element %d is %v, want %v", n, i, x[i], want[i])
			}
		}
	}
}

func TestFileRoundTrip(t *testing.T) {
	m := open(t, modeltest.TinyOPT(t))
	f := draw(m.Config, "", 3)
	f.Blocks[1].Clip = map[string]Range{"mlp.up_proj": {Lo: make([]float32, m.Config.FFN)}}
	for i := range f.Blocks[1].Clip["mlp.up_proj"].Lo {
		f.Blocks[1].Clip["mlp.up_proj"].Lo[i] = 1 - float32(i)/200
	}
	f.Rotation = Rotation{QueryKey: true, Down: true, Seed: 1<<63 + 5}
	f.Meta = map[string]string{MetaMethod: "fsbr", "note": "ein \"Wort\""}
	f.SetRatios(map[string][]int32{"query": {30000, 32768}})
	path := filepath.Join(t.TempDir(), "f.safetensors")
	if err := f.Write(path); err != nil {
		t.Fatal(err)
	}
	g, err := Read(path)
	if err != nil {
		t.Fatal(err)
	}
	want := f.Rounded()
	if a, b := fmt.Sprint(*g), fmt.Sprint(*want); a != b {
		t.Errorf("read back:\n%.300s\nwant\n%.300s", a, b)
	}
	h1, err1 := f.Hash()
	h2, err2 := g.Hash()
	if h1 != h2 || err1 != nil || err2 != nil || len(h1) != 64 {
		t.Errorf("hashes %s %s %v %v", h1, h2, err1, err2)
	}
	if err := g.Check(m.Config); err != nil {
		t.Error(err)
	}
}

func TestRefusals(t *testing.T) {
	llama, opt, qwen3 := open(t, modeltest.Tiny(t)).Config, open(t, modeltest.TinyOPT(t)).Config, open(t, modeltest.TinyQwen3(t)).Config
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	fill := func(n int, v float32) []float32 {
		s := make([]float32, n)
		for i := range s {
			s[i] = v
		}
		return s
	}
	one := func(b Block) *Factors { return &Factors{Blocks: []Block{{}, b}} }
	for _, c := range []struct {
		name string
		cfg  model.Config
		f    *Factors
		want string
	}{
		{"a negative factor with ReLU", opt, one(Block{UpDown: fill(opt.FFN, -0.5)}), "block 1: up_down: channel 0: expected a finite factor above 0, found -0.5"},
		{"untied pairs", llama, one(Block{QK: fill(llama.KVHeads*llama.HeadDim, 1)}), "must be one"},
		{"untied pairs of head norms", qwen3, one(Block{QK: fill(qwen3.HeadDim, 1)}), "must be one"},
		{"blocks", llama, &Factors{Blocks: make([]Block, 3)}, "expected factors of 2 blocks, found 3"},
		{"length", llama, one(Block{QKV: fill(5, 1)}), "qkv: expected 64 values"},
		{"NaN", llama, one(Block{MLP: append(fill(llama.Hidden-1, 1), nan)}), "mlp: channel 63: expected a finite factor above 0, found NaN"},
		{"Inf", llama, one(Block{GateUp: fill(llama.FFN, inf)}), "found +Inf"},
		{"beyond half", llama, one(Block{GateUp: fill(llama.FFN, 70000)}), "outside half precision"},
		{"below half", llama, one(Block{GateUp: fill(llama.FFN, 1e-9)}), "outside half precision"},
		{"shift of RMSNorm", llama, one(Block{ShiftQKV: fill(llama.Hidden, 0)}), "only a LayerNorm can be shifted"},
		{"act-smooth without gate", opt, one(Block{GateUp: fill(opt.FFN, 1)}), "has no such pair"},
		{"clip above 1", llama, one(Block{Clip: map[string]Range{"mlp.up_proj": {Hi: fill(llama.FFN, 1.5)}}}), "at most 1, found 1.5"},
		{"clip of nothing", llama, one(Block{Clip: map[string]Range{"mlp.fc9": {}}}), "no such linear"},
		{"clip length", llama, one(Block{Clip: map[string]Range{"mlp.up_proj": {Lo: fill(3, 1)}}}), "expected 80 values, found 3"},
		{"ratios", llama, &Factors{Meta: map[string]string{MetaRatios: `{"nowhere":[30000]}`}}, "nowhere"},
		{"ratios of a layer", llama, &Factors{Meta: map[string]string{MetaRatios: `{"query":[30000]}`}}, "expected 2, one a layer, found 1"},
		{"ratios out of range", llama, &Factors{Meta: map[string]string{MetaRatios: `{"query":[40000,1]}`}}, "found 40000"},
	} {
		if c.name == "clip length" || c.name == "length" {
			if llama.Hidden != 64 || llama.FFN != 80 {
				t.Fatalf("the model changed: %+v", llama)
			}
		}
		if err := c.f.Check(c.cfg); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", c.name, err, c.want)
		}
	}
	odd := llama
	odd.FFN = 82
	if err := (&Factors{Rotation: Rotation{Down: true}}).Check(odd); err == nil || !strings.Contains(err.Error(), "no Hadamard matrix of order 82") {
		t.Error(err)
	}
	m := open(t, modeltest.Tiny(t))
	if _, err := Apply(m.Config, m, &Factors{Meta: map[string]string{MetaSource: strings.Repeat("0", 64)}}); err == nil || !strings.Contains(err.Error(), "illm calibrate") {
		t.Errorf("another model's factors: %v", err)
	}
}
