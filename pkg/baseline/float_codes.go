package baseline

import (
	"errors"
	"math"

	"github.com/illm-go/illm/pkg/di"
	"github.com/illm-go/illm/pkg/dyadic"
	"github.com/illm-go/illm/pkg/quant"
	"github.com/illm-go/illm/pkg/simd/fvec"
)

var errFloatRow = errors.New("baseline: row longer than the worker's maxRow")

// codes quantises a row, lo ≤ 0 ≤ hi its finite range, to codes of 2…8 bits over the part ratio of the range. A row that
// reaches no further than 2^−100 becomes zeros.
//
// Error: half a step, one at the clamped ends; the scale's mantissa has w.mantissa bits, as the integer form's.
func (w *floatWorker) codes(dst []uint8, x []float32, lo, hi float32, ratio di.Ratio, bits int) quant.RowParams {
	if ratio != 0 {
		rho := float32(ratio) / di.RatioOne
		lo, hi = lo*rho, hi*rho
	}
	if !(hi-lo > 0x1p-100) {
		clear(dst[:len(x)])
		one := dyadic.One(w.mantissa)
		return quant.RowParams{M: one.M, K: one.K}
	}
	top := int32(1)<<bits - 1
	c := float32(top) / (hi - lo)
	z := int32(math.RoundToEven(float64(-lo * c)))
	sum := fvec.Codes(dst[:len(x)], x, c, z, top)
	s := fitFloat(float64(hi-lo)/float64(top), w.mantissa)
	return quant.RowParams{M: s.M, K: s.K, Zero: z, Sum: sum}
}

// fitFloat is the Scale of the given mantissa width nearest to x > 0.
func fitFloat(x float64, bits int) dyadic.Scale {
	f, e := math.Frexp(x) // x = f·2^e, ½ ≤ f < 1
	m := uint32(math.Round(math.Ldexp(f, bits)))
	if m == 1<<bits {
		m, e = m>>1, e+1
	}
	return dyadic.Scale{M: m, K: int32(bits - e)}
}

// product finishes the input of down_proj: the rotation, where there is one, runs on integers of 30 bits.
func (w *floatWorker) product(dst []uint8, x []float32, lo, hi float32, p di.Product, bits int) quant.RowParams {
	if p.Rotate == nil {
		return w.codes(dst, x, lo, hi, p.Ratio, bits)
	}
	if len(w.back) < len(x) {
		w.back = make([]int64, len(x))
	}
	_, e := math.Frexp(math.Max(float64(hi), float64(-lo)))
	c := math.Ldexp(1, 30-e)
	y := w.back[:len(x)]
	for i, v := range x {
		y[i] = int64(math.RoundToEven(float64(v) * c))
	}
	l, h := di.MinMax(y)
	return p.Requant(dst, y, l, h, 1<<15, int32(30-e)+15, bits, w.mantissa)
}
