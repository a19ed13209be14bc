package di

import (
	"math"
	"slices"
	"testing"

	"github.com/illm-go/illm/pkg/quant"
	"github.com/illm-go/illm/pkg/simd/cpu"
	"github.com/illm-go/illm/pkg/simd/simdtest"
	"github.com/illm-go/illm/pkg/simd/vec"
)

// TestSoftmaxWeights: one call is the two, bit for bit, on every path: rows of every tail, flat, ordinary and peaked, clipped
// and not, over value scales near each other, far apart, and too far for the joint pass; in the scores' own memory and out
// of it.
func TestSoftmaxWeights(t *testing.T) {
	simdtest.Each(t, "vec", func(t *testing.T) {
		rng := newRand(41)
		for _, clip := range []string{"15", "6", "none"} {
			w := newWorker(t, clip, "illm", 5000)
			for round := range 600 {
				n := 1 + rng.IntN(200)
				if round%50 == 0 {
					n = 1 + rng.IntN(5000)
				}
				m, k := uint32(1<<15+rng.IntN(1<<15)), int32(30+rng.IntN(20))
				std := math.Exp2(float64(rng.IntN(9)-4)) / value(m, k)
				s, lo, hi := make([]int64, n), int64(math.MaxInt64), int64(math.MinInt64)
				for j := range s {
					s[j] = int64(max(-1<<56, min(rng.NormFloat64()*std, 1<<56)))
					if round%11 == 0 && rng.IntN(n) == 0 {
						s[j] = -1 << 56 // hundreds of clip ranges away
					}
					lo, hi = min(lo, s[j]), max(hi, s[j])
				}
				least := lo
				switch round % 7 { // a fixed grid may begin elsewhere
				case 0:
					lo -= hi - lo
				case 1:
					lo += (hi - lo) / 3
				}
				vals, spread := NewValues(n), []int{1, 2, 5, 17, 60}[rng.IntN(5)]
				for j := range s {
					vals.Set(j, quant.RowParams{M: uint32(1<<15 + rng.IntN(1<<15)), K: int32(rng.IntN(spread) - 9), Zero: int32(rng.IntN(256))}, 8, 64)
				}
				row, e := make([]int64, (n+vec.FoldedBlock-1)&^(vec.FoldedBlock-1)), make([]int32, n)
				want := [2][]uint8{make([]uint8, n), make([]uint8, n)}
				var wanted PVRow
				simdtest.With(cpu.Generic, func() {
					w.Softmax(e, s, lo, hi, m, k)
					wanted = Weights(want[0], want[1], row, e, vals, n)
				})
				for j := range row {
					row[j] = rng.Int64()
				}
				if round%2 == 0 {
					s = append(row[:0], s...)
				}
				got := [2][]uint8{make([]uint8, n+1), make([]uint8, n+1)}
				pv := SoftmaxWeights(Worker(w), got[0][:n], got[1][:n], e, row, s, least, lo, hi, m, k, vals)
				if pv != wanted || !slices.Equal(got[0][:n], want[0]) || !slices.Equal(got[1][:n], want[1]) || got[0][n]|got[1][n] != 0 {
					t.Fatalf("clip %s, round %d, %d keys, scales 2^%d apart: %+v, want %+v", clip, round, n, spread, pv, wanted)
				}
			}
		}
	})
}

// What is known of ΣW decides the row's scale, or says that it does not.
func TestRowScaleWithin(t *testing.T) {
	rng := newRand(42)
	undecided := 0
	for range 20000 {
		sumW, sumE, sumN := int64(1)<<45+rng.Int64N(1<<57), int64(1)<<30+rng.Int64N(1<<45), int64(1)<<14+rng.Int64N(1<<15)
		slack := rng.Int64N(1 + sumW>>(14+rng.IntN(20)))
		got, ok := rowScaleWithin(sumW, slack, sumE, sumN)
		if !ok {
			undecided++
			continue
		}
		for _, add := range []int64{0, slack / 2, slack} {
			if want := rowScale(sumW+add, sumE, sumN); got != want {
				t.Fatalf("ΣW = %d + %d of %d: %v, want %v", sumW, add, slack, got, want)
			}
		}
	}
	if undecided == 0 || undecided > 15000 {
		t.Errorf("%d of 20000 undecided", undecided)
	}
}
