package vec

import (
	"math/big"
	"testing"

	"github.com/illm-go/illm/pkg/simd/simdtest"
)

// roundRat is v/2^n to nearest, halves away from zero, in rationals.
func roundRat(v *big.Int, n uint) *big.Int {
	d := new(big.Int).Lsh(big.NewInt(1), n)
	a := new(big.Int).Abs(v)
	a.Lsh(a, 1).Add(a, d).Quo(a, d.Lsh(d, 1)) // (2|v| + 2^n) / 2^(n+1)
	if v.Sign() < 0 {
		a.Neg(a)
	}
	return a
}

func clampBig(v *big.Int, lo, hi int64) *big.Int {
	switch {
	case v.Cmp(big.NewInt(lo)) < 0:
		return big.NewInt(lo)
	case v.Cmp(big.NewInt(hi)) > 0:
		return big.NewInt(hi)
	}
	return v
}

// The residual stream against whole numbers, around the ends of the range and far from them.
func TestResidualExact(t *testing.T) {
	const top = 1<<31 - 1
	simdtest.Each(t, "vec", func(t *testing.T) {
		for _, shift := range []uint{0, 1, 7, 16, 31} {
			var h []int32
			var row []int64
			for _, x := range []int32{0, 1, -1, top, -top, top - 1, 1 << 30, -1 << 30} {
				for _, v := range []int32{0, 1, -1, 1 << 16, -1 << 16, 3 << 15, 1 << 30, -1 << 30, top, -top} {
					for _, f := range []int32{1, 1 << 15, 1 << 16, 1<<24 - 1} {
						h, row = append(h, x), append(row, int64(v)*int64(f))
					}
				}
			}
			const m = 1 << 15
			n := len(h)
			want, wantSaturated := make([]int32, n), 0
			for j := range h {
				d := roundRat(new(big.Int).Mul(roundRat(big.NewInt(row[j]), 16), big.NewInt(m)), shift)
				x := big.NewInt(int64(h[j]))
				y := clampBig(new(big.Int).Add(x, clampBig(d, -1<<31, 1<<31)), -top, top)
				if y.Cmp(new(big.Int).Add(x, d)) != 0 {
					wantSaturated++
				}
				want[j] = int32(y.Int64())
			}
			if got := AddResidual(h, row, m, shift); got != wantSaturated {
				t.Errorf("shift %d: %d saturated, want %d", shift, got, wantSaturated)
			}
			for j := range want {
				if h[j] != want[j] {
					t.Fatalf("shift %d: row value %d gives %d, want %d", shift, row[j], h[j], want[j])
				}
			}
		}
	})
}
