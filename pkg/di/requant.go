package di

import (
	"github.com/illm-go/illm/pkg/dyadic"
	"github.com/illm-go/illm/pkg/intmath"
	"github.com/illm-go/illm/pkg/quant"
)

// grid maps a range of length R > 0 onto n-bit codes: code(t) = round((t>>s)·g / 2^h).
type grid struct {
	s, h uint
	g    int64
	rr   int64 // R' = R>>s, 1 … 2^31−1
}

// newGrid is steps 1 and 2 of the dynamic requantisation: the only division by the range. r is the part of the whole
// range that the codes cover, at least one half of it but for rounding (see Ratio), else the same number.
func newGrid(whole, r int64, bits int) grid {
	s := uint(max(0, intmath.ILog2(uint64(whole))-30))
	rr := r >> s
	h := uint(intmath.ILog2(uint64(rr)) + 31 - bits)
	return grid{s: s, h: h, rr: rr, g: intmath.DivRound((1<<uint(bits)-1)<<h, rr)}
}

// zero is the code of the value 0 in a range that starts at lo ≤ 0.
func (q grid) zero(lo int64) int64 {
	return ((-lo>>q.s)*q.g + 1<<(q.h-1)) >> q.h
}

// scale is the scale of the codes for units of m/2^k.
func (q grid) scale(m uint32, k int32, bits, mantissa int) (uint32, int32) {
	f := dyadic.Fit(uint64(q.rr)*uint64(m), 1<<uint(bits)-1, mantissa)
	return f.M, f.K + k - int32(q.s)
}

// Requant quantises a row dynamically to codes of 2…8 bits with its own zero point and scale.
//
// In: T int64 [n] in steps of m/2^k, m < 2^16, |T| < 2^60, and its range lo = min(0, min T), hi = max(0, max T)
// as Accumulate, MinMax and RoPE.Rotate return it. Out: dst[:n], and the header with Sum = Σ dst; the scale's
// mantissa has the given width. A row of zeros becomes codes 0 of scale 1.
// Error: 0.5 steps (1 at the clamped ends), mean 0.25; 0 is exact. Gain of the scale: 2^−mantissa.
//
// Source: I-LLM, equations (2)–(8). Departure: one rounding of T/s instead of two, and a range that includes 0.
func Requant(dst []uint8, t []int64, lo, hi int64, m uint32, k int32, bits, mantissa int) quant.RowParams {
	return Ratio(RatioOne).Requant(dst, t, lo, hi, m, k, bits, mantissa)
}

// Requant16 is Requant for 2…16 bits.
func Requant16(dst []uint16, t []int64, lo, hi int64, m uint32, k int32, bits, mantissa int) quant.RowParams {
	return Ratio(RatioOne).Requant16(dst, t, lo, hi, m, k, bits, mantissa)
}

func zeroRow(mantissa int) quant.RowParams {
	one := dyadic.One(mantissa)
	return quant.RowParams{M: one.M, K: one.K}
}
