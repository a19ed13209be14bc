package di

import (
	"github.com/illm-go/illm/pkg/quant"
	"github.com/illm-go/illm/pkg/simd/vec"
)

// Offset is the number subtracted from a key or value code of the given width before it is stored: 128 for 8 bits
// (the signed side of a u8×s8 product), 0 otherwise.
func Offset(bits int) int32 {
	if bits == 8 {
		return 128
	}
	return 0
}

// Scores turns the raw products of one query row with its visible keys 0 … n−1 into scores on one scale:
// S_j = round((Σ(Q−z_q)(K_j−z_kj)·m_kj)·2^16 / 2^(k_kj−k_min)), k_min over the visible keys alone, so that a
// token's scores do not depend on what follows it. It returns the plain minimum and maximum and k of the row scale
// (q.M, k).
//
// In: acc[j] = ΣQK'_j over the stored codes, dim the head dimension ≤ 256. Range: |S| < 2^56. Exact while key scales
// differ by less than 2^16. n ≥ 1.
//
// Source: ours; 1/√d is folded into the query weights at export.
func Scores(s []int64, acc []int32, q quant.RowParams, keys *Keys, n, dim int) (lo, hi int64, k int32) {
	kmin := keys.KMin[n-1]
	c := q.Sum - int32(dim)*q.Zero
	lo, hi = vec.Scores(s[:n], acc, keys.Sum, keys.Zero, keys.K, keys.M, q.Zero, c, kmin)
	return lo, hi, q.K + kmin + 16
}
