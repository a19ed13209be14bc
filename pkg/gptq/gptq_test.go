package gptq

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/illm-go/illm/pkg/baseline/fakequant"
	"github.com/illm-go/illm/pkg/floatref"
	"github.com/illm-go/illm/pkg/model"
	"github.com/illm-go/illm/pkg/model/modeltest"
	"github.com/illm-go/illm/pkg/quant"
	"github.com/illm-go/illm/pkg/simd/simdtest"
)

// families are small random models of every form of block.
var families = map[string]func(testing.TB) string{"llama": modeltest.Tiny, "opt": modeltest.TinyOPT, "qwen2": modeltest.TinyQwen2, "qwen3": modeltest.TinyQwen3}

func input(t testing.TB, folder, recipe string, lengths ...int) Input {
	t.Helper()
	m, err := model.Open(folder)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	spec, err := quant.NewSpec(recipe, "15", "illm")
	if err != nil {
		t.Fatal(err)
	}
	in := Input{Config: m.Config, Weights: m, Spec: spec}
	rng := rand.New(rand.NewPCG(1, 2))
	for _, n := range lengths {
		w := make([]int32, min(n, m.Config.MaxContext))
		for i := range w {
			w[i] = int32(rng.IntN(m.Config.Vocab))
		}
		in.Windows = append(in.Windows, w)
	}
	return in
}

// logits computes the head in float64 on residual rows.
func (r *run) logits(t *testing.T) [][]float64 {
	c := &r.in.Config
	rd := &reader{src: r.in.Weights}
	m := rd.norm("model.norm", c.Hidden, c.LayerNorm())
	name := model.Head
	if c.TiedHead {
		name = model.Embedding
	}
	w := rd.get(name, c.Vocab*c.Hidden, c.Hidden)
	if rd.err != nil {
		t.Fatal(rd.err)
	}
	var out [][]float64
	x := make([]float32, c.Hidden)
	for at := 0; at < len(r.h); at += c.Hidden {
		m.apply(x, r.h[at:][:c.Hidden], c.NormEps)
		row := make([]float64, c.Vocab)
		for j := range row {
			for i, v := range x {
				row[j] += float64(v) * float64(w[j*c.Hidden+i])
			}
		}
		out = append(out, row)
	}
	return out
}

// The forward pass without quantisers is that of the float reference, and so are the channel maxima.
func TestForward(t *testing.T) {
	for name, folder := range families {
		t.Run(name, func(t *testing.T) {
			in := input(t, folder(t), "w8a8", 37, 50)
			r, err := measure(t.Context(), in, Options{Threads: 2})
			if err != nil {
				t.Fatal(err)
			}
			stats := new(floatref.Stats)
			ref, err := floatref.NewFrom(in.Config, in.Weights, floatref.Options{Tap: stats})
			if err != nil {
				t.Fatal(err)
			}
			got := r.logits(t)
			for w, ids := range in.Windows {
				err := ref.Logits(t.Context(), ids, func(pos int, logits []float32) error {
					for j, v := range logits {
						if d := math.Abs(float64(v) - got[r.start[w]+pos][j]); !(d <= 1e-4) {
							t.Fatalf("window %d, position %d: logit %d differs by %v", w, pos, j, d)
						}
					}
					return nil
				})
				if err != nil {
					t.Fatal(err)
				}
			}
			for l, m := range r.maxima {
				for site, x := range map[floatref.Site][]float32{floatref.AttnIn: m.AttnIn, floatref.AttnOut: m.AttnOut, floatref.MLPIn: m.MLPIn, floatref.Product: m.Product} {
					want, ok := stats.At(site, l)
					if !ok || len(want.Channel) != len(x) {
						t.Fatalf("block %d, %v: %d channels, want %d", l, site, len(x), len(want.Channel))
					}
					for i, v := range x {
						if d := math.Abs(float64(v - want.Channel[i])); d > 1e-4*(1+float64(v)) {
							t.Errorf("block %d, %v: channel %d has %v, want %v", l, site, i, v, want.Channel[i])
						}
					}
				}
			}
		})
	}
}

// With quantisers it is the float simulation of the same recipe, up to codes that a last bit decides.
func TestQuantizedForward(t *testing.T) {
	for name, folder := range families {
		t.Run(name, func(t *testing.T) {
			in := input(t, folder(t), "w8a8", 60)
			in.Config.TiedHead = false
			in.Weights = untied{in.Weights}
			r, err := newRun(t.Context(), &in, Options{Nearest: true})
			if err != nil {
				t.Fatal(err)
			}
			if err := r.blocks(); err != nil {
				t.Fatal(err)
			}
			got := r.logits(t)
			ref, err := fakequant.NewFrom(in.Config, in.Weights, in.Spec, fakequant.Options{Skip: [floatref.Sites]bool{floatref.HeadIn: true}})
			if err != nil {
				t.Fatal(err)
			}
			exact, err := floatref.NewFrom(in.Config, in.Weights, floatref.Options{})
			if err != nil {
				t.Fatal(err)
			}
			float := make([][]float32, 60)
			_ = exact.Logits(t.Context(), in.Windows[0], func(pos int, x []float32) error {
				float[pos] = append([]float32(nil), x...)
				return nil
			})
			var near, far float64
			err = ref.Logits(t.Context(), in.Windows[0], func(pos int, x []float32) error {
				for j, v := range x {
					near += math.Pow(float64(v)-got[pos][j], 2)
					far += math.Pow(float64(v)-float64(float[pos][j]), 2)
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			if near > 0.2*far {
				t.Errorf("Σ(difference to the simulation)² %v, of the simulation to float %v", near, far)
			}
		})
	}
}

// untied gives the head its own name, so that no quantiser of the embedding touches it.
type untied struct{ floatref.Source }

func (u untied) Float32(name string, dst []float32) ([]float32, error) {
	if name == model.Head {
		if x, err := u.Source.Float32(name, dst); err == nil {
			return x, nil
		}
		name = model.Embedding
	}
	return u.Source.Float32(name, dst)
}

// The digest is one for every number of threads and every instruction set, with every option on.
func TestSameBitsEverywhere(t *testing.T) {
	for name, folder := range families {
		in := input(t, folder(t), "w4a4", 33, 50, 7)
		opt := Options{Clip: ClipLoss, Ratios: true}
		want := ""
		simdtest.Each(t, "ordered", func(t *testing.T) {
			for threads := 1; threads <= 3; threads++ {
				opt.Threads = threads
				r, err := Calibrate(t.Context(), in, opt)
				if err != nil {
					t.Fatal(err)
				}
				if got := r.Digest(); want == "" {
					want = got
				} else if got != want {
					t.Errorf("%s, %d threads: %s, want %s", name, threads, got, want)
				}
			}
		})
	}
}

// Codes rounded to nearest are those of the simulation's weights; Round and Values agree.
func TestNearest(t *testing.T) {
	in := input(t, modeltest.Tiny(t), "w4a4", 20)
	r, err := Calibrate(t.Context(), in, Options{Nearest: true})
	if err != nil {
		t.Fatal(err)
	}
	for name, l := range r.Linears {
		w, err := in.Weights.Float32(name+".weight", nil)
		if err != nil {
			t.Fatal(err)
		}
		codes, err := r.Round(name+".weight", w, l.out, l.in, 4, l.scale, l.zero)
		if err != nil {
			t.Fatal(err)
		}
		values, _ := r.Values(name, nil)
		want := append([]float32(nil), w...)
		for j := range l.out {
			fakequant.Row(want[j*l.in:][:l.in], 4)
			for i := j * l.in; i < (j+1)*l.in; i++ {
				v := float32((float64(codes[i]) - l.zero[j]) * l.scale[j])
				// At a half the simulation divides by another number: both values are equally near.
				a, b := math.Abs(float64(w[i]-v)), math.Abs(float64(w[i]-want[i]))
				if v != values[i] || v != want[i] && math.Abs(a-b) > 1e-6*b {
					t.Fatalf("%s: weight %d is %v and %v, want %v", name, i, v, values[i], want[i])
				}
			}
		}
	}
	var id [4 * 20]byte
	for i, t := range in.Windows[0] {
		id[4*i], id[4*i+1] = byte(t), byte(t>>8)
	}
	if sum := sha256.Sum256(id[:]); r.Hash != hex.EncodeToString(sum[:]) {
		t.Errorf("hash %s of the ids, want %x", r.Hash, sum)
	}
}

// A rotation of q and k alike that nothing quantises leaves the function alone.
func TestOnline(t *testing.T) {
	in := input(t, modeltest.Tiny(t), "w4a4", 40)
	plain, err := measure(t.Context(), in, Options{})
	if err != nil {
		t.Fatal(err)
	}
	in.Online = flip{}
	turned, err := measure(t.Context(), in, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range plain.h {
		if d := math.Abs(float64(v - turned.h[i])); d > 1e-4 {
			t.Fatalf("residual value %d differs by %v", i, d)
		}
	}
}

// flip reverses q and k: orthogonal.
type flip struct{}

func (flip) Tap(b *floatref.Block) {
	if b.Site != floatref.Query && b.Site != floatref.Key {
		return
	}
	for r := range b.Rows {
		x := b.Row(r)
		for i, j := 0, len(x)-1; i < j; i, j = i+1, j-1 {
			x[i], x[j] = -x[j], -x[i]
		}
	}
}

// Gains of the gate undo a scaled gate and up.
func TestAlpha(t *testing.T) {
	in := input(t, modeltest.Tiny(t), "w4a4", 40)
	plain, err := measure(t.Context(), in, Options{})
	if err != nil {
		t.Fatal(err)
	}
	in.Weights = doubled{in.Weights}
	in.Alpha = func(int) []float32 {
		a := make([]float32, in.Config.FFN)
		for i := range a {
			a[i] = 0.5
		}
		return a
	}
	scaled, err := measure(t.Context(), in, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range plain.h {
		if d := math.Abs(float64(v - scaled.h[i])); d > 1e-5 {
			t.Fatalf("residual value %d differs by %v", i, d)
		}
	}
}

type doubled struct{ floatref.Source }

func (d doubled) Float32(name string, dst []float32) ([]float32, error) {
	x, err := d.Source.Float32(name, dst)
	for i := range x {
		switch {
		case strings.HasSuffix(name, "gate_proj.weight"):
			x[i] *= 2
		case strings.HasSuffix(name, "up_proj.weight"):
			x[i] /= 2
		}
	}
	return x, err
}

type poisoned struct{ floatref.Source }

func (p poisoned) Float32(name string, dst []float32) ([]float32, error) {
	x, err := p.Source.Float32(name, dst)
	if err == nil && strings.HasSuffix(name, "1.mlp.up_proj.weight") {
		x[5] = float32(math.NaN())
	}
	return x, err
}

func TestRefusals(t *testing.T) {
	good := input(t, modeltest.Tiny(t), "w4a4", 20)
	fails := func(what string, in Input, opt Options, parts ...string) {
		t.Helper()
		_, err := Calibrate(t.Context(), in, opt)
		if err == nil {
			t.Errorf("%s: no error", what)
			return
		}
		for _, p := range parts {
			if !strings.Contains(err.Error(), p) {
				t.Errorf("%s: %q does not contain %q", what, err, p)
			}
		}
	}
	in := good
	in.Windows = nil
	fails("no windows", in, Options{}, "at least one window")
	in.Windows = [][]int32{{1, 1 << 20}}
	fails("token", in, Options{}, "window 0, token 1", "tokenizer")
	in.Windows = [][]int32{{}}
	fails("empty window", in, Options{}, "window 0")
	in = good
	in.Weights = poisoned{good.Weights}
	fails("NaN", in, Options{}, "model.layers.1.mlp.up_proj.weight", "channel 0, value 5", "NaN")
	in = good
	in.Weights = nil
	fails("no source", in, Options{}, "source")
	fails("threads", good, Options{Threads: -1}, "threads")
	fails("damping", good, Options{Damping: 2}, "damping")
	fails("clip", good, Options{Clip: 7}, "clip mode")
	in = good
	in.Clip = func(string) (lo, hi []float32) { return []float32{1}, []float32{1} }
	fails("ratios", in, Options{}, "clipping ratios")
	in = good
	in.Alpha = func(int) []float32 { return []float32{1} }
	fails("alpha", in, Options{}, "gains")

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Calibrate(ctx, good, Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}

	r, err := Calibrate(t.Context(), good, Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	const name = "model.layers.0.mlp.up_proj"
	l := r.Linears[name]
	w, _ := good.Weights.Float32(name+".weight", nil)
	for _, c := range []struct {
		what string
		edit func(name *string, w []float32, bits *int, scale, zero []float64)
	}{
		{"no linear", func(n *string, _ []float32, _ *int, _, _ []float64) { *n = "lm_head" }},
		{"not the weights", func(_ *string, w []float32, _ *int, _, _ []float64) { w[3]++ }},
		{"bits", func(_ *string, _ []float32, b *int, _, _ []float64) { *b = 8 }},
		{"channel 1", func(_ *string, _ []float32, _ *int, s, _ []float64) { s[1] *= 1.001 }},
		{"channel 2", func(_ *string, _ []float32, _ *int, _, z []float64) { z[2]++ }},
	} {
		n, x, bits := name, append([]float32(nil), w...), 4
		scale, zero := append([]float64(nil), l.scale...), append([]float64(nil), l.zero...)
		c.edit(&n, x, &bits, scale, zero)
		if _, err := r.Round(n, x, l.out, l.in, bits, scale, zero); err == nil {
			t.Errorf("%s: no error", c.what)
		}
	}
}
