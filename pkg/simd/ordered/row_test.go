package ordered

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/illm-go/illm/pkg/simd/simdtest"
)

// The elementwise paths give the bits of their definitions for every length, and stay within their slices.
func TestRows(t *testing.T) {
	nan := float32(math.NaN())
	simdtest.Each(t, "ordered", func(t *testing.T) {
		rng := rand.New(rand.NewPCG(1, 2))
		for n := 1; n <= 70; n++ {
			x := make([]float32, n)
			for i := range x {
				x[i] = float32(rng.NormFloat64() * 8)
				if rng.IntN(8) == 0 {
					x[i] = float32(rng.IntN(9)) / 2
				}
			}
			if n > 20 {
				x[3], x[7], x[n-1] = -500, 300, 0
			}
			check := func(what string, run, define func(x []float32)) {
				t.Helper()
				want := append([]float32(nil), x...)
				define(want)
				for _, got := range [][]float32{simdtest.End[float32](t, n), simdtest.Start[float32](t, n)} {
					copy(got, x)
					run(got)
					for i, v := range got {
						if math.Float32bits(v) != math.Float32bits(want[i]) && !(v != v && want[i] != want[i]) {
							t.Fatalf("%s of %d values: %v at %d became %x, want %x", what, n, x[i], i, v, want[i])
						}
					}
				}
			}
			lo, hi := Extremes(x)
			a, b := float32(math.Inf(1)), float32(math.Inf(-1))
			for _, v := range x {
				a, b = min(a, v), max(b, v)
			}
			if lo != a || hi != b {
				t.Fatalf("%d values: extremes %v, %v, want %v, %v", n, lo, hi, a, b)
			}
			for _, bits := range []int{2, 4, 8, 16} {
				levels := float64(int(1)<<bits - 1)
				span := (float64(max(hi, 0)) - float64(min(lo, 0))) * 0.75
				if span == 0 {
					continue
				}
				zero := Away(-float64(min(lo, 0)) * 0.75 * levels / span)
				check("grid", func(x []float32) { Grid(x, levels, span, zero, span/levels) }, func(x []float32) {
					for i, v := range x {
						c := min(max(zero+math.Round(float64(v)*levels/span), 0), levels)
						x[i] = float32((c - zero) * (span / levels))
					}
				})
			}
			r := min(hi-lo, 15)
			if r == 0 {
				continue
			}
			check("distances", func(x []float32) { Distances(x, hi, r, 255/r, r/255) },
				func(x []float32) {
					for i, v := range x {
						d := min(hi-v, r) * (255 / r)
						x[i] = float32(math.Floor(float64(d+0.5))) * -(r / 255)
					}
				})
			if n > 5 {
				x[5] = nan
			}
			check("exp", func(x []float32) { ExpRow(x, x, 1.5) }, func(x []float32) { expRowGeneric(x, x, 1.5) })
		}
	})
}
