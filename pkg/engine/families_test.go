package engine_test

import (
	"math"
	"strings"
	"testing"

	"github.com/illm-go/illm/pkg/artifact"
	"github.com/illm-go/illm/pkg/di"
	"github.com/illm-go/illm/pkg/engine"
	"github.com/illm-go/illm/pkg/floatref"
	"github.com/illm-go/illm/pkg/model"
	"github.com/illm-go/illm/pkg/quant"
)

// changed is a model with one of its tensors, or several, made wrong.
type changed struct {
	floatref.Source
	edit func(name string, v []float32)
}

func (c changed) Float32(name string, dst []float32) ([]float32, error) {
	v, err := c.Source.Float32(name, dst)
	if err == nil {
		c.edit(name, v)
	}
	return v, err
}

func floatLogits(t testing.TB, c model.Config, src floatref.Source, ids []int32) [][]float32 {
	t.Helper()
	ref, err := floatref.NewFrom(c, src, floatref.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	out := make([][]float32, len(ids))
	if err := ref.Logits(ctx, ids, func(i int, l []float32) error {
		out[i] = append([]float32(nil), l...)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return out
}

// distance returns the relative error of the integer logits and the mean KL divergence of their distribution from the
// float one, in nats.
func distance(got []engine.Logits, want [][]float32) (rel, kl float64) {
	var num, den float64
	for i, l := range got {
		scale := math.Ldexp(float64(l.M), -int(l.K))
		x := make([]float64, len(l.T))
		w := make([]float64, len(l.T))
		for j, v := range l.T {
			x[j], w[j] = float64(v)*scale, float64(want[i][j])
			num, den = num+(x[j]-w[j])*(x[j]-w[j]), den+w[j]*w[j]
		}
		lx, lw := logSum(x), logSum(w)
		for j := range x {
			kl += math.Exp(w[j]-lw) * ((w[j] - lw) - (x[j] - lx))
		}
	}
	return math.Sqrt(num / den), kl / float64(len(got))
}

func logSum(v []float64) float64 {
	top, sum := v[0], 0.0
	for _, x := range v {
		top = max(top, x)
	}
	for _, x := range v {
		sum += math.Exp(x - top)
	}
	return top + math.Log(sum)
}

// At 8 bits every family stays near its float model, whose logits are those of transformers (pkg/floatref/testdata).
// Each fault is a mistake that a conversion can make, put into the float model instead: the same integer logits must then
// be outside the bound by half of it, else the bound shows nothing.
func TestFamiliesNearFloat(t *testing.T) {
	scale := func(part string, f float64) func(string, []float32) {
		return func(name string, v []float32) {
			if strings.Contains(name, part) {
				for i := range v {
					v[i] *= float32(f)
				}
			}
		}
	}
	drop := func(part string) func(string, []float32) { return scale(part, 0) }
	for _, c := range []struct {
		name   string
		bound  float64 // relative error of the logits at w8a8
		faults map[string]func(name string, v []float32)
	}{
		{"llama_bias", 0.055, map[string]func(string, []float32){
			"q bias": drop("q_proj.bias"), "k bias": drop("k_proj.bias"), "v bias": drop("v_proj.bias"), "o bias": drop("o_proj.bias"),
			"gate bias": drop("gate_proj.bias"), "up bias": drop("up_proj.bias"), "down bias": drop("down_proj.bias"),
			"q bias without 1/√d": scale("q_proj.bias", 4)}},
		{"mistral", 0.07, nil},
		{"qwen2", 0.06, map[string]func(string, []float32){
			"q bias": drop("q_proj.bias"), "k bias": drop("k_proj.bias"), "v bias": drop("v_proj.bias"), "q bias without 1/√d": scale("q_proj.bias", 4)}},
		{"qwen3", 0.07, map[string]func(string, []float32){
			"q norm": drop("q_norm"), "1/√d twice": scale("q_norm", 0.25), "no 1/√d": scale("q_norm", 4),
			"k norm's Γ": func(name string, v []float32) {
				if strings.Contains(name, "k_norm") {
					for i := range v {
						v[i] = 1
					}
				}
			}}},
		{"opt", 0.025, map[string]func(string, []float32){
			"q bias": drop("q_proj.bias"), "v bias": drop("v_proj.bias"), "o bias": drop("o_proj.bias"), "up bias": drop("up_proj.bias"),
			"down bias": drop("down_proj.bias"), "β before attention": drop("input_layernorm.bias"),
			"β before MLP": drop("post_attention_layernorm.bias"), "β of the final norm": drop("model.norm.bias"),
			"1/√d twice": scale("q_proj", 0.25), "q bias without 1/√d": scale("q_proj.bias", 4), "positions": drop("embed_positions"),
			"positions off by one": func(name string, v []float32) {
				if strings.Contains(name, "embed_positions") {
					copy(v, v[64:])
				}
			}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := fixture(t, c.name)
			ids := tokens(m, 64)
			want := floatLogits(t, m.Config, m, ids)
			var base []engine.Logits
			for _, r := range []struct {
				recipe, mode string
				rel, kl      float64
			}{{"w8a8", "precise", c.bound, 0.003}, {"w8a8", "illm", c.bound, 0.003}, {"w8a8emb16", "illm", c.bound, 0.003}, {"w6a6", "illm", 3 * c.bound, 0.03}} {
				got := rows(t, build(t, m, r.recipe, "15", r.mode, 2), ids, 64)
				rel, kl := distance(got, want)
				t.Logf("%s %s: relative error %.4f, KL %.5f", r.recipe, r.mode, rel, kl)
				if !(rel < r.rel && kl < r.kl) {
					t.Errorf("%s %s: relative error %.4f, KL %.5f; want < %v and < %v", r.recipe, r.mode, rel, kl, r.rel, r.kl)
				}
				if base == nil {
					base = got
				}
			}
			for what, edit := range c.faults {
				rel, kl := distance(base, floatLogits(t, m.Config, changed{m, edit}, ids))
				t.Logf("against a model with this fault, %s: relative error %.4f, KL %.5f", what, rel, kl)
				if rel < 1.5*c.bound {
					t.Errorf("%s: relative error %.4f, not clearly above the bound %v: the test would not see it", what, rel, c.bound)
				}
			}
		})
	}
}

// A session of learned positions ends with their table, and its last row is reached.
func TestPositionsEnd(t *testing.T) {
	m := fixture(t, "opt")
	e := build(t, m, "w8a8", "15", "illm", 1)
	if e.MaxContext() != m.Config.MaxContext {
		t.Fatalf("context %d, want %d", e.MaxContext(), m.Config.MaxContext)
	}
	if _, err := e.NewSession(e.MaxContext() + 1); err == nil || !strings.Contains(err.Error(), "expected 1 to 200") {
		t.Errorf("session beyond the positions: error %v", err)
	}
	ids := tokens(m, e.MaxContext())
	want := floatLogits(t, m.Config, m, ids)
	got := rows(t, e, ids, 150, 50)
	if rel, kl := distance(got[190:], want[190:]); !(rel < 0.03 && kl < 0.003) {
		t.Errorf("last 10 positions: relative error %.4f, KL %.5f", rel, kl)
	}
	s, err := e.NewSession(0)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Append(ctx, append(ids, 1)); err == nil || !strings.Contains(err.Error(), "holds 200") {
		t.Errorf("one token more than positions: error %v", err)
	}
}

// WeightBytes counts every integer of the artefact that a forward pass reads: all sections but tokenizer and phases. At 8
// bits nothing is made at load.
func TestWeightBytes(t *testing.T) {
	for _, name := range []string{"tiny_tied", "tiny_untied", "llama_bias", "qwen3", "opt"} {
		for _, recipe := range []string{"w8a8", "w8a8emb16"} {
			e := build(t, fixture(t, name), recipe, "15", "illm", 1)
			h := &e.Artifact().Header
			var want int64
			for _, l := range h.Linears {
				want += l.Panel.Bytes + l.Zero.Bytes + l.M.Bytes + l.SumW.Bytes + l.Bias.Bytes
			}
			for _, n := range h.Norms {
				want += n.Gamma.Bytes + n.Beta.Bytes
			}
			for _, n := range h.HeadNorms {
				want += n.Gamma.Bytes
			}
			for _, x := range []*artifact.Table16{h.Embed16, h.Positions16} {
				if x != nil {
					want += x.Codes.Bytes + x.M.Bytes + x.K.Bytes
				}
			}
			if got := e.WeightBytes(); got != want {
				t.Errorf("%s %s: %d bytes, the artefact's sections hold %d", name, recipe, got, want)
			}
		}
	}
}

// ops replaces the ReLU of another operator set.
type ops struct {
	di.Operators
	relu reluFunc
}

type reluFunc func(dst []uint8, t []int64, lo, hi int64, m uint32, k int32, bits int) quant.RowParams

func (o ops) NewWorker(n int) di.Worker { return reluWorker{o.Operators.NewWorker(n), o.relu} }

type reluWorker struct {
	di.Worker
	relu reluFunc
}

func (w reluWorker) ReLU(dst []uint8, t []int64, lo, hi int64, m uint32, k int32, _ di.Product, bits int) quant.RowParams {
	return w.relu(dst, t, lo, hi, m, k, bits)
}

// ReLU reaches the engine through the operator set, and its place counts: without it the logits are wrong, behind the
// requantisation it costs accuracy, since half of the codes stand for values that are cut.
func TestReLUPlace(t *testing.T) {
	m := fixture(t, "opt")
	ids := tokens(m, 64)
	want := floatLogits(t, m.Config, m, ids)
	e := build(t, m, "w8a8", "15", "precise", 1)
	spec := e.Spec()
	spec.Recipe.Act = 4
	none := func(dst []uint8, t []int64, lo, hi int64, m uint32, k int32, bits int) quant.RowParams {
		return di.Requant(dst, t, lo, hi, m, k, bits, spec.MantissaBits)
	}
	after := func(dst []uint8, t []int64, lo, hi int64, m uint32, k int32, bits int) quant.RowParams {
		p := none(dst, t, lo, hi, m, k, bits)
		p.Sum = 0
		for j := range t {
			dst[j] = max(dst[j], uint8(p.Zero))
			p.Sum += int32(dst[j])
		}
		return p
	}
	run := func(relu reluFunc) float64 {
		o := di.Integer(spec)
		if relu != nil {
			o = ops{o, relu}
		}
		x, err := engine.New(e.Artifact(), engine.Options{Spec: &spec, Operators: o, Threads: 1})
		if err != nil {
			t.Fatal(err)
		}
		rel, _ := distance(rows(t, x, ids, 64), want)
		return rel
	}
	right, late, missing := run(nil), run(after), run(none)
	t.Logf("activations of 4 bits, relative error: before %.4f, after %.4f, without %.4f", right, late, missing)
	if !(late > 1.03*right && missing > 2*right) {
		t.Errorf("relative error %.4f with ReLU before, %.4f with it after the requantisation, %.4f without", right, late, missing)
	}
}
