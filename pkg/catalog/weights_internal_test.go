package catalog

import (
	"math/big"
	"testing"

	"github.com/illm-go/illm/pkg/quant"
)

// A narrowed multiplier is the nearest multiple of 2^(24−b), ties upwards, and has at most b bits: against math/big.
func TestNarrowed(t *testing.T) {
	l := &quant.Linear{M: []int32{0, 1, 1<<15 - 1, 1 << 15, 3 << 15, 5<<15 + 1, 1<<23 + 1<<15, 1<<24 - 1, 12345678}}
	for _, bits := range []int{2, 6, 8, 16, 23} {
		step := new(big.Int).Lsh(big.NewInt(1), uint(24-bits))
		for j, m := range narrowed(l, bits).M {
			q := new(big.Int).Add(new(big.Int).Mul(big.NewInt(int64(l.M[j])), big.NewInt(2)), step)
			q.Div(q, new(big.Int).Mul(step, big.NewInt(2)))
			if top := big.NewInt(1<<bits - 1); q.Cmp(top) > 0 {
				q = top
			}
			if want := q.Mul(q, step).Int64(); int64(m) != want {
				t.Errorf("%d bits: M %d became %d, want %d", bits, l.M[j], m, want)
			}
		}
	}
	if narrowed(l, 24) != l || narrowed(l, 0) != l {
		t.Error("24 bits: another matrix")
	}
}
