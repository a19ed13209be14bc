package di

import (
	"math"
	"math/big"
	"testing"

	"github.com/illm-go/illm/pkg/quant"
)

// Scores of 16-bit keys are the exact products rounded once, in math/big.
func TestScores64(t *testing.T) {
	const d, n = 64, 40
	for _, spread := range []int{0, 5, 7, 40, 70} {
		for _, bits := range []int{8, 16} {
			keys, codes := cache(t, uint64(spread+100*bits), n, d, bits, spread)
			rng := newRand(9)
			q := make([]int64, d)
			p := quant.RowParams{M: 1 << 15, K: 21, Zero: int32(rng.IntN(256))}
			for i := range q {
				q[i] = int64(rng.IntN(256))
				p.Sum += int32(q[i])
			}
			acc, exact := make([]int64, n), make([]int64, n)
			for j := range n {
				z := int64(keys.Zero[j] + Offset(bits))
				for i, c := range codes[j] {
					acc[j] += q[i] * int64(c-Offset(bits))
					exact[j] += (q[i] - int64(p.Zero)) * (int64(c) - z)
				}
			}
			for _, visible := range []int{1, 7, n} {
				s := make([]int64, visible)
				lo, hi, k := Scores64(s, acc, p, keys, visible, d)
				kmin := keys.K[0]
				for _, v := range keys.K[:visible] {
					kmin = min(kmin, v)
				}
				if k != p.K+kmin+8 {
					t.Fatalf("row exponent %d, want %d", k, p.K+kmin+8)
				}
				least, most := s[0], s[0]
				for j := range s {
					num := new(big.Int).Lsh(big.NewInt(exact[j]*int64(keys.M[j])), 8)
					den := new(big.Int).Lsh(big.NewInt(1), uint(keys.K[j]-kmin))
					if want := halfAway(num, den); want.Cmp(big.NewInt(s[j])) != 0 {
						t.Fatalf("%d bits, spread %d: S_%d = %d, want %v", bits, spread, j, s[j], want)
					}
					least, most = min(least, s[j]), max(most, s[j])
				}
				if lo != least || hi != most {
					t.Fatalf("range (%d, %d), want (%d, %d)", lo, hi, least, most)
				}
			}
		}
	}
	// the largest magnitudes: d = 256, codes and zero points at their ends
	keys := NewKeys(1)
	keys.Set(0, quant.RowParams{M: 65535, K: 0, Zero: 65535}, 16, 256)
	s := make([]int64, 1)
	Scores64(s, []int64{0}, quant.RowParams{Zero: 0, Sum: 255 * 256}, keys, 1, 256)
	if want := new(big.Int).Mul(big.NewInt(-255*256*65535), big.NewInt(65535<<8)); !want.IsInt64() || want.Int64() != s[0] || s[0] <= -1<<56 {
		t.Errorf("S = %d, want %v above −2^56", s[0], want)
	}
}

// Weights16 has the numerators of Weights, in one word; P×V of 16-bit values follows the float64 sum to 15-bit weights.
func TestWideValues(t *testing.T) {
	const d, n = 16, 300
	rng := newRand(22)
	w := newWorker(t, "15", "precise", n)
	for _, guard := range []uint{0, 8} {
		worst, norm := 0.0, 0.0
		for range 10 {
			vals, codes := cache(t, rng.Uint64(), n, d, 16, 3)
			s, lo, hi := scoreRow(rng, n, 2, 45)
			e := make([]int32, n)
			w.Softmax(e, s, lo, hi, 32768, 45)
			n32, nlo, nhi := make([]int32, n), make([]uint8, n), make([]uint8, n)
			row := Weights16(n32, make([]int64, n), e, vals, n)
			if bytes := Weights(nlo, nhi, make([]int64, n), e, vals, n); bytes != row {
				t.Fatalf("Weights %+v, Weights16 %+v", bytes, row)
			}
			acc, exact, sum := make([]int64, d), make([]float64, d), 0.0
			for j := range n {
				if int32(nhi[j])<<7+int32(nlo[j]) != n32[j] {
					t.Fatalf("N_%d: 128·%d + %d, want %d", j, nhi[j], nlo[j], n32[j])
				}
				p := math.Exp(float64(s[j]-hi) * value(32768, 45))
				sum += p
				for i := range d {
					acc[i] += int64(n32[j]) * int64(codes[j][i])
					exact[i] += p * float64(codes[j][i]-vals.Zero[j]) * value(vals.M[j], vals.K[j])
				}
			}
			kmin := MergeScale([]PVRow{row, {M: 1 << 15, K: row.K - 5}})
			u := make([]int64, d)
			least, most := Merge64(u, acc, row, kmin, guard)
			if a, b := MinMax(u); a != least || b != most {
				t.Fatalf("range (%d, %d), want (%d, %d)", least, most, a, b)
			}
			for i := range u {
				want := exact[i] / sum
				worst += math.Pow(math.Ldexp(float64(u[i]), -int(kmin)-int(guard))-want, 2)
				norm += want * want
			}
		}
		if rel := math.Sqrt(worst / norm); rel > 0.01 {
			t.Errorf("%d guard bits: relative error %.4f, want at most 0.01", guard, rel)
		}
	}
	wantPanic(t, "scale", errMergeRow, func() { Merge64(nil, nil, PVRow{K: 3}, 4, 8) })
}
