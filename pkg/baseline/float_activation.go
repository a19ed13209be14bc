package baseline

import (
	"math"

	"github.com/illm-go/illm/pkg/di"
	"github.com/illm-go/illm/pkg/quant"
	"github.com/illm-go/illm/pkg/simd/fvec"
)

// alpha returns the act-smooth factors α_c/2^KAlpha as floats; nil: 1.
func (w *floatWorker) alpha(p *di.GLU) []float32 {
	if p == nil || p.Alpha == nil {
		return nil
	}
	a := w.alphas[p]
	if a == nil {
		a = make([]float32, len(p.Alpha))
		for i, v := range p.Alpha {
			a[i] = w.precision.Round(float32(math.Ldexp(float64(v), -int(p.KAlpha))))
		}
		if w.alphas == nil {
			w.alphas = map[*di.GLU][]float32{}
		}
		w.alphas[p] = a
	}
	return a
}

// codeValues fills x with the values of a quantised row.
func codeValues(x []float32, r di.Row, p fvec.Precision) {
	if r.Codes16 != nil {
		fvec.FromCodes16(x, r.Codes16, r.Zero, stepOf(r.M, r.K), p)
	} else {
		fvec.FromCodes(x, r.Codes, r.Zero, stepOf(r.M, r.K), p)
	}
}

// reachOf is the largest magnitude that a code of the row can have.
func reachOf(r di.Row) float32 {
	if r.Codes16 != nil {
		return stepOf(r.M, r.K) * 65535
	}
	return stepOf(r.M, r.K) * 255
}

// SwiGLU implements di.Worker: gate·σ(α·gate)·up in floats, then codes. A row whose product half precision cannot hold is
// computed in float32 and counted.
func (w *floatWorker) SwiGLU(dst []uint8, gate, up di.Row, p *di.GLU, bits int) quant.RowParams {
	if w.ops&OpActivation == 0 {
		return w.Worker.SwiGLU(dst, gate, up, p, bits)
	}
	n := max(len(gate.Codes), len(gate.Codes16))
	x, y, alpha := floatRow(w.x, n), floatRow(w.y, n), w.alpha(p)
	precision := w.fits(max(reachOf(gate), reachOf(up)))
	var lo, hi float32
	for {
		codeValues(x, gate, precision)
		codeValues(y, up, precision)
		fvec.SwiGLU(x, x, y, alpha, precision)
		lo, hi = fvec.Extremes(x)
		if hi-lo <= math.MaxFloat32 || precision == fvec.Single {
			break
		}
		w.counts.overflows.Add(1)
		precision = fvec.Single
	}
	w.counts.add(2*n, n)
	var after di.Product
	if p != nil {
		after = p.Product
	}
	return w.product(dst, x, lo, hi, after, bits)
}

// ReLU implements di.Worker: max(t, 0) in floats, then codes. Without a rotation the maximum is what the lower end of the
// grid does to the rest of the row.
func (w *floatWorker) ReLU(dst []uint8, t []int64, lo, hi int64, m uint32, k int32, p di.Product, bits int) quant.RowParams {
	if w.ops&OpActivation == 0 {
		return w.Worker.ReLU(dst, t, lo, hi, m, k, p, bits)
	}
	x, c := floatRow(w.x, len(t)), stepOf(m, k)
	precision := w.fits(max(float32(hi), -float32(lo)) * c)
	fvec.FromInt64(x, t, c, precision)
	w.counts.add(len(t), len(t))
	if p.Rotate != nil {
		for i, v := range x {
			x[i] = max(v, 0)
		}
	}
	return w.product(dst, x, 0, precision.Round(float32(hi)*c), p, bits)
}
