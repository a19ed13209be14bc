package di

import (
	"github.com/illm-go/illm/pkg/dyadic"
	"github.com/illm-go/illm/pkg/intmath"
	"github.com/illm-go/illm/pkg/simd/vec"
)

// MaxKeys is the longest row of probabilities. One key more and a row of equal scores has weights of one half exactly,
// which the rounding of the reciprocal may push below it: every N, and the mass, would be 0.
const MaxKeys = 65535

// ProbBits is p, the width of a normalised probability.
const ProbBits = 15

// PVRow is what is left of one row of probabilities after its codes N: Out_c = (Σ_j N_j·V'_jc − ZeroDot)·M/2^K.
type PVRow struct {
	SumN    int64 // ΣN
	ZeroDot int64 // ΣN·z'_v
	M       uint32
	K       int32 // row scale (m_o, k_o)
}

// Weights folds the values' scales into one row of numerators and normalises it to 15 bits:
// W_j = round(e_j·m_vj / 2^(k_vj−k_min)), N_j = min(32767, W_j·2^15/ΣW rounded), stored in two bytes,
// N = 128·nhi + nlo with nlo < 128, so that P×V is two rows of a u8×s8 product.
//
// In: e in Q30 of the visible keys 0 … n−1, not all 0. w is scratch of at least n entries, quicker with entries up to a
// multiple of vec.FoldedBlock, and may be the row of scores.
// Range: W < 2^46, ΣW < 2^62, n ≤ MaxKeys. The row is divided by ΣN, not by 2^15, so its mass is exactly 1.
// Error of P×V beyond the values' own: 0.3 % on flat rows of 65 535 keys, less on shorter ones.
//
// Source: I-LLM, DI-ClippedSoftmax. Departure: 15-bit sum-normalised probabilities instead of 2^−7.
func Weights(nlo, nhi []uint8, w []int64, e []int32, vals *Values, n int) PVRow {
	if scale, shift, ok := vals.folded(n); ok {
		if f, ok := vec.FoldPairs(w, e[:n], scale, shift); ok && f.Top >= leastTop {
			return weightsOf(&f, nlo, nhi, vals, n)
		}
	}
	kmin := vals.KMin[n-1]
	w = w[:n]
	top, sumW, sumE := vec.Fold(w, e, vals.M, vals.K, kmin)
	nz := normalise(w, top, sumW)
	sumN, dot := vec.Split(nlo, nhi, w, nz.s, nz.c, nz.n, vals.Zero)
	row := PVRow{SumN: sumN, ZeroDot: dot}
	scale := rowScale(sumW, sumE, sumN)
	row.M, row.K = scale.M, scale.K+kmin
	return row
}

// leastTop is the least max W that Folded.Split takes: ΣW ≥ 2^17 makes norming's n at least 33. No row of
// an exponential with e^0 = 2^30 is below it.
const leastTop = 1 << 17

// norming is a division by a row's sum as a product: P = round((w>>s)·c / 2^n).
type norming struct {
	s, n uint
	c    int64
}

// normalise is step 4 of DI-ClippedSoftmax for p = 15: one division a row.
func normalise(w []int64, top, sum int64) norming {
	s := uint(max(0, intmath.ILog2(uint64(top))-30))
	if s > 0 {
		sum = vec.SumShift(w, s)
	}
	return normingBy(s, sum)
}

// normingBy is normalise for the sum of w>>s.
func normingBy(s uint, sum int64) norming {
	l := intmath.ILog2(uint64(sum))
	if l >= 30 {
		sum = intmath.Asr(sum, l-30)
	} else {
		sum <<= uint(30 - l)
	}
	return norming{s: s, n: uint(31 + l - ProbBits), c: intmath.DivRound(1<<61, max(sum, 1<<30))}
}

// Normalise sets p[j] = e[j]·2^15/Σe rounded: the probabilities of a row of Q30 numerators, where they are asked for.
// w is scratch of len(e) entries. At least one e is positive.
func Normalise(p, e []int32, w []int64) {
	w = w[:len(e)]
	var sum, top int64
	for j, v := range e {
		w[j] = int64(v)
		sum += w[j]
		top = max(top, w[j])
	}
	nz := normalise(w, top, sum)
	for j, v := range w {
		p[j] = int32(intmath.RoundShift(intmath.Asr(v, int(nz.s))*nz.c, int(nz.n)))
	}
}

// rowScale is ΣW/(Σe·ΣN), without k_min. ΣW < 2^62; Σe may pass Fit's 2^46 by a bit.
func rowScale(sumW, sumE, sumN int64) dyadic.Scale {
	s, _ := rowScaleWithin(sumW, 0, sumE, sumN)
	return s
}

// rowScaleWithin is rowScale of a ΣW that is known to lie in sumW … sumW + slack; ok says that all of them have the same.
func rowScaleWithin(sumW, slack, sumE, sumN int64) (scale dyadic.Scale, ok bool) {
	if sumW <= 0 || sumE <= 0 || sumN <= 0 {
		return dyadic.One(dyadic.Bits), slack == 0 // no mass: every product with this row is 0
	}
	s := max(0, intmath.ILog2(uint64(sumE))-45)
	a := dyadic.Fit(uint64(sumW), uint64(intmath.Asr(sumE, s)), dyadic.Bits)
	if slack > 0 && a != dyadic.Fit(uint64(sumW+slack), uint64(intmath.Asr(sumE, s)), dyadic.Bits) {
		return a, false
	}
	a.K += int32(s)
	return a.Mul(dyadic.Fit(1, uint64(sumN), dyadic.Bits), dyadic.Bits), true
}

// MergeScale returns k_min over the heads of one token: U of Merge has the scale 2^−(k_min+8), which Requant takes as
// (2^15, k_min+8+15).
func MergeScale(rows []PVRow) int32 {
	k := int32(1<<31 - 1)
	for i := range rows {
		k = min(k, rows[i].K)
	}
	return k
}

// Join puts the two rows of P×V together: acc[c] = 128·hi[c] + lo[c] of hi[c] = Σ nhi·V'_c and lo[c] = Σ nlo·V'_c, modulo
// 2^32, since what Merge subtracts brings it below 2^24.
func Join(acc, hi, lo []int32) { vec.Join(acc, hi, lo) }

// Merge brings one head's products to the token's common scale, U = round(((acc − ZeroDot)·M)·2^8 / 2^(K−kmin)), and
// returns min(0, min U), max(0, max U).
//
// In: acc[c] = Σ N·V'_c from Join; kmin ≤ row.K from MergeScale. Range: |U| < 2^48.
func Merge(u []int64, acc []int32, row PVRow, kmin int32) (lo, hi int64) {
	if row.K < kmin {
		panic(errMergeRow)
	}
	return vec.Merge(u, acc, int32(row.ZeroDot), int64(row.M), uint(min(row.K-kmin, 62)))
}
