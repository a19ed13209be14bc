package di

import (
	"github.com/illm-go/illm/pkg/intmath"
	"github.com/illm-go/illm/pkg/quant"
	"github.com/illm-go/illm/pkg/simd/vec"
)

// The operators of a cache with codes of 16 bits: products in int64 and 8 guard bits at the scores in place of 16, so that
// the same 2^56 hold. They run one element at a time; the width is there to be measured, not to be fast.

// WideGuard is the number of guard bits of Scores64.
const WideGuard = 8

// Scores64 is Scores for a cache of 16 bits: S_j = round((Σ(Q−z_q)(K_j−z_kj)·m_kj)·2^8 / 2^(k_kj−k_min)).
//
// In: acc[j] = ΣQK_j < 2^32, dim ≤ 256. Range: |S| < 2^56. Exact while key scales differ by less than 2^8.
func Scores64(s, acc []int64, q quant.RowParams, keys *Keys, n, dim int) (lo, hi int64, k int32) {
	kmin := keys.KMin[n-1]
	zq, c := int64(q.Zero), int64(q.Sum)-int64(dim)*int64(q.Zero)
	lo, hi = 1<<63-1, -1<<63
	for j := range s[:n] {
		v := (acc[j] - zq*int64(keys.Sum[j]) - int64(keys.Zero[j])*c) * int64(keys.M[j])
		v = intmath.RoundShift(v<<WideGuard, int(keys.K[j]-kmin))
		s[j] = v
		lo, hi = min(lo, v), max(hi, v)
	}
	return lo, hi, q.K + kmin + WideGuard
}

// Weights16 is Weights with N in one int32 each.
func Weights16(n32 []int32, w []int64, e []int32, vals *Values, n int) PVRow {
	kmin := vals.KMin[n-1]
	w = w[:n]
	top, sumW, sumE := vec.Fold(w, e, vals.M, vals.K, kmin)
	nz := normalise(w, top, sumW)
	var row PVRow
	for j, v := range w {
		p := min(32767, intmath.RoundShift(intmath.Asr(v, int(nz.s))*nz.c, int(nz.n)))
		n32[j] = int32(p)
		row.SumN += p
		row.ZeroDot += p * int64(vals.Zero[j])
	}
	scale := rowScale(sumW, sumE, row.SumN)
	row.M, row.K = scale.M, scale.K+kmin
	return row
}

// Merge64 is Merge with acc[c] = ΣN·V_c in int64 and so many guard bits: U = round(((acc − ZeroDot)·M)·2^guard / 2^(K−kmin)),
// of scale 2^−(kmin+guard).
//
// Range: |acc − ZeroDot| < 2^33, so |U| < 2^57 with 8 guard bits, and < 2^49 with none, which a rotation of 4096 values can
// add up.
func Merge64(u, acc []int64, row PVRow, kmin int32, guard uint) (lo, hi int64) {
	if row.K < kmin {
		panic(errMergeRow)
	}
	for j := range u {
		v := intmath.RoundShift((acc[j]-row.ZeroDot)*int64(row.M)<<guard, int(row.K-kmin))
		u[j] = v
		lo, hi = min(lo, v), max(hi, v)
	}
	return lo, hi
}
