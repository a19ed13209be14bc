package di

import (
	"fmt"
	"testing"

	"github.com/illm-go/illm/pkg/dyadic"
)

// BenchmarkRequantRow is a whole row's requantisation as the engine has it: dynamic, the same with a pass of its own for
// the range (which the engine's producers give for nothing), and static with the unit of each row another one, or the same.
// Rows of 64 channels are heads, 576 and 1536 the inputs of SmolLM2's linears. The least of 40 runs on a busy EPYC with
// AVX-512, ns a row of 64, 576 and 1536: dynamic 26.5, 86.5, 205; with the range 34.4, 128, 300; static 21.5, 81.9, 196;
// static with 0.1 to 2 % of codes cut and counted 52.5, 129, 268.
func BenchmarkRequantRow(b *testing.B) {
	rng := newRand(3)
	for _, n := range []int{64, 576, 1536} {
		t, dst := normRow(rng, n, 1<<40), make([]uint8, n)
		lo, hi := MinMax(t)
		p := Requant(dst, t, lo, hi, 40000, 60, 8, 16)
		f := dyadic.Scale{M: p.M, K: p.K}
		s := newStatic(b, StaticGrid{M: f.M, K: f.K, Zero: p.Zero}, 8)
		for _, c := range []struct {
			name string
			f    func(i int)
		}{
			{"dynamic", func(int) { Requant(dst, t, lo, hi, 40000, 60, 8, 16) }},
			{"dynamic+range", func(int) { l, h := MinMax(t); Requant(dst, t, l, h, 40000, 60, 8, 16) }},
			{"static", func(i int) { s.Requant(dst, t, lo, hi, 40000-uint32(i&255), 60) }},
			{"static-clipped", func(i int) { s.Requant(dst, t, lo, hi, 42000, 60) }},
		} {
			b.Run(fmt.Sprintf("%s/n=%d", c.name, n), func(b *testing.B) {
				for i := range b.N {
					c.f(i)
				}
				perElement(b, n)
			})
		}
	}
}
