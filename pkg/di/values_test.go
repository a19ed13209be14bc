package di

import (
	"math"
	"slices"
	"testing"

	"github.com/illm-go/illm/pkg/dyadic"
	"github.com/illm-go/illm/pkg/intmath"
	"github.com/illm-go/illm/pkg/quant"
	"github.com/illm-go/illm/pkg/simd/cpu"
	"github.com/illm-go/illm/pkg/simd/simdtest"
	"github.com/illm-go/illm/pkg/simd/vec"
)

// TestRowScaleKnownAnswer: ΣW = 45·2^52, Σe = 2^46, one weight of 1.
func TestRowScaleKnownAnswer(t *testing.T) {
	if got, want := rowScale(45<<52, 1<<46, 1), (dyadic.Scale{M: 46080, K: 4}); got != want {
		t.Errorf("rowScale = %v, want %v", got, want)
	}
}

// TestWeights: N is W·2^15/ΣW to nearest, and the row's scale times N gives back e·s_v/Σe.
func TestWeights(t *testing.T) {
	rng := newRand(21)
	for _, n := range []int{1, 2, 17, 300, 4096} {
		for _, spread := range []int{0, 3, 40} {
			vals := NewKeys(n)
			e := make([]int32, n)
			for j := range e {
				vals.Set(j, quant.RowParams{M: uint32(1<<15 + rng.IntN(1<<15)), K: int32(15 + rng.IntN(spread+1)), Zero: int32(rng.IntN(256))}, 8, 64)
				e[j] = int32(rng.ExpFloat64()*float64(1<<26)) & (1<<30 - 1)
			}
			e[rng.IntN(n)] = 1 << 30
			nlo, nhi, w := make([]uint8, n), make([]uint8, n), make([]int64, n)
			row := Weights(nlo, nhi, w, e, vals, n)
			sumE, sumW := 0.0, 0.0
			for j := range e {
				sumE += float64(e[j])
				sumW += float64(e[j]) * value(vals.M[j], vals.K[j])
			}
			sumN, dot := int64(0), int64(0)
			for j := range e {
				got := int32(nhi[j])<<7 + int32(nlo[j])
				if nlo[j] > 127 {
					t.Fatalf("N_%d = 128·%d + %d", j, nhi[j], nlo[j])
				}
				exact := float64(e[j]) * value(vals.M[j], vals.K[j]) / sumW * 32768
				if math.Abs(float64(got)-min(exact, 32767)) > 0.501 {
					t.Fatalf("n = %d, spread %d: N_%d = %d, want %.3f", n, spread, j, got, exact)
				}
				sumN += int64(got)
				dot += int64(got) * int64(vals.Zero[j])
			}
			if sumN != row.SumN || dot != row.ZeroDot {
				t.Fatalf("ΣN %d, ΣN·z' %d, want %d, %d", row.SumN, row.ZeroDot, sumN, dot)
			}
			if gain := value(row.M, row.K) * float64(sumN) / (sumW / sumE); math.Abs(gain-1) > 6e-5 {
				t.Errorf("n = %d: row scale is off by %g", n, gain-1)
			}
		}
	}
}

// TestWeightsPaths: the weights of any numerators are the same bits on every path, with and without room for a path's own
// order: exponentials, probabilities of every size, rows that are nearly or wholly nothing.
func TestWeightsPaths(t *testing.T) {
	simdtest.Each(t, "vec", func(t *testing.T) {
		rng := newRand(23)
		for round := range 1500 {
			n := 1 + rng.IntN(200)
			if round%100 == 0 {
				n = 1 + rng.IntN(5000)
			}
			vals, spread := NewValues(n), []int{1, 2, 5, 16, 17, 60}[rng.IntN(6)]
			e, most := make([]int32, n), rng.IntN(31)
			for j := range e {
				vals.Set(j, quant.RowParams{M: uint32(1<<15 + rng.IntN(1<<15)), K: int32(rng.IntN(spread) - 9), Zero: int32(rng.IntN(256))}, 8, 64)
				e[j] = int32(rng.Int64N(1<<most + 1))
			}
			switch round % 5 {
			case 0:
				e[rng.IntN(n)] = 1 << 30
			case 1: // one key has it all
				clear(e)
				e[rng.IntN(n)] = 1 << most
			}
			want := [2][]uint8{make([]uint8, n), make([]uint8, n)}
			var wanted PVRow
			simdtest.With(cpu.Generic, func() { wanted = Weights(want[0], want[1], make([]int64, n), e, vals, n) })
			row := make([]int64, (n+vec.FoldedBlock-1)&^(vec.FoldedBlock-1))
			for j := range row {
				row[j] = rng.Int64()
			}
			for _, w := range [][]int64{row[:n], row} {
				got := [2][]uint8{make([]uint8, n+1), make([]uint8, n+1)}
				pv := Weights(got[0][:n], got[1][:n], w, e, vals, n)
				if pv != wanted || !slices.Equal(got[0][:n], want[0]) || !slices.Equal(got[1][:n], want[1]) || got[0][n]|got[1][n] != 0 {
					t.Fatalf("round %d, %d keys up to 2^%d, scales 2^%d apart, room for %d: %+v, want %+v", round, n, most, spread, len(w), pv, wanted)
				}
			}
		}
	})
}

// TestWeightsFlat: the longest row of equal scores keeps its mass, although each weight is 2^15/65535 = 0.500008.
func TestWeightsFlat(t *testing.T) {
	const n = MaxKeys
	vals := NewKeys(n)
	e := make([]int32, n)
	for j := range e {
		vals.Set(j, quant.RowParams{M: 65535, K: 20, Zero: 128}, 8, 64)
		e[j] = 1 << 30
	}
	row := Weights(make([]uint8, n), make([]uint8, n), make([]int64, n), e, vals, n)
	if row.SumN != n || row.ZeroDot != 0 {
		t.Fatalf("ΣN = %d, ΣN·z' = %d, want %d, 0", row.SumN, row.ZeroDot, n)
	}
	if got, want := value(row.M, row.K)*n, value(65535, 20); math.Abs(got/want-1) > 6e-5 {
		t.Errorf("mass times scale %g, want %g", got, want)
	}
}

// TestWeightsNoMass: numerators that vanish beside the exponents of their values leave a row of zeros, not a division
// by zero.
func TestWeightsNoMass(t *testing.T) {
	vals := NewKeys(2)
	vals.Set(0, quant.RowParams{M: 32768, K: -40}, 8, 4)
	vals.Set(1, quant.RowParams{M: 32768, K: 60}, 8, 4)
	nlo, nhi := make([]uint8, 2), make([]uint8, 2)
	row := Weights(nlo, nhi, make([]int64, 2), []int32{0, 1 << 30}, vals, 2)
	if row.SumN != 0 || row.M == 0 || nlo[0]|nlo[1]|nhi[0]|nhi[1] != 0 {
		t.Errorf("row %+v, N %v %v", row, nhi, nlo)
	}
}

// TestAttentionRow follows one head from scores to its merged output, against float64 on the dequantised values.
func TestAttentionRow(t *testing.T) {
	const d, n = 16, 200
	rng := newRand(22)
	for _, c := range []struct {
		mode  string
		bound float64
	}{{"illm", 0.05}, {"precise", 0.01}} {
		w := newWorker(t, "15", c.mode, n)
		worst, norm := 0.0, 0.0
		for range 20 {
			vals, codes := cache(t, rng.Uint64(), n, d, 8, 2)
			s, lo, hi := scoreRow(rng, n, 2, 45)
			e := make([]int32, n)
			w.Softmax(e, s, lo, hi, 32768, 45)
			nlo, nhi := make([]uint8, n), make([]uint8, n)
			exact, sum := make([]float64, d), 0.0
			for j := range s {
				p := math.Exp(float64(s[j]-hi) * value(32768, 45))
				sum += p
				for i := range exact {
					exact[i] += p * float64(codes[j][i]-128-vals.Zero[j]) * value(vals.M[j], vals.K[j])
				}
			}
			row := Weights(nlo, nhi, s, e, vals, n) // scores are scratch by now
			accHi, accLo, acc := make([]int32, d), make([]int32, d), make([]int64, d)
			for j := range n {
				for i := range d {
					v := codes[j][i] - 128
					accHi[i] += int32(nhi[j]) * v
					accLo[i] += int32(nlo[j]) * v
					acc[i] += (int64(nhi[j])<<7 + int64(nlo[j])) * int64(v)
				}
			}
			other := PVRow{M: 1 << 15, K: row.K - 5} // a head with a coarser scale sets the common one
			kmin := MergeScale([]PVRow{row, other})
			if kmin != row.K-5 {
				t.Fatalf("MergeScale = %d, want %d", kmin, row.K-5)
			}
			u := make([]int64, d)
			joined := make([]int32, len(u))
			Join(joined, accHi, accLo)
			least, most := Merge(u, joined, row, kmin)
			for i, a := range acc { // ΣN·V' in int64 says what the two rows of bytes mean
				if want := intmath.RoundShift((a-row.ZeroDot)*int64(row.M)<<8, int(row.K-kmin)); u[i] != want {
					t.Fatalf("U_%d = %d, want %d", i, u[i], want)
				}
			}
			if a, b := MinMax(u); a != least || b != most {
				t.Fatalf("range (%d, %d), want (%d, %d)", least, most, a, b)
			}
			for i := range u {
				want := exact[i] / sum
				worst += math.Pow(math.Ldexp(float64(u[i]), -int(kmin+8))-want, 2)
				norm += want * want
			}
		}
		if rel := math.Sqrt(worst / norm); rel > c.bound {
			t.Errorf("%s: relative error %.4f, want at most %g", c.mode, rel, c.bound)
		}
	}
	wantPanic(t, "scale", errMergeRow, func() { Merge(nil, nil, PVRow{K: 3}, 4) })
}
