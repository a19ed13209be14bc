package baseline

import (
	"math"

	"github.com/illm-go/illm/pkg/di"
	"github.com/illm-go/illm/pkg/quant"
	"github.com/illm-go/illm/pkg/simd/fvec"
)

// normConstants are those of a di.Norm as floats: γ_c/s_c = Γ_c/(√n·2^KGamma), β_c = β/2^(30+KGamma), ε = E/(n·4^KR), and
// the residual's step.
type normConstants struct {
	gamma, beta []float32 // of w.precision
	exact       []float32 // γ in float32
	exactBeta   []float32
	eps, step   float32
}

func newNormConstants(p *di.Norm, precision fvec.Precision) *normConstants {
	n := len(p.Gamma)
	root := math.Sqrt(float64(n))
	c := &normConstants{exact: make([]float32, n), eps: float32(math.Ldexp(float64(p.E)/float64(n), -2*int(p.KR))), step: float32(math.Ldexp(1, -int(p.KR)))}
	for i, g := range p.Gamma {
		c.exact[i] = float32(math.Ldexp(float64(g)/root, -int(p.KGamma)))
	}
	for _, b := range p.Beta {
		c.exactBeta = append(c.exactBeta, float32(math.Ldexp(float64(b), -30-int(p.KGamma))))
	}
	c.gamma, c.beta = c.exact, c.exactBeta
	if precision == fvec.Half {
		c.gamma, c.beta = roundedRow(c.exact, precision), roundedRow(c.exactBeta, precision)
	}
	return c
}

// roundedRow is a copy of x in precision p; nil stays nil.
func roundedRow(x []float32, p fvec.Precision) []float32 {
	var out []float32
	for _, v := range x {
		out = append(out, p.Round(v))
	}
	return out
}

// Norm implements di.Worker: RMSNorm or LayerNorm in floats, then codes on the result's own range. A row whose mean
// square half precision cannot hold is computed in float32 and counted.
func (w *floatWorker) Norm(dst []uint8, h []int32, p *di.Norm, bits int) quant.RowParams {
	if w.ops&OpNorm == 0 {
		return w.Worker.Norm(dst, h, p, bits)
	}
	c := w.norms[p]
	if c == nil {
		c = newNormConstants(p, w.precision)
		if w.norms == nil {
			w.norms = map[*di.Norm]*normConstants{}
		}
		w.norms[p] = c
	}
	x := floatRow(w.x, len(h))
	fvec.FromInt32(x, h, c.step, w.precision)
	if factor := w.normalise(x, c.gamma, c.beta, c.eps, p.Layer, w.precision); factor == 0 {
		w.counts.overflows.Add(1)
		fvec.FromInt32(x, h, c.step, fvec.Single)
		w.normalise(x, c.exact, c.exactBeta, c.eps, p.Layer, fvec.Single)
	}
	lo, hi := fvec.Extremes(x)
	w.counts.add(len(h), len(h))
	return w.codes(dst, x, lo, hi, p.Ratio, bits)
}

func (w *floatWorker) normalise(x, gamma, beta []float32, eps float32, layer bool, p fvec.Precision) (factor float32) {
	if layer {
		return fvec.LayerNorm(x, x, gamma, beta, eps, p)
	}
	return fvec.RMSNorm(x, x, gamma, eps, p)
}
