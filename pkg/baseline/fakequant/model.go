package fakequant

import (
	"math"

	"github.com/illm-go/illm/pkg/floatref"
	"github.com/illm-go/illm/pkg/model"
	"github.com/illm-go/illm/pkg/quant"
)

// Options of New; the zero value simulates the quantisers alone, all of them.
type Options struct {
	Threads int // as in floatref.Options

	// Shapes computes e^x in the softmax and in the sigmoid by the piecewise formula of the spec's mode
	// (DI-Exp; DI-Exp+ in mode precise) instead of the true function. OPT has no sigmoid.
	Shapes bool

	// Skip leaves single activation sites in float, to see what each costs.
	Skip [floatref.Sites]bool

	// FloatWeights leaves the weights of the block linears in float, FloatHead head and embedding.
	FloatWeights, FloatHead bool

	// Tap, if not nil, sees every site after the quantiser; Before sees it first, and may change what is quantised: the
	// online Hadamard transforms of package smooth.
	Tap, Before floatref.Tap

	// Alpha gives the gains of the gate, as in floatref.Options.
	Alpha func(layer int) []float32

	// Clip gives the clipping ratios of a matrix "model.layers.0.mlp.up_proj", [out] each or nil: its grids span
	// lo_j·min(0, min W_j) … hi_j·max(0, max W_j).
	Clip func(name string) (lo, hi []float32)

	// Rounder chooses the codes of the blocks' linears, on these grids; nil rounds to nearest.
	Rounder Rounder

	// Clips is one clip value a layer in place of the spec's, which must be the default then; nil: the spec's in all of them.
	Clips quant.Clips

	// Ratio gives the part of a row's dynamic range that the quantiser of a site keeps, above 0 and at most 1; nil: 1.
	Ratio func(site floatref.Site, layer int) float64
}

// Rounder is that of package ptq: codes [out, in] of one matrix whose row j stands for scale_j·(code − zero_j), or nil
// for rounding to nearest. name is that of the tensor without ".weight".
type Rounder interface {
	Round(name string, w []float32, out, in, bits int, scale, zero []float64) (codes []uint8, err error)
}

// New returns the float simulation of spec on the weights of m: a language model for package eval.
// m may be closed afterwards.
func New(m *model.Model, spec quant.Spec, opt Options) (*floatref.Model, error) {
	return NewFrom(m.Config, m, spec, opt)
}

// NewFrom is New for weights of any source.
func NewFrom(cfg model.Config, src floatref.Source, spec quant.Spec, opt Options) (*floatref.Model, error) {
	p, err := NewPlan(cfg, src, spec, opt)
	if err != nil {
		return nil, err
	}
	t := &tap{plan: p, spec: spec}
	fo := floatref.Options{Threads: opt.Threads, Alpha: opt.Alpha}
	if opt.Shapes {
		exp := Exp
		if spec.Mode == quant.Precise {
			exp = ExpPlus
		}
		t.exp = exp
		fo.SiLU = func(x float32) float32 { return x * sigmoid(exp, x) }
	}
	taps := floatref.Taps{t}
	if opt.Before != nil {
		taps = floatref.Taps{opt.Before, t}
	}
	if opt.Tap != nil {
		taps = append(taps, opt.Tap)
	}
	fo.Tap = taps
	return floatref.NewFrom(p.Config, p.Weights, fo)
}

// tap rounds activations.
type tap struct {
	plan *Plan
	spec quant.Spec
	exp  func(float32) float32
}

// Tap implements floatref.Tap.
func (t *tap) Tap(b *floatref.Block) {
	n := t.plan.Bits[b.Site]
	if n == 0 {
		return
	}
	if b.Site == floatref.Scores {
		clip := float32(t.plan.Clip(b.Layer))
		for r := range b.Rows {
			t.scores(b.Row(r), n, clip)
		}
		return
	}
	part := t.plan.Ratio(b.Site, b.Layer)
	for r := range b.Rows {
		Part(b.Row(r), n, part)
	}
}

// scores rounds one row of visible scores. With a formula for e^x the row becomes the logarithm of its values,
// so that the softmax of the reference returns them.
func (t *tap) scores(x []float32, bits int, clip float32) {
	step := Distances(x, bits, clip)
	if t.exp == nil || !(step > 0) {
		return
	}
	if bits > 8 {
		for i, v := range x {
			x[i] = float32(math.Log(float64(t.exp(v))))
		}
		return
	}
	var logs [256]float32
	for d := range 1 << bits {
		logs[d] = float32(math.Log(float64(t.exp(-float32(d) * step))))
	}
	for i, v := range x {
		x[i] = logs[int32(0.5-v/step)]
	}
}
