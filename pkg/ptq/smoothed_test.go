package ptq_test

import (
	"context"
	"math"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/illm-go/illm/pkg/artifact"
	"github.com/illm-go/illm/pkg/engine"
	"github.com/illm-go/illm/pkg/floatref"
	"github.com/illm-go/illm/pkg/model"
	"github.com/illm-go/illm/pkg/model/modeltest"
	"github.com/illm-go/illm/pkg/ptq"
	"github.com/illm-go/illm/pkg/quant"
	"github.com/illm-go/illm/pkg/smooth"
)

func open(t *testing.T, folder string) *model.Model {
	t.Helper()
	m, err := model.OpenWeights(folder)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

// lm is what both the float model and the engine are.
type lm interface {
	Logits(ctx context.Context, tokens []int32, fn func(pos int, logits []float32) error) error
}

func logits(t *testing.T, m lm, vocab int) [][]float32 {
	t.Helper()
	ids := make([]int32, 60)
	for i := range ids {
		ids[i] = int32((i*i*31 + 7*i + 3) % vocab)
	}
	rows := make([][]float32, len(ids))
	var mu sync.Mutex
	if err := m.Logits(context.Background(), ids, func(pos int, l []float32) error {
		mu.Lock()
		defer mu.Unlock()
		rows[pos] = append([]float32(nil), l...)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return rows
}

// distance is the RMS difference relative to the RMS of b, both without their row means: the engine gives logits up to a
// constant a row.
func distance(a, b [][]float32) float64 {
	mean := func(v []float32) float64 {
		sum := 0.0
		for _, x := range v {
			sum += float64(x)
		}
		return sum / float64(len(v))
	}
	var d, n float64
	for i := range a {
		ma, mb := mean(a[i]), mean(b[i])
		for j := range a[i] {
			x, y := float64(a[i][j])-ma, float64(b[i][j])-mb
			d += (x - y) * (x - y)
			n += y * y
		}
	}
	return math.Sqrt(d / n)
}

// mild returns log-normal factors of every kind of the model, near 1.
func mild(cfg model.Config, seed uint64) []smooth.Block {
	r := rand.New(rand.NewPCG(seed, 1))
	blocks := make([]smooth.Block, cfg.Layers)
	for i := range blocks {
		for _, k := range smooth.Table(cfg) {
			v := make([]float32, k.Length)
			for c := range v {
				if v[c] = float32(math.Exp(0.3 * r.NormFloat64())); k.Shift {
					v[c] = float32(0.1 * r.NormFloat64())
				}
			}
			blocks[i].SetVector(k.Name, v)
		}
	}
	return blocks
}

// The integer engine on a smoothed or rotated artefact still computes the float model: its logits are as near as those
// of the plain artefact, in every family. What the factors leave at run time (Γ, α, biases, Hadamard sites) is therefore
// all in the artefact.
func TestSmoothedArtefact(t *testing.T) {
	for _, fam := range []struct {
		name string
		make func(testing.TB) string
	}{{"llama", modeltest.Tiny}, {"opt", modeltest.TinyOPT}, {"qwen2", modeltest.TinyQwen2}, {"qwen3", modeltest.TinyQwen3}} {
		t.Run(fam.name, func(t *testing.T) {
			m := open(t, fam.make(t))
			ref, err := floatref.New(m, 1)
			if err != nil {
				t.Fatal(err)
			}
			want := logits(t, ref, m.Config.Vocab)
			spec, err := quant.NewSpec("w8a8", "none", "precise")
			if err != nil {
				t.Fatal(err)
			}
			down := m.Config.FFN == 96 // 80 is no order of the engine
			plain := 0.0
			for _, c := range []struct {
				name string
				f    *smooth.Factors
			}{
				{"plain", &smooth.Factors{}},
				{"factors", &smooth.Factors{Blocks: mild(m.Config, 3)}},
				{"rotated", &smooth.Factors{Rotation: smooth.Rotation{Residual: true, ValueOut: true, QueryKey: true, Down: down, Seed: 2}}},
				{"out_proj and factors", &smooth.Factors{Blocks: mild(m.Config, 4), Rotation: smooth.Rotation{Residual: true, OutProj: true}}},
			} {
				a, err := smooth.Apply(m.Config, m, c.f)
				if err != nil {
					t.Fatal(err)
				}
				in, err := ptq.Smoothed(a, strings.Repeat("1", 64))
				if err != nil {
					t.Fatal(err)
				}
				path := filepath.Join(t.TempDir(), "m.illm")
				if _, err := ptq.QuantizeFrom(context.Background(), in, spec, ptq.Calibration{MaxAbs: 40}, path, ptq.Options{Threads: 2}); err != nil {
					t.Fatal(c.name, err)
				}
				f, err := artifact.Open(path)
				if err != nil {
					t.Fatal(err)
				}
				e, err := engine.New(f, engine.Options{Threads: 1})
				if err != nil {
					t.Fatal(err)
				}
				s := &engine.Scored{M: e}
				d := distance(logits(t, s, m.Config.Vocab), want)
				s.Close()
				f.Close()
				t.Logf("%s: relative RMS difference %.4f", c.name, d)
				if c.name == "plain" {
					plain = d
				}
				if !(plain < 0.1) || !(d < 1.6*plain+0.005) {
					t.Errorf("%s: logits are %.4f from the float model, plain ones %.4f", c.name, d, plain)
				}
			}
		})
	}
}

// known returns codes from a rule and remembers what it was asked.
type known struct {
	mu   sync.Mutex
	seen map[string][4]int
	code uint8
}

func (k *known) Round(name string, w []float32, out, in, bits int, scale, zero []float64) ([]uint8, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.seen[name] = [4]int{out, in, bits, len(scale) + len(zero) - out}
	if !strings.Contains(name, "down_proj") {
		return nil, nil
	}
	codes := make([]uint8, out*in)
	for i := range codes {
		codes[i] = k.code
	}
	return codes, nil
}

// A rounder's codes reach the artefact, nil leaves a matrix to nearest; codes beyond the width are refused.
func TestRounder(t *testing.T) {
	m := open(t, modeltest.Tiny(t))
	spec, err := quant.NewSpec("w4a4", "", "")
	if err != nil {
		t.Fatal(err)
	}
	k := &known{seen: map[string][4]int{}, code: 11}
	path := filepath.Join(t.TempDir(), "m.illm")
	in := ptq.Input{Config: m.Config, Weights: m, Hash: "x", Rounder: k}
	if _, err := ptq.QuantizeFrom(context.Background(), in, spec, ptq.Calibration{MaxAbs: 40}, path, ptq.Options{}); err != nil {
		t.Fatal(err)
	}
	f, err := artifact.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	c := m.Config
	if got, want := k.seen["model.layers.1.mlp.down_proj"], [4]int{c.Hidden, c.FFN, 4, c.Hidden}; got != want {
		t.Errorf("asked for %v, want %v", got, want)
	}
	if got, want := len(k.seen), 7*c.Layers; got != want {
		t.Errorf("%d matrices asked for, want %d: %v", got, want, k.seen)
	}
	l, err := f.Linear("model.layers.1.mlp.down_proj", c.Hidden, c.FFN)
	if err != nil {
		t.Fatal(err)
	}
	for i, b := range l.Panel[:256] {
		if b != 0xbb && b != 0x0b && b != 0 { // nibbles of 11, pads of 0
			t.Fatalf("byte %d of the panel is %x", i, b)
		}
	}
	k.code = 16
	if _, err := ptq.QuantizeFrom(context.Background(), in, spec, ptq.Calibration{MaxAbs: 40}, path, ptq.Options{}); err == nil || !strings.Contains(err.Error(), "expected at most 15") {
		t.Errorf("a code beyond 4 bits: %v", err)
	}
}

// Clipped grids: step and zero of every channel as the formula has them, recomputed here from the weights.
func TestClip(t *testing.T) {
	m := open(t, modeltest.Tiny(t))
	c := m.Config
	lo, hi := make([]float32, c.FFN), make([]float32, c.FFN)
	for j := range lo {
		lo[j], hi[j] = 1-float32(j)/256, 0.5+float32(j)/256
	}
	f := &smooth.Factors{Blocks: make([]smooth.Block, c.Layers), Meta: map[string]string{smooth.MetaMethod: "fsbr"}}
	f.Blocks[1].Clip = map[string]smooth.Range{"mlp.up_proj": {Lo: lo, Hi: hi}}
	f.SetRatios(map[string][]int32{"query": {30000, 1 << 15}})
	a, err := smooth.Apply(c, m, f)
	if err != nil {
		t.Fatal(err)
	}
	in, err := ptq.Smoothed(a, strings.Repeat("2", 64))
	if err != nil {
		t.Fatal(err)
	}
	spec, _ := quant.NewSpec("w4a4", "", "")
	path := filepath.Join(t.TempDir(), "m.illm")
	if _, err := ptq.QuantizeFrom(context.Background(), in, spec, ptq.Calibration{MaxAbs: 40}, path, ptq.Options{}); err != nil {
		t.Fatal(err)
	}
	art, err := artifact.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer art.Close()
	h := art.Header
	hash, err := f.Hash()
	if err != nil || h.Method != "fsbr" || h.Factors != hash || h.RangeRatios["query"][0] != 30000 {
		t.Errorf("header: method %q, factors %q (want %s), ratios %v, %v", h.Method, h.Factors, hash, h.RangeRatios, err)
	}
	l, err := art.Linear("model.layers.1.mlp.up_proj", c.FFN, c.Hidden)
	if err != nil {
		t.Fatal(err)
	}
	w, err := m.Float32("model.layers.1.mlp.up_proj.weight", nil)
	if err != nil {
		t.Fatal(err)
	}
	for j := range c.FFN {
		var least, most float64
		for _, v := range w[j*c.Hidden:][:c.Hidden] {
			least, most = math.Min(least, float64(v)), math.Max(most, float64(v))
		}
		step := (float64(hi[j])*most - float64(lo[j])*least) / 15
		if got := math.Ldexp(float64(l.M[j]), -int(l.KW)); math.Abs(got-step) > step*1e-6 {
			t.Fatalf("channel %d: step %v, want %v", j, got, step)
		}
		if want := math.Round(-float64(lo[j]) * least / step); float64(l.Zero[j]) != want {
			t.Fatalf("channel %d: zero %d, want %v", j, l.Zero[j], want)
		}
	}
}

// The gains of the gate in the artefact are 1/s within half a unit of their common scale, the largest just below 2^20.
func TestGateGains(t *testing.T) {
	m := open(t, modeltest.Tiny(t))
	f := &smooth.Factors{Blocks: mild(m.Config, 8)}
	a, err := smooth.Apply(m.Config, m, f)
	if err != nil {
		t.Fatal(err)
	}
	in, err := ptq.Smoothed(a, strings.Repeat("3", 64))
	if err != nil {
		t.Fatal(err)
	}
	spec, _ := quant.NewSpec("w8a8", "", "")
	path := filepath.Join(t.TempDir(), "m.illm")
	if _, err := ptq.QuantizeFrom(context.Background(), in, spec, ptq.Calibration{MaxAbs: 40}, path, ptq.Options{}); err != nil {
		t.Fatal(err)
	}
	art, err := artifact.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer art.Close()
	g, err := art.GLU("model.layers.1.mlp", m.Config.FFN)
	if err != nil || g.Alpha == nil {
		t.Fatal(g, err)
	}
	top := int32(0)
	for j, s := range a.Factors().Blocks[1].GateUp {
		if want := math.Ldexp(1/float64(s), int(g.KAlpha)); math.Abs(float64(g.Alpha[j])-want) > 0.5+0x1p-4 {
			t.Errorf("channel %d: α %d, want %v", j, g.Alpha[j], want)
		}
		top = max(top, g.Alpha[j])
	}
	if top < 1<<19 || top >= 1<<20 {
		t.Errorf("largest α %d, want 2^19 … 2^20 − 1", top)
	}
}
