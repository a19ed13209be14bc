package di

import (
	"github.com/illm-go/illm/pkg/quant"
	"github.com/illm-go/illm/pkg/simd/vec"
)

// Keys holds the headers of one KV head's cached tokens, an array a field, index = position.
type Keys struct {
	M    []uint32
	K    []int32
	Zero []int32 // z' = z − Offset(bits): zero point of what the product sees
	Sum  []int32 // ΣK' over head_dim
	KMin []int32 // KMin[j] = min K[0…j]
	KMax []int32 // KMax[j] = max K[0…j]
}

// Values is Keys for the value cache; Sum is unused there.
type Values = Keys

// NewKeys returns headers for up to n cached tokens.
func NewKeys(n int) *Keys {
	buf := make([]int32, 5*n)
	return &Keys{M: make([]uint32, n), K: buf[:n:n], Zero: buf[n : 2*n : 2*n], Sum: buf[2*n : 3*n : 3*n], KMin: buf[3*n : 4*n : 4*n], KMax: buf[4*n:]}
}

// Extend brings the running extremes of the exponents up to the tokens [from, to), whose headers are set.
func (c *Keys) Extend(from, to int) {
	for t := from; t < to; t++ {
		c.KMin[t], c.KMax[t] = c.K[t], c.K[t]
		if t > 0 {
			c.KMin[t], c.KMax[t] = min(c.K[t], c.KMin[t-1]), max(c.K[t], c.KMax[t-1])
		}
	}
}

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
