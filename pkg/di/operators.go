package di

import (
	"fmt"

	"github.com/illm-go/illm/pkg/dyadic"
	"github.com/illm-go/illm/pkg/intmath"
	"github.com/illm-go/illm/pkg/quant"
	"github.com/illm-go/illm/pkg/simd/vec"
)

// Operators is the set of non-linear operators of a model: what an ablation replaces. Safe for concurrent use.
type Operators interface {
	// Name is the short name that records carry.
	Name() string
	// NewWorker returns operators with scratch for rows of up to maxRow channels or keys.
	NewWorker(maxRow int) Worker
}

// Worker runs the operators of one goroutine.
type Worker interface {
	// Norm normalises a residual row and quantises it, over p.Ratio of its range, to dst[:len(h)] with codes of 2…8 bits.
	Norm(dst []uint8, h []int32, p *Norm, bits int) quant.RowParams
	// Softmax sets e[:len(s)] to the numerators, in Q30, of one row of visible scores in steps of m/2^k, whose plain
	// minimum and maximum are lo and hi; the largest numerator is positive.
	Softmax(e []int32, s []int64, lo, hi int64, m uint32, k int32)
	// SwiGLU sets dst to the codes, 2…8 bits, of gate·σ(gate)·up, as p.Product has it: rotated, over p.Ratio of its range.
	SwiGLU(dst []uint8, gate, up Row, p *GLU, bits int) quant.RowParams
	// ReLU sets dst[:len(t)] to the codes, 2…8 bits, of max(t, 0) for a row in steps of m/2^k whose range is
	// lo = min(0, min t), hi = max(0, max t), as p has it. It may change t.
	ReLU(dst []uint8, t []int64, lo, hi int64, m uint32, k int32, p Product, bits int) quant.RowParams
}

// Clipper is a Worker that can run the softmax under another clip value: what clips by layer need. Clipped returns a
// worker of the same goroutine that differs in c alone; the two share their scratch.
type Clipper interface {
	Clipped(c quant.Clip) Worker
}

// Row is one quantised row: Codes16 for widths above 8 bits, else Codes; true columns only.
type Row struct {
	Codes   []uint8
	Codes16 []uint16
	quant.RowParams
}

// RowOf returns row i of a without its pad.
func RowOf(a *quant.Acts, i int) Row {
	r := Row{RowParams: a.Params[i]}
	if a.Codes16 != nil {
		r.Codes16 = a.Row16(i)[:a.Cols]
	} else {
		r.Codes = a.Row(i)[:a.Cols]
	}
	return r
}

// integer is the operator set of the modes illm and precise.
type integer struct {
	name     string
	quad     bool // DI-Exp+ with 94548/2^16, else DI-Exp with 1.4375
	score    int  // n_s
	mantissa int  // B
	clip     dyadic.Scale
	clipped  bool
	literal  bool     // mode published: the exponential and the sigmoid as printed
	sigma    []uint16 // σ⁺ of E: round(2^30/(2^15+E)), E = 0…2^15
}

// Integer returns the integer operators of spec. Panics if spec.Validate reports an error.
func Integer(spec quant.Spec) Operators {
	if err := spec.Validate(); err != nil {
		panic(fmt.Errorf("%w: %w", errSpec, err))
	}
	o := &integer{
		name:     string(spec.Mode),
		quad:     spec.Mode == quant.Precise,
		score:    spec.Effective().Score,
		mantissa: spec.MantissaBits,
		literal:  spec.Mode == quant.Published,
		sigma:    sigmaTable(),
	}
	o.clip, o.clipped = spec.Clip.Scale()
	return o
}

func (o *integer) Name() string { return o.name }

func (o *integer) NewWorker(maxRow int) Worker {
	return &worker{integer: o, row: vec.NewPending(maxRow)}
}

type worker struct {
	*integer
	row   vec.Pending // before requantisation
	gates [256]uint16
}

// Clipped implements Clipper.
func (w *worker) Clipped(c quant.Clip) Worker {
	o := *w.integer
	o.clip, o.clipped = c.Scale()
	return &worker{integer: &o, row: w.row}
}

// scratch returns n entries of the row buffer.
func (w *worker) scratch(n int) []int64 {
	if n > w.row.Cap() {
		panic(errRow)
	}
	return w.row.Row(n)
}

// log2e returns m·log2(e) for the exponential in use: 1.4375 by shifts (DI-Exp), or 94548/2^16 (DI-Exp+).
func (o *integer) log2e(m uint32) int64 { return Log2E(m, o.quad) }

// Log2E returns m_f, the mantissa of the scale in octaves: m·1.4375 = m + m/2 − m/16 by shifts as the paper has it, or
// m·94548/2^16 when exact is set. m < 2^16, m_f < 2^17.
func Log2E(m uint32, exact bool) int64 {
	v := int64(m)
	if exact {
		return intmath.Asr(v*94548, 16)
	}
	return v + intmath.Asr(v, 1) - intmath.Asr(v, 4)
}
