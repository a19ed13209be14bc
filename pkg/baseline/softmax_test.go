package baseline

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/illm-go/illm/pkg/di"
	"github.com/illm-go/illm/pkg/quant"
)

// scores draws a row of scores with the deviation given, in natural units, and its scale.
func scores(rng *rand.Rand, n int, std float64) (s []int64, m uint32, k int32) {
	m, k = uint32(1<<15+rng.IntN(1<<15)), int32(20+rng.IntN(30))
	s = make([]int64, n)
	for j := range s {
		s[j] = int64(math.Ldexp(rng.NormFloat64()*std/float64(m), int(k)))
	}
	return s, m, k
}

func operators(t testing.TB, clip, mode, name string) (di.Worker, quant.Spec) {
	t.Helper()
	spec, err := quant.NewSpec("w8a8", clip, mode)
	if err != nil {
		t.Fatal(err)
	}
	o, err := WithExp(spec, name)
	if err != nil {
		t.Fatal(err)
	}
	return o.NewWorker(4096), spec
}

// TestSoftmaxIsDI: with the mode's own exponential the rival path has di's bits, softmax and SwiGLU.
func TestSoftmaxIsDI(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for mode, name := range map[string]string{"illm": "di-exp/sigmoid", "precise": "di-exp+/sigmoid"} {
		for _, clip := range []string{"15", "none", "6", "0.001", "1000"} {
			rival, spec := operators(t, clip, mode, name)
			own := di.Integer(spec).NewWorker(4096)
			for _, n := range []int{1, 2, 7, 64, 255, 256, 300, 1000} {
				for _, std := range []float64{0, 1e-6, 0.3, 2, 20, 1e4} {
					s, m, k := scores(rng, n, std)
					lo, hi := slices.Min(s), slices.Max(s)
					a, b := make([]int32, n), make([]int32, n)
					own.Softmax(a, slices.Clone(s), lo, hi, m, k)
					rival.Softmax(b, s, lo, hi, m, k)
					if !slices.Equal(a, b) {
						t.Fatalf("%s, clip %s, %d scores of deviation %g: numerators differ", mode, clip, n, std)
					}
				}
				if err := sameGLU(rng, own, rival, n, mode == "precise"); err != nil {
					t.Fatalf("%s: %v", mode, err)
				}
			}
		}
	}
}

func sameGLU(rng *rand.Rand, own, rival di.Worker, n int, wide bool) error {
	row := func() di.Row {
		r := di.Row{RowParams: quant.RowParams{M: uint32(1<<15 + rng.IntN(1<<15)), K: int32(15 + rng.IntN(10))}}
		if wide {
			r.Codes16, r.Zero = make([]uint16, n), int32(rng.IntN(65536))
			for j := range r.Codes16 {
				r.Codes16[j] = uint16(rng.IntN(65536))
			}
			return r
		}
		r.Codes, r.Zero = make([]uint8, n), int32(rng.IntN(256))
		for j := range r.Codes {
			r.Codes[j] = uint8(rng.IntN(256))
		}
		return r
	}
	gate, up := row(), row()
	glu := &di.GLU{KAlpha: 10, Alpha: make([]int32, n), Product: di.Product{Ratio: 30000}}
	for j := range glu.Alpha {
		glu.Alpha[j] = int32(rng.IntN(1 << 12))
	}
	for _, p := range []*di.GLU{nil, {}, glu} {
		a, b := make([]uint8, n), make([]uint8, n)
		if x, y := own.SwiGLU(a, gate, up, p, 8), rival.SwiGLU(b, gate, up, p, 8); x != y || !slices.Equal(a, b) {
			return fmt.Errorf("SwiGLU of %d: %v, %v", n, x, y)
		}
	}
	return nil
}

// TestSoftmaxRivals: the L1 distance of the probabilities to the float softmax of the same scores. Codes of 8 bits cost
// 0.009 by themselves (float64); what is above that is the exponential.
func TestSoftmaxRivals(t *testing.T) {
	const n, std = 512, 2.0
	most := map[string]float64{"di-exp-published": 0.7, "taylor3-raw": 2, "lut8": 0.06, "lut256": 0.06, "taylor2": 0.06, "pwl16": 0.06, "exaq": 0.08, "di-exp": 0.05, "di-exp-log2e": 0.05, "shiftmax": 0.06}
	for _, x := range Exponentials() {
		w, _ := operators(t, "15", "illm", x.Name)
		rng := rand.New(rand.NewPCG(3, 4))
		total := 0.0
		for range 8 {
			s, m, k := scores(rng, n, std)
			hi, e := slices.Max(s), make([]int32, n)
			w.Softmax(e, s, slices.Min(s), hi, m, k)
			sum, want := 0.0, 0.0
			for j := range s {
				sum += float64(e[j])
				want += math.Exp(-distance(hi-s[j], m, k))
			}
			for j := range s {
				total += math.Abs(float64(e[j])/sum-math.Exp(-distance(hi-s[j], m, k))/want) / 8
			}
		}
		limit, ok := most[x.Name]
		if !ok {
			limit = 0.03
		}
		if !(total < limit) {
			t.Errorf("%s: L1 distance %.4f, want below %g", x.Name, total, limit)
		}
		t.Logf("%-16s %.4f", x.Name, total)
	}
}

// TestSoftmaxWidths: fewer bits of scores or probabilities cost more, in that order.
func TestSoftmaxWidths(t *testing.T) {
	loss := func(name string) float64 {
		w, _ := operators(t, "15", "illm", name)
		rng := rand.New(rand.NewPCG(3, 4))
		total := 0.0
		for range 8 {
			s, m, k := scores(rng, 512, 2)
			hi, e := slices.Max(s), make([]int32, 512)
			w.Softmax(e, s, slices.Min(s), hi, m, k)
			sum, want := 0.0, 0.0
			for j := range s {
				sum += float64(e[j])
				want += math.Exp(-distance(hi-s[j], m, k))
			}
			for j := range s {
				total += math.Abs(float64(e[j])/sum - math.Exp(-distance(hi-s[j], m, k))/want)
			}
		}
		return total / 8
	}
	for _, names := range [][]string{
		{"float64/s16", "float64/s8", "float64/s6", "float64/s4"},
		{"float64/s16/p15", "float64/s16/p11", "float64/s16/p7"},
	} {
		last := 0.0
		for _, name := range names {
			l := loss(name)
			t.Logf("%-16s %.5f", name, l)
			if !(l > last) {
				t.Errorf("%s loses %g, which is no more than %g", name, l, last)
			}
			last = l
		}
	}
}

// TestExaqClip: the row's clip in integers against float64; σ is rounded down to a step, b to the nearest.
func TestExaqClip(t *testing.T) {
	rng := rand.New(rand.NewPCG(8, 9))
	for _, bits := range []int{2, 3, 4, 6, 8, 16} {
		for _, std := range []float64{0.01, 0.5, 2, 30} {
			s, m, k := scores(rng, 777, std)
			step := math.Ldexp(float64(m), -int(k))
			mean, square := 0.0, 0.0
			for _, v := range s {
				mean += float64(v) * step / 777
			}
			for _, v := range s {
				square += (float64(v)*step - mean) * (float64(v)*step - mean) / 777
			}
			a, b := exaqLine(bits)
			want := float64(a)/1000*math.Sqrt(square) + float64(b)/1000
			c, ok := exaqClip(s, slices.Min(s), slices.Max(s), m, k, bits)
			if got := float64(c) * step; !ok || math.Abs(got-want) > 1e-4*want+(float64(a)/1000+1)*step {
				t.Errorf("%d bits, deviation %g: clip %.5f (%v), want %.5f", bits, std, got, ok, want)
			}
		}
	}
}
