package baseline

import (
	"github.com/illm-go/illm/pkg/di"
	"github.com/illm-go/illm/pkg/simd/fvec"
)

// Softmax implements di.Worker: e = round(2^30·softmax(s·m/2^k)), maximum, difference, exponential, sum and quotient in
// floats. lo and hi are the row's plain range.
//
// Error: that of fvec.Softmax, and half a unit. The largest probability of n ≤ 65535 keys is at least 1/n, so the largest
// numerator is positive.
func (w *floatWorker) Softmax(e []int32, s []int64, lo, hi int64, m uint32, k int32) {
	if w.ops&OpSoftmax == 0 {
		w.Worker.Softmax(e, s, lo, hi, m, k)
		return
	}
	n := len(s)
	x, c := floatRow(w.x, n), stepOf(m, k)
	p := w.fits(max(float32(hi), -float32(lo)) * c)
	fvec.FromInt64(x, s, c, p)
	fvec.SoftmaxQ30(e[:n], x, p.Round(float32(hi)*c), p)
	w.counts.add(n, n)
}

// SoftmaxWeights implements di.Weigher: where the softmax is the integer worker's own, so is its way to the weights.
func (w *floatWorker) SoftmaxWeights(nlo, nhi []uint8, e []int32, row, s []int64, least, lo, hi int64, m uint32, k int32, vals *di.Values) di.PVRow {
	if w.ops&OpSoftmax == 0 {
		return di.SoftmaxWeights(w.Worker, nlo, nhi, e, row, s, least, lo, hi, m, k, vals)
	}
	w.Softmax(e[:len(s)], s, lo, hi, m, k)
	return di.Weights(nlo, nhi, row, e[:len(s)], vals, len(s))
}
