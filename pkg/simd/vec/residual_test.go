package vec

import (
	"math/big"
	"testing"

	"github.com/illm-go/illm/pkg/simd/simdtest"
)

func TestAccumulateResidualPaths(t *testing.T) {
	walk(t, func(s *source) []any {
		n := s.n
		h := ints[int32](s, n, -1<<31+1, 1<<31-1)
		acc, sum := ints[int32](s, n, -1<<30, 1<<30), ints[int32](s, n, -1<<22, 1<<22)
		w, zero := ints[int32](s, n, 0, 1<<24-1), ints[uint8](s, n, 0, 255)
		z, c, off := int32(s.between(0, 255)), int32(s.between(0, 1<<22)), int32(s.between(0, 1))*128
		m, shift := s.between(0, 1<<16-1), uint(s.between(0, 70))
		if s.IntN(2) == 0 { // nothing saturates
			h, shift = ints[int32](s, n, -1<<29, 1<<29), uint(s.between(26, 40))
		}
		saturated := AccumulateResidual(h, acc, sum, w, zero, z, c, off, m, shift)
		return []any{saturated, h, acc, sum, w, zero}
	})
}

// round is v/2^n to nearest, halves away from zero, in rationals.
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

// Both ways to add to the residual stream against whole numbers, around the ends of the range and far from them.
func TestResidualExact(t *testing.T) {
	const top = 1<<31 - 1
	simdtest.Each(t, "vec", func(t *testing.T) {
		for _, shift := range []uint{0, 1, 7, 16, 31} {
			var h, acc, w []int32
			for _, x := range []int32{0, 1, -1, top, -top, top - 1, 1 << 30, -1 << 30} {
				for _, v := range []int32{0, 1, -1, 1 << 16, -1 << 16, 3 << 15, 1 << 30, -1 << 30, top, -top} {
					for _, f := range []int32{1, 1 << 15, 1 << 16, 1<<24 - 1} {
						h, acc, w = append(h, x), append(acc, v), append(w, f)
					}
				}
			}
			const m = 1 << 15
			n := len(h)
			want, wantSaturated := make([]int32, n), 0
			row := make([]int64, n)
			for j := range h {
				row[j] = int64(acc[j]) * int64(w[j])
				d := roundRat(new(big.Int).Mul(roundRat(big.NewInt(row[j]), 16), big.NewInt(m)), shift)
				x := big.NewInt(int64(h[j]))
				y := clampBig(new(big.Int).Add(x, clampBig(d, -1<<31, 1<<31)), -top, top)
				if y.Cmp(new(big.Int).Add(x, d)) != 0 {
					wantSaturated++
				}
				want[j] = int32(y.Int64())
			}
			a, b := append([]int32(nil), h...), append([]int32(nil), h...)
			zeros := make([]int32, n)
			sa := AddResidual(a, row, m, shift)
			sb := AccumulateResidual(b, acc, zeros, w, make([]uint8, n), 0, 0, 0, m, shift)
			if sa != wantSaturated || sb != wantSaturated {
				t.Errorf("shift %d: %d and %d saturated, want %d", shift, sa, sb, wantSaturated)
			}
			for j := range want {
				if a[j] != want[j] || b[j] != want[j] {
					t.Fatalf("shift %d: %d + %d·%d: %d and %d, want %d", shift, h[j], acc[j], w[j], a[j], b[j], want[j])
				}
			}
		}
	})
}
