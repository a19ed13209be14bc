package di

import (
	"github.com/illm-go/illm/pkg/intmath"
	"github.com/illm-go/illm/pkg/simd/vec"
)

// Weigher is a Worker that takes a row of scores to its weights in one call: SoftmaxWeights is Softmax and Weights, bit for
// bit, and may be faster. least is the plain minimum of s, where lo may be that of a fixed grid. e has a place for the
// numerators, row is scratch: s and what follows it up to a multiple of vec.FoldedBlock.
type Weigher interface {
	SoftmaxWeights(nlo, nhi []uint8, e []int32, row, s []int64, least, lo, hi int64, m uint32, k int32, vals *Values) PVRow
}

// SoftmaxWeights sets nlo and nhi to the weights of one row of visible scores: ops.Softmax, then Weights, or what ops has
// for both. The arguments are theirs and Weigher's.
func SoftmaxWeights(ops Worker, nlo, nhi []uint8, e []int32, row, s []int64, least, lo, hi int64, m uint32, k int32, vals *Values) PVRow {
	if w, ok := ops.(Weigher); ok {
		return w.SoftmaxWeights(nlo, nhi, e, row, s, least, lo, hi, m, k, vals)
	}
	ops.Softmax(e[:len(s)], s, lo, hi, m, k)
	return Weights(nlo, nhi, row, e[:len(s)], vals, len(s))
}

// SoftmaxWeights leaves the numerators in registers where vec has such a pass. Its three passes are: scores to W, at 64 bits
// an element; the sum of what the normalisation keeps of W; the weights.
//
// ΣW, which the row's scale needs to 16 bits, is known from the second pass to n·(2^s−1). Where this leaves a choice, about
// once in 2^14/n rows or less, a fourth pass has it exactly.
func (w *worker) SoftmaxWeights(nlo, nhi []uint8, e []int32, row, s []int64, least, lo, hi int64, m uint32, k int32, vals *Values) PVRow {
	n := len(s)
	if !w.literal && !w.quad && w.score == 8 {
		if d := w.newDistance(lo, hi, m, k); d.r > 0 {
			if scale, shift, ok := vals.folded(n); ok {
				f, ok := vec.FoldExp(row, s, scale, shift, hi, d.r, hi-least, d.s, d.g, d.h, w.log2e(d.m), d.k)
				if ok {
					return weightsOf(&f, nlo, nhi, vals, n)
				}
			}
		}
	}
	w.Softmax(e[:n], s, lo, hi, m, k)
	return Weights(nlo, nhi, row, e[:n], vals, n)
}

// weightsOf is Weights behind its first pass.
func weightsOf(f *vec.Folded, nlo, nhi []uint8, vals *Values, n int) PVRow {
	s := uint(max(0, intmath.ILog2(uint64(f.Top))-30))
	kept := f.SumShift(s)
	nz := normingBy(s, kept)
	sumN, dot := f.Split(nlo, nhi, nz.s, nz.c, nz.n, vals.Zero, vals.zero8)
	row := PVRow{SumN: sumN, ZeroDot: dot}
	scale, ok := rowScaleWithin(kept<<s, int64(n)*(1<<s-1), f.Sum, sumN)
	if !ok {
		scale = rowScale(f.SumShift(0), f.Sum, sumN)
	}
	row.M, row.K = scale.M, scale.K+vals.KMin[n-1]
	return row
}
