package engine_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/illm-go/illm/pkg/artifact"
	"github.com/illm-go/illm/pkg/engine"
	"github.com/illm-go/illm/pkg/floatref"
	"github.com/illm-go/illm/pkg/quant"
	"github.com/illm-go/illm/pkg/simd/cpu"
)

var allRotations = artifact.Rotations{QK: true, Out: true, Down: true}

// The engine gives the bits of the plain forward pass, for every rotation alone and together with ratios and α.
func TestSitesAgainstPlain(t *testing.T) {
	for _, c := range []struct {
		shape, recipe, mode string
		rotations           artifact.Rotations
		ratios, alpha       bool
	}{
		{"64", "w8a8", "illm", artifact.Rotations{}, false, false},
		{"64", "w8a8", "illm", artifact.Rotations{QK: true}, false, false},
		{"64", "w4a4", "illm", artifact.Rotations{Out: true}, false, false},
		{"64", "w6a6", "illm", artifact.Rotations{Down: true}, true, false},
		{"64", "w8a8", "precise", artifact.Rotations{}, true, true},
		{"64", "w4a4kv8", "precise", allRotations, true, true},
		{"36", "w4a4", "illm", allRotations, true, false},
		{"36", "w8a8", "precise", allRotations, false, true},
		{"28", "w4a8", "illm", allRotations, true, true},
	} {
		name := fmt.Sprintf("%s %s %s %v ratios=%v alpha=%v", c.shape, c.recipe, c.mode, c.rotations, c.ratios, c.alpha)
		t.Run(name, func(t *testing.T) {
			d := shaped(c.shape)
			var alpha [][]int32
			if c.alpha {
				_, alpha = d.alphas()
			}
			a := d.artefact(t, c.recipe, c.mode, alpha, func(h *artifact.Header) {
				h.Rotations = c.rotations
				if c.ratios {
					ratios(t, h)
				}
			})
			ids := d.ids(24)
			want := newPlain(t, a, len(ids)).logits(ids)
			for i, l := range rows(t, load(t, a, 2), ids, 24) {
				if l.M != want[i].M || l.K != want[i].K || !slices.Equal(l.T, want[i].T) {
					t.Fatalf("token %d: scale %d/2^%d, logits %v …, plain %d/2^%d, %v …", i, l.M, l.K, l.T[:4], want[i].M, want[i].K, want[i].T[:4])
				}
			}
		})
	}
}

// With rotations, ratios and α one prompt gives one hash over splits, threads and instruction sets, decoding allocates
// nothing, and ratios of 1 are none.
func TestSitesSameBits(t *testing.T) {
	for _, shape := range []string{"64", "36", "28", "opt"} {
		for _, recipe := range []string{"w8a8", "w4a4kv8"} {
			t.Run(shape+" "+recipe, func(t *testing.T) { sitesSameBits(t, shaped(shape), recipe) })
		}
	}
}

func sitesSameBits(t *testing.T, d drawn, recipe string) {
	var alpha [][]int32
	rotations := allRotations
	if d.Gated() {
		_, alpha = d.alphas()
	} else {
		rotations.QK = false
	}
	ids := d.ids(75)
	a := d.artefact(t, recipe, "illm", alpha, func(h *artifact.Header) { h.Rotations = rotations; ratios(t, h) })
	one, three := load(t, a, 1), load(t, a, 3)
	want := hash(t, rows(t, one, ids, 75))
	for _, pieces := range [][]int{{1}, {2, 3, 17, 9}, {41, 34}, {5, 16}} {
		for _, e := range []*engine.Model{one, three} {
			if got := hash(t, rows(t, e, ids, pieces...)); got != want {
				t.Errorf("pieces %v: hash %s, want %s", pieces, got[:12], want[:12])
			}
		}
	}
	limit := cpu.Limit()
	defer cpu.SetLimit(limit)
	for _, set := range []cpu.Set{cpu.Generic, cpu.AVX2, cpu.AVX512, cpu.AVX512VNNI} {
		cpu.SetLimit(set)
		if got := hash(t, rows(t, three, ids, 32, 1)); got != want {
			t.Errorf("instruction set %v: hash %s, want %s", set, got[:12], want[:12])
		}
	}
	cpu.SetLimit(limit)
	s, err := one.NewSession(128)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	step := func() {
		if s.Len() == 128 {
			s.Reset()
		}
		if _, err := s.AppendLast(ctx, ids[:1]); err != nil {
			t.Fatal(err)
		}
	}
	for range 130 {
		step()
	}
	if n := testing.AllocsPerRun(32, step); n > 0 {
		t.Errorf("%v allocations a token, want 0", n)
	}

	plain := d.artefact(t, recipe, "illm", alpha, func(h *artifact.Header) { h.Rotations = rotations })
	unit := d.artefact(t, recipe, "illm", alpha, func(h *artifact.Header) {
		h.Rotations = rotations
		for _, site := range h.Sites() {
			for layer := range h.Layers {
				if err := h.SetRangeRatio(site, layer, artifact.RatioOne); err != nil {
					t.Fatal(err)
				}
			}
		}
	})
	none, ones := hash(t, rows(t, load(t, plain, 2), ids, 75)), hash(t, rows(t, load(t, unit, 2), ids, 75))
	if none != ones || none == want {
		t.Errorf("hash %s without ratios, %s with ratios of 1, %s with ratios below 1", none[:12], ones[:12], want[:12])
	}
}

// Rotated integer models stay as near the float model as the unrotated one; weights without their counterpart, or with Hᵀ
// in place of H, do not.
func TestRotationsNearFloat(t *testing.T) {
	for _, shape := range []string{"64", "36", "28", "opt"} {
		t.Run(shape, func(t *testing.T) {
			d := shaped(shape)
			all := allRotations
			all.QK = d.Gated()
			ids := d.ids(64)
			want := floatLogits(t, d.Config, d, ids)
			run := func(weights, online artifact.Rotations, recipe string, transposed bool) (rel, kl float64) {
				a := d.rotated(weights, transposed).artefact(t, recipe, "precise", nil, func(h *artifact.Header) { h.Rotations = online })
				return distance(rows(t, load(t, a, 2), ids, 64), want)
			}
			for _, recipe := range []string{"w8a8", "w6a6"} {
				rel0, kl0 := run(artifact.Rotations{}, artifact.Rotations{}, recipe, false)
				rel, kl := run(all, all, recipe, false)
				t.Logf("%s: relative error %.4f, KL %.5f; rotated %.4f, %.5f", recipe, rel0, kl0, rel, kl)
				bound := map[string]float64{"w8a8": 0.003, "w6a6": 0.03}[recipe]
				if !(kl0 < bound && kl < bound && rel < 1.25*rel0) {
					t.Errorf("%s: relative error %.4f, KL %.5f; rotated %.4f, %.5f; want KL < %v", recipe, rel0, kl0, rel, kl, bound)
				}
			}
			base, _ := run(all, all, "w8a8", false)
			for what, online := range map[string]artifact.Rotations{"no rotation of the merged heads": {QK: all.QK, Down: true}, "no rotation of the product": {QK: all.QK, Out: true}} {
				if rel, _ := run(all, online, "w8a8", false); rel < 3*base {
					t.Errorf("%s: relative error %.4f beside %.4f: the test would not see it", what, rel, base)
				}
			}
			if rel, _ := run(all, all, "w8a8", true); d.FFN%9 != 0 && d.FFN%7 != 0 && rel < 3*base { // the product has H_12
				t.Errorf("W·H for W·Hᵀ: relative error %.4f beside %.4f: the test would not see it", rel, base)
			}
		})
	}
}

// α of act-smooth: gate weights times s, up weights over s, σ(α·g) with α = 1/s, is the unsmoothed float model; floatref's
// own α is the same function. A model whose α was forgotten is far off.
func TestAlphaNearFloat(t *testing.T) {
	d := shaped("64")
	s, alpha := d.alphas()
	ids := d.ids(64)
	want := floatLogits(t, d.Config, d, ids)
	smooth := d
	smooth.edit = func(name string, w []float32, in int) {
		var layer int
		if _, err := fmt.Sscanf(name, "model.layers.%d.", &layer); err != nil {
			return
		}
		for i := range w {
			switch {
			case strings.HasSuffix(name, "gate_proj.weight"):
				w[i] = float32(float64(w[i]) * s[layer][i/in])
			case strings.HasSuffix(name, "up_proj.weight"):
				w[i] = float32(float64(w[i]) / s[layer][i/in])
			}
		}
	}
	ref, err := floatref.NewFrom(d.Config, smooth, floatref.Options{Threads: 1, Alpha: func(layer int) []float32 {
		a := make([]float32, d.FFN)
		for c := range a {
			a[c] = float32(1 / s[layer][c])
		}
		return a
	}})
	if err != nil {
		t.Fatal(err)
	}
	if err := ref.Logits(ctx, ids, func(i int, l []float32) error {
		for j, v := range l {
			if e := math.Abs(float64(v - want[i][j])); e > 1e-3 {
				return fmt.Errorf("float model with α: logit %d of token %d off by %g", j, i, e)
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		mode    string
		rel, kl float64 // random factors waste codes of 8-bit operands, and DI-Exp's σ is off by up to 0.0148
	}{{"illm", 0.12, 0.005}, {"precise", 0.05, 0.001}} {
		mode := c.mode
		with, without := smooth.artefact(t, "w8a8", mode, alpha, nil), smooth.artefact(t, "w8a8", mode, nil, nil)
		limit := cpu.Limit()
		defer cpu.SetLimit(limit)
		first := ""
		for _, set := range []cpu.Set{cpu.Generic, cpu.AVX2, cpu.AVX512, cpu.AVX512VNNI} {
			cpu.SetLimit(set)
			got := rows(t, load(t, with, 2), ids, 64)
			sum := hash(t, got)
			if first == "" {
				first = sum
			}
			rel, kl := distance(got, want)
			if !(rel < c.rel && kl < c.kl) || sum != first {
				t.Errorf("%s, %v: relative error %.4f, KL %.5f, hash %s, generic %s", mode, set, rel, kl, sum[:12], first[:12])
			}
			t.Logf("%s, %v: relative error %.4f, KL %.5f", mode, set, rel, kl)
		}
		cpu.SetLimit(limit)
		rel, _ := distance(rows(t, load(t, without, 2), ids, 64), want)
		if t.Logf("%s without α: relative error %.4f", mode, rel); rel < 1.5*c.rel {
			t.Errorf("%s without α: relative error %.4f: the test would not see it", mode, rel)
		}
	}
}

// A rotation whose sums fit the artefact's own operands and not those of another Spec is refused at load.
func TestRotationBound(t *testing.T) {
	d := shaped("64")
	d.Layers, d.Hidden, d.Heads, d.KVHeads, d.HeadDim, d.FFN = 1, 8, 1, 1, 8, 16384
	a := d.artefact(t, "w8a8", "illm", nil, func(h *artifact.Header) { h.Rotations.Down = true })
	load(t, a, 1)
	spec := a.Header.Spec
	spec.Mode = quant.Precise
	if _, err := engine.New(a, engine.Options{Spec: &spec}); err == nil || !strings.Contains(err.Error(), "rotation down") || !strings.Contains(err.Error(), "at most 8192") {
		t.Errorf("product of 16384 channels with operands of 16 bits: error %v", err)
	}
}
