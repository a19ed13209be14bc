package ptq

import (
	"math"
	"math/big"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"github.com/illm-go/illm/pkg/artifact"
	"github.com/illm-go/illm/pkg/model"
)

// exact is round(x·2^k), half away from zero, in rational arithmetic.
func exact(x *big.Rat, k int) *big.Int {
	y := new(big.Rat).Abs(x)
	two := new(big.Rat).SetInt(new(big.Int).Lsh(big.NewInt(1), uint(max(k, -k))))
	if k < 0 {
		two.Inv(two)
	}
	y.Mul(y, two)
	y.Add(y, big.NewRat(1, 2))
	n := new(big.Int).Quo(y.Num(), y.Denom())
	if x.Sign() < 0 {
		n.Neg(n)
	}
	return n
}

func rat(x float64) *big.Rat { return new(big.Rat).SetFloat64(x) }

func TestQuantizeBias(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 5))
	limit := big.NewInt(1 << 23)
	for round := range 200 {
		v := make([]float32, 1+rng.IntN(40))
		for j := range v {
			v[j] = float32(math.Ldexp(rng.NormFloat64(), rng.IntN(60)-40))
		}
		if round%10 == 0 {
			v[0] = float32(math.Ldexp(1-0x1p-24, round-80)) // rounds up to a power of two
		}
		extra := 1.0
		if round%2 == 0 {
			extra = inverseRoot(1 + rng.IntN(128))
		}
		got, k, err := quantizeBias("b", v, len(v), extra)
		if err != nil {
			t.Fatal(err)
		}
		above := false // one k more would not fit
		for j, x := range v {
			y := rat(float64(x) * extra) // the factor is applied in float64
			if want := exact(y, int(k)); big.NewInt(int64(got[j])).Cmp(want) != 0 || new(big.Int).Abs(want).Cmp(limit) >= 0 {
				t.Fatalf("channel %d: %v·%v at k_b %d is %d, want %v below 2^23", j, x, extra, k, got[j], want)
			}
			above = above || new(big.Int).Abs(exact(y, int(k)+1)).Cmp(limit) >= 0
		}
		if !above {
			t.Errorf("k_b %d is not the largest that fits %v", k, v)
		}
	}
	if b, k, err := quantizeBias("b", make([]float32, 3), 3, 1); err != nil || k != 0 || b[2] != 0 {
		t.Errorf("zeros: %v, k_b %d, %v; want zeros, 0", b, k, err)
	}
	if b, k, _ := quantizeBias("b", []float32{0.5, -0.25}, 2, 1); b[0] != 1<<22 || b[1] != -1<<21 || k != 23 {
		t.Errorf("[½, −¼]: %v, k_b %d; want [2^22, −2^21], 23", b, k)
	}
	if b, k, _ := quantizeBias("b", []float32{1e-45}, 1, 1); k != 171 || b[0] != 1<<22 {
		t.Errorf("the least float32, 2^−149: %v, k_b %d; want 2^22, 171", b, k)
	}
	for _, bad := range [][]float32{{float32(math.NaN()), 1}, {1, float32(math.Inf(-1))}, {1}} {
		if _, _, err := quantizeBias("layer.bias", bad, 2, 1); err == nil || !strings.Contains(err.Error(), "layer.bias") {
			t.Errorf("bias %v: error %v, want one that names the tensor", bad, err)
		}
	}
}

func TestLayerConstants(t *testing.T) {
	rng := rand.New(rand.NewPCG(8, 1))
	for round := range 300 {
		n := 1 + rng.IntN(64)
		gamma, beta := make([]float32, n), make([]float32, n)
		up, down := rng.IntN(80)-40, rng.IntN(80)-40
		for c := range gamma {
			gamma[c], beta[c] = float32(math.Ldexp(rng.NormFloat64(), up)), float32(math.Ldexp(rng.NormFloat64(), down))
		}
		if round%8 == 0 {
			clear(gamma)
		}
		if round%7 == 0 {
			clear(beta)
		}
		if round%9 == 0 {
			beta[0] = float32(math.Ldexp(1, down+3)) // exactly a power of two
		}
		g, b, k, err := layerConstants(gamma, beta)
		if err != nil {
			t.Fatal(err)
		}
		var topG, topB float64
		root := math.Sqrt(float64(n))
		for c := range gamma {
			if want := exact(rat(float64(gamma[c])*root), int(k)); int64(g[c]) != want.Int64() {
				t.Fatalf("Γ_%d = %d, want %v", c, g[c], want)
			}
			if want := exact(rat(float64(beta[c])), int(30+k)); want.BitLen() > 59 || b[c] != want.Int64() {
				t.Fatalf("β_%d = %d for %v at k_Γ %d, want %v below 2^59", c, b[c], beta[c], k, want)
			}
			topG, topB = max(topG, math.Abs(float64(g[c]))), max(topB, math.Abs(float64(b[c])))
		}
		if topG > 1<<23 || topB >= 1<<59 {
			t.Errorf("Γ up to %v, β up to %v", topG, topB)
		}
		if k < 62 && topG < 1<<22-1 && topB < 1<<58-1 && (topG > 0 || topB > 0) {
			t.Errorf("k_Γ %d leaves Γ at %v and β at %v: a larger one fits", k, topG, topB)
		}
	}
	for _, bad := range [][2]float32{{float32(math.NaN()), 0}, {1, float32(math.NaN())}, {1, float32(math.Inf(1))}} {
		if _, _, _, err := layerConstants(bad[:1], bad[1:]); err == nil {
			t.Errorf("γ, β = %v passed", bad)
		}
	}
}

// ε·n = 4·10^−6 is (34360, 33) in the known answers; a decimal is taken as such, whatever its length.
func TestHeadEpsilon(t *testing.T) {
	for _, c := range []struct {
		eps  string
		n    int
		m    uint32
		k    int32
		fail bool
	}{{"1e-06", 4, 34360, 33, false}, {"0.000001", 4, 34360, 33, false}, {"1e-5", 128, 42950, 25, false}, {"0", 4, 0, 0, true},
		{"x", 4, 0, 0, true}, {"-1e-6", 4, 0, 0, true}, {"1e-17", 3, 0, 0, true}} {
		s, err := headEpsilon(c.eps, c.n)
		if (err != nil) != c.fail || s.M != c.m || s.K != c.k {
			t.Errorf("ε %s, n %d: (%d, %d), %v; want (%d, %d)", c.eps, c.n, s.M, s.K, err, c.m, c.k)
		}
	}
}

// What the artefact of each family holds, read back as numbers, is what the float model says.
func TestFamilies(t *testing.T) {
	for _, name := range []string{"opt", "qwen3", "llama_bias"} {
		m := fixture(t, name)
		c := m.Config
		path := filepath.Join(t.TempDir(), "m")
		if _, err := Quantize(ctx, m, spec(t, "w8a8"), Calibration{MaxAbs: 30}, path, Options{}); err != nil {
			t.Fatal(err)
		}
		f, err := artifact.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if f.Header.Architecture != c.Architecture {
			t.Errorf("%s: architecture %q, want %q", name, f.Header.Architecture, c.Architecture)
		}
		biased := 0
		for _, j := range jobs(c, spec(t, "w8a8").Recipe) {
			l, err := f.Linear(j.name, j.out, j.in)
			if err != nil {
				t.Fatal(err)
			}
			if l.Bias == nil {
				continue
			}
			biased++
			factor := 1.0
			if strings.HasSuffix(j.name, "q_proj") {
				factor = 1 / math.Sqrt(float64(c.HeadDim))
			}
			want := tensor(t, m, j.name+".bias")
			for k, b := range l.Bias {
				if d := math.Abs(math.Ldexp(float64(b), -int(l.KB)) - float64(want[k])*factor); d > math.Ldexp(0.51, -int(l.KB)) {
					t.Fatalf("%s %s: bias %d is off by %v", name, j.name, k, d)
				}
			}
		}
		if want := map[string]int{"opt": 12, "qwen3": 0, "llama_bias": 14}[name]; biased != want {
			t.Errorf("%s: %d linears have a bias, want %d", name, biased, want)
		}
		if name == "opt" {
			checkOPT(t, m, f)
		}
		for _, part := range []string{"q", "k"} {
			norm := "model.layers.1.self_attn." + part + "_norm"
			h, err := f.HeadNorm(norm)
			if err != nil || (h != nil) != (name == "qwen3") {
				t.Fatalf("%s: %s is %v, %v", name, norm, h, err)
			}
			if h == nil {
				continue
			}
			factor := 1.0 // of the result: Γ holds √d, the query's 1/√d besides
			if part == "q" {
				factor = 1 / math.Sqrt(float64(c.HeadDim))
			}
			for i, v := range tensor(t, m, norm+".weight") {
				got := math.Ldexp(float64(h.Gamma[i]), -int(h.KGamma)) / math.Sqrt(float64(c.HeadDim))
				if math.Abs(got-float64(v)*factor) > 1e-6 {
					t.Errorf("%s: γ_%d is %v, want %v", norm, i, got, float64(v)*factor)
				}
			}
		}
	}
}

func tensor(t *testing.T, m *model.Model, name string) []float32 {
	t.Helper()
	v, err := m.Float32(name, nil)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// checkOPT compares β and the position rows.
func checkOPT(t *testing.T, m *model.Model, f *artifact.File) {
	c := m.Config
	for _, name := range []string{"model.layers.0.input_layernorm", "model.layers.1.post_attention_layernorm", "model.norm"} {
		n, err := f.Norm(name, c.Hidden)
		if err != nil || !n.Layer {
			t.Fatalf("%s: %+v, %v", name, n, err)
		}
		for i, v := range tensor(t, m, name+".bias") {
			if got := math.Ldexp(float64(n.Beta[i]), -int(30+n.KGamma)); math.Abs(got-float64(v)) > 1e-12 {
				t.Errorf("%s: β_%d is %v, want %v", name, i, got, v)
			}
		}
	}
	p, err := f.Linear(artifact.Positions, c.MaxContext, c.Hidden)
	if err != nil {
		t.Fatal(err)
	}
	want := tensor(t, m, artifact.Positions+".weight")
	for j := range c.MaxContext {
		step := math.Ldexp(float64(p.M[j]), -int(p.KW))
		for i := range c.Hidden {
			if got := float64(p.Code(j, i)-int(p.Zero[j])) * step; math.Abs(got-float64(want[j*c.Hidden+i])) > 1.001*step {
				t.Fatalf("position %d, channel %d: %v for %v", j, i, got, want[j*c.Hidden+i])
			}
		}
	}
	if len(f.Phi()) != 0 {
		t.Error("learned positions and phases")
	}
}

// With emb16 the positions are a 16-bit table too, and no 8-bit one is left.
func TestPositions16(t *testing.T) {
	m := fixture(t, "opt")
	path := filepath.Join(t.TempDir(), "m")
	if _, err := Quantize(ctx, m, spec(t, "w8a8emb16"), Calibration{MaxAbs: 30}, path, Options{}); err != nil {
		t.Fatal(err)
	}
	f, err := artifact.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	p, c := f.Positions16(), m.Config
	if p == nil || p.Rows != c.MaxContext {
		t.Fatalf("positions %+v", p)
	}
	if _, err := f.Linear(artifact.Positions, c.MaxContext, c.Hidden); err == nil {
		t.Error("an 8-bit table of positions is there too")
	}
	want := tensor(t, m, artifact.Positions+".weight")
	for i, q := range p.Codes {
		j := i / c.Hidden
		step := math.Ldexp(float64(p.M[j]), -int(p.K[j]))
		if math.Abs(float64(q)*step-float64(want[i])) > 0.51*step {
			t.Fatalf("value %d: %v for %v", i, float64(q)*step, want[i])
		}
	}
}

// A LLaMA artefact without the newer fields has the bytes that format version 1 began with: identities of commit 535cf89.
func TestOldBytes(t *testing.T) {
	for _, c := range []struct{ name, recipe, id string }{
		{"tiny_tied", "w8a8", "729215aa19e71aa1692cec4c98ce46d63623660211ceddd5c76b87681f2fbcee"},
		{"tiny_tied", "w6a6emb16", "b16ed48c9b2254f6244f8becda8940230dae104ae4905771509cdb87cf109215"},
		{"tiny_untied", "w4a4", "a419df85ad2351f86e2c9cfb959f784c00081f1be5afd0d12fb27403f0671b50"},
	} {
		id, err := Quantize(ctx, fixture(t, c.name), spec(t, c.recipe), Calibration{MaxAbs: 700, Hash: strings.Repeat("ab", 32)}, filepath.Join(t.TempDir(), "m"), Options{})
		if err != nil || id != c.id {
			t.Errorf("%s %s: identity %s, %v; want %s", c.name, c.recipe, id, err, c.id)
		}
	}
}
