package fakequant_test

import (
	"context"
	"math"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/illm-go/illm/pkg/baseline/fakequant"
	"github.com/illm-go/illm/pkg/floatref"
	"github.com/illm-go/illm/pkg/model"
	"github.com/illm-go/illm/pkg/quant"
	"github.com/illm-go/illm/pkg/smooth"
)

func rows(t *testing.T, m *floatref.Model) (out []float64) {
	t.Helper()
	ids := make([]int32, 90)
	for i := range ids {
		ids[i] = int32((i*i*31 + 7*i + 3) % m.Vocab())
	}
	out = make([]float64, len(ids)*m.Vocab())
	var mu sync.Mutex
	if err := m.Logits(context.Background(), ids, func(pos int, l []float32) error {
		mu.Lock()
		defer mu.Unlock()
		for i, v := range l {
			out[pos*len(l)+i] = float64(v)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return out
}

func distance(a, b []float64) float64 {
	var d, n float64
	for i := range a {
		d += (a[i] - b[i]) * (a[i] - b[i])
		n += b[i] * b[i]
	}
	return math.Sqrt(d / n)
}

// options of the simulation of a smoothed model.
func options(a *smooth.Applied) fakequant.Options {
	return fakequant.Options{Threads: 1, Before: a.Tap(), Alpha: a.Alpha, Clip: func(name string) (lo, hi []float32) {
		r := a.Clip(name)
		return r.Lo, r.Hi
	}}
}

// With nothing quantised a smoothed and rotated model is the float model; at 8 bits it is near; a range of half the rows'
// own and clipped weights are further off, which they would not be if the settings were lost.
func TestSmoothedSimulation(t *testing.T) {
	for _, name := range []string{"qwen2", "opt", "qwen3"} {
		m, err := model.OpenWeights(filepath.Join("..", "..", "floatref", "testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		ref, err := floatref.New(m, 1)
		if err != nil {
			t.Fatal(err)
		}
		want := rows(t, ref)
		r := rand.New(rand.NewPCG(3, 3))
		f := &smooth.Factors{Blocks: make([]smooth.Block, m.Config.Layers), Rotation: smooth.Rotation{Residual: true, ValueOut: true, QueryKey: true, Down: m.Config.FFN == 96}}
		for i := range f.Blocks {
			for _, k := range smooth.Table(m.Config) {
				v := make([]float32, k.Length)
				for c := range v {
					if v[c] = float32(math.Exp(0.3 * r.NormFloat64())); k.Shift {
						v[c] = float32(0.1 * r.NormFloat64())
					}
				}
				f.Blocks[i].SetVector(k.Name, v)
			}
			clip := make([]float32, m.Config.FFN)
			for j := range clip {
				clip[j] = 0.5
			}
			f.Blocks[i].Clip = map[string]smooth.Range{"mlp.up_proj": {Lo: clip, Hi: clip}}
		}
		a, err := smooth.Apply(m.Config, m, f)
		if err != nil {
			t.Fatal(err)
		}
		run := func(opt fakequant.Options) float64 {
			t.Helper()
			s, err := quant.NewSpec("w8a8", "none", "")
			if err != nil {
				t.Fatal(err)
			}
			lm, err := fakequant.NewFrom(a.Config(), a, s, opt)
			if err != nil {
				t.Fatal(err)
			}
			return distance(rows(t, lm), want)
		}
		opt := options(a)
		none := opt
		none.FloatWeights, none.FloatHead = true, true
		for i := range none.Skip {
			none.Skip[i] = true
		}
		free := opt
		free.Clip = nil
		ratio := free
		ratio.Ratio = func(floatref.Site, int) float64 { return 0.5 }
		dNone, dFree, dClip, dRatio := run(none), run(free), run(opt), run(ratio)
		t.Logf("%s: relative RMS difference, nothing quantised %.1e, w8a8 %.3f, clipped weights %.3f, half ranges %.3f", name, dNone, dFree, dClip, dRatio)
		if dNone > 1e-5 || dFree > 0.15 || dClip < 1.5*dFree || dRatio < 2*dFree {
			t.Errorf("%s: out of order", name)
		}
	}
}

// lowest is a rounder that takes code 3 everywhere in up_proj.
type lowest struct{ wrong bool }

func (l lowest) Round(name string, w []float32, out, in, bits int, scale, zero []float64) ([]uint8, error) {
	if !strings.HasSuffix(name, "mlp.up_proj") {
		return nil, nil
	}
	c := make([]uint8, out*in)
	for i := range c {
		c[i] = 3
	}
	if l.wrong {
		c = c[1:]
	}
	return c, nil
}

func TestRounder(t *testing.T) {
	m, err := model.OpenWeights(filepath.Join("..", "..", "floatref", "testdata", "qwen2"))
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	s, _ := quant.NewSpec("w8a8", "none", "")
	near, err := fakequant.New(m, s, fakequant.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	far, err := fakequant.New(m, s, fakequant.Options{Threads: 1, Rounder: lowest{}})
	if err != nil {
		t.Fatal(err)
	}
	if d := distance(rows(t, far), rows(t, near)); d < 0.1 {
		t.Errorf("codes of the rounder change the logits by %v only", d)
	}
	if _, err := fakequant.New(m, s, fakequant.Options{Rounder: lowest{wrong: true}}); err == nil || !strings.Contains(err.Error(), "rounding: expected") {
		t.Errorf("too few codes: %v", err)
	}
}

// Part is the grid over part of the range: recomputed value by value.
func TestPart(t *testing.T) {
	x := []float32{-3, -1.1, 0, 0.2, 1.7, 4, 8}
	y := append([]float32(nil), x...)
	fakequant.Part(y, 4, 0.75)
	lo, hi := -2.25, 6.0
	s := (hi - lo) / 15
	z := math.Round(-lo / s)
	for i, v := range x {
		code := math.Min(15, math.Max(0, z+math.Round(float64(v)/s)))
		if want := (code - z) * s; math.Abs(float64(y[i])-want) > 1e-6 {
			t.Errorf("%v became %v, want %v", v, y[i], want)
		}
	}
}
