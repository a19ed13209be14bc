package di

import (
	"github.com/illm-go/illm/pkg/intmath"
	"github.com/illm-go/illm/pkg/quant"
	"github.com/illm-go/illm/pkg/simd/vec"
)

// Ratio is ρ, the part of a row's range that a requantisation keeps, in Q15: lo and hi become ⌊|lo|·ρ/2^15⌋ and
// ⌊|hi|·ρ/2^15⌋ with their signs, and what lies beyond saturates. 0 stands for RatioOne, so that the zero value of what
// holds a Ratio changes nothing.
//
// Source: the clipping of activations that OmniQuant and QuaRot search per site, here on the dynamic range of each row.
type Ratio int32

// RatioOne is 1, MinRatio one half: the least that is taken (see Requant).
const (
	RatioOne = 1 << 15
	MinRatio = 1 << 14
)

// cut returns the range that is kept, rounded towards zero. |lo|, hi < 2^61: the product is split, hi·ρ would overflow.
func (r Ratio) cut(lo, hi int64) (int64, int64) {
	if r == 0 || r == RatioOne {
		return lo, hi
	}
	if r < MinRatio || r > RatioOne {
		panic(errRatio)
	}
	return -r.floor(-lo), r.floor(hi)
}

// floor is ⌊x·ρ/2^15⌋ for x ≥ 0: exact, as the upper part of x gives whole steps.
func (r Ratio) floor(x int64) int64 {
	return intmath.Asr(x, 15)*int64(r) + intmath.Asr(x&(1<<15-1)*int64(r), 15)
}

// Requant is di.Requant over the part r of the row's range; lo and hi are the whole row's. The grid's shift is that of
// the whole range, so that T>>s stays below 2^31 and products below 2^62 for every ratio; with r ≥ ½ the kept range
// still has 29 of its 31 bits. A row whose kept range is 0, of entries −1, 0, 1 alone, becomes zeros.
func (r Ratio) Requant(dst []uint8, t []int64, lo, hi int64, m uint32, k int32, bits, mantissa int) quant.RowParams {
	dst = dst[:len(t)]
	whole := hi - lo
	if lo, hi = r.cut(lo, hi); hi == lo {
		clear(dst)
		return zeroRow(mantissa)
	}
	q := newGrid(whole, hi-lo, bits)
	z := q.zero(lo)
	sum := vec.Requant(dst, t, q.s, q.g, q.h, z, 1<<uint(bits)-1)
	m, k = q.scale(m, k, bits, mantissa)
	return quant.RowParams{M: m, K: k, Zero: int32(z), Sum: int32(sum)}
}

// RequantPending is Requant of a row that vec holds.
func (r Ratio) RequantPending(dst []uint8, row *vec.Pending, lo, hi int64, m uint32, k int32, bits, mantissa int) quant.RowParams {
	whole := hi - lo
	if lo, hi = r.cut(lo, hi); hi == lo {
		clear(dst)
		return zeroRow(mantissa)
	}
	q := newGrid(whole, hi-lo, bits)
	z := q.zero(lo)
	sum := row.Requant(dst, q.s, q.g, q.h, z, 1<<uint(bits)-1)
	m, k = q.scale(m, k, bits, mantissa)
	return quant.RowParams{M: m, K: k, Zero: int32(z), Sum: int32(sum)}
}

// Requant16 is Requant for 2…16 bits.
func (r Ratio) Requant16(dst []uint16, t []int64, lo, hi int64, m uint32, k int32, bits, mantissa int) quant.RowParams {
	dst = dst[:len(t)]
	whole := hi - lo
	if lo, hi = r.cut(lo, hi); hi == lo {
		clear(dst)
		return zeroRow(mantissa)
	}
	q := newGrid(whole, hi-lo, bits)
	z := q.zero(lo)
	sum := vec.Requant16(dst, t, q.s, q.g, q.h, z, 1<<uint(bits)-1)
	m, k = q.scale(m, k, bits, mantissa)
	return quant.RowParams{M: m, K: k, Zero: int32(z), Sum: int32(sum)}
}

// Product is what happens to the input of down_proj between its operator and its requantisation; the zero value is
// nothing.
type Product struct {
	Rotate *Hadamard // over all channels
	Ratio  Ratio
	Static *Static // nil: dynamic, over Ratio of the row's range
	Twice  bool    // see Site
}

// Requant rotates y in place where p does so and requantises it to dst[:len(y)].
func (p Product) Requant(dst []uint8, y []int64, lo, hi int64, m uint32, k int32, bits, mantissa int) quant.RowParams {
	if p.Rotate != nil {
		m, k, lo, hi = p.Rotate.Apply(y, m, k)
	}
	return Site{p.Ratio, p.Static, p.Twice}.Requant(dst, y, lo, hi, m, k, bits, mantissa)
}
