package baseline

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/illm-go/illm/pkg/di"
	"github.com/illm-go/illm/pkg/dyadic"
	"github.com/illm-go/illm/pkg/intmath"
	"github.com/illm-go/illm/pkg/quant"
	"github.com/illm-go/illm/pkg/simd/vec"
)

// WithExp returns the integer operators of spec with another exponential in the softmax: the same distance codes, clip,
// scale and normalisation around it. name is that of an Exponential, and may go on with
//
//	/sigmoid   the sigmoid of SwiGLU has it too
//	/sN        scores of N bits, 2 … 16, instead of the spec's
//	/pN        probabilities of N bits, 2 … 15, rounded before the values' scales come in
//
// as in "taylor3/sigmoid/s16". Everything else is di.Integer's.
func WithExp(spec quant.Spec, name string) (di.Operators, error) {
	if err := spec.Validate(); err != nil {
		return nil, fmt.Errorf("baseline: %w", err)
	}
	base, options, _ := strings.Cut(name, "/")
	x, err := findExp(base)
	if err != nil {
		return nil, err
	}
	o := &rivalOperators{Operators: di.Integer(spec), name: "exp:" + name, exp: x, eval: x.build(spec.Clip),
		score: spec.Effective().Score, mantissa: spec.MantissaBits}
	o.clip, o.clipped = spec.Clip.Scale()
	for _, option := range strings.Split(options, "/") {
		if err := o.set(option); err != nil {
			return nil, fmt.Errorf("baseline: exponential %q: %w", name, err)
		}
	}
	return o, nil
}

// set takes one of WithExp's options.
func (o *rivalOperators) set(option string) error {
	if option == "" {
		return nil
	}
	if option == "sigmoid" {
		o.sigmoid = true
		return nil
	}
	n, err := strconv.Atoi(option[1:])
	switch {
	case err == nil && option[0] == 's' && 2 <= n && n <= 16:
		o.score = n
	case err == nil && option[0] == 'p' && 2 <= n && n <= di.ProbBits:
		o.prob = n
	default:
		return fmt.Errorf("option %q: expected sigmoid, s2 … s16 or p2 … p%d", option, di.ProbBits)
	}
	return nil
}

// rivalOperators is di.Integer with another exponential.
type rivalOperators struct {
	di.Operators
	name     string
	exp      Exponential
	eval     evaluator
	score    int // n_s
	prob     int // bits of a probability; 0: left to di.Weights
	mantissa int
	clip     dyadic.Scale
	clipped  bool
	sigmoid  bool
}

func (o *rivalOperators) Name() string { return o.name }

func (o *rivalOperators) NewWorker(maxRow int) di.Worker {
	w := &rivalWorker{Worker: o.Operators.NewWorker(maxRow), o: o, codes: make([]int32, max(maxRow, 0))}
	if o.sigmoid {
		w.y = make([]int64, max(maxRow, 0))
	}
	for i := range w.all {
		w.all[i] = int32(i)
	}
	return w
}

type rivalWorker struct {
	di.Worker
	o     *rivalOperators
	codes []int32 // of a row
	y     []int64 // a product before its requantisation
	all   [256]int32
	table [256]int32
}

// longRow is the length from which a row of 8-bit codes looks its numerators up in a table of its own. The bits are the
// same on both sides.
const longRow = 256

// Softmax is steps 1 to 3 of DI-ClippedSoftmax (algorithm reference, 4.4) with the exponential at hand: the same codes as
// di's, bit for bit (TestSoftmaxIsDI).
func (w *rivalWorker) Softmax(e []int32, s []int64, lo, hi int64, m uint32, k int32) {
	o := w.o
	e = e[:len(s)]
	r := o.rangeOf(s, lo, hi, m, k)
	if r == 0 {
		for j := range e {
			e[j] = 1 << 30
		}
		return
	}
	top := int64(1)<<uint(o.score) - 1
	s1 := max(0, intmath.ILog2(uint64(r))-30)
	rr := intmath.Asr(r, s1)
	h := intmath.ILog2(uint64(rr)) + 31 - o.score
	g := intmath.DivRound(top<<uint(h), rr)
	codes := w.codes[:len(s)]
	vec.DistanceCodes(codes, s, hi, r, uint(s1), g, uint(h), top)
	f := dyadic.Fit(uint64(rr)*uint64(m), uint64(top), o.mantissa)
	w.exponentials(e, codes, top, f.M, f.K+k-int32(s1))
	if o.prob > 0 {
		shorten(e, o.prob)
	}
}

// rangeOf is the range of a row's distances after the clip, 0 for a row of equal scores.
func (o *rivalOperators) rangeOf(s []int64, lo, hi int64, m uint32, k int32) int64 {
	r := hi - lo
	if r == 0 {
		return 0
	}
	c, ok := int64(0), false
	switch {
	case o.exp.Clips:
		c, ok = exaqClip(s, lo, hi, m, k, o.score)
	case o.clipped:
		c, ok = di.ClipRange(o.clip, m, k)
	}
	if ok {
		r = min(r, max(c, 1))
	}
	return r
}

// exponentials sets e[j] to the exponential of codes[j] ≤ top, through a table of the row where that is shorter.
func (w *rivalWorker) exponentials(e, codes []int32, top int64, m uint32, k int32) {
	if top > 255 || len(e) < longRow || w.o.exp.Direct {
		w.o.eval.fill(e, codes, m, k)
		return
	}
	w.o.eval.fill(w.table[:top+1], w.all[:top+1], m, k)
	vec.ExpLookup(e, codes, &w.table)
}

// shorten replaces numerators by probabilities of so many bits, round(e·2^bits/Σe), in Q30 again. Many nearly equal keys
// may all become 0: that is what a short probability does, and the row has no mass then.
func shorten(e []int32, bits int) {
	sum := int64(0)
	for _, v := range e {
		sum += int64(v)
	}
	if sum <= 0 {
		return
	}
	l := intmath.ILog2(uint64(sum))
	norm := sum << uint(max(0, 30-l))
	if l > 30 {
		norm = intmath.Asr(sum, l-30)
	}
	c := intmath.DivRound(1<<61, norm)
	for j, v := range e {
		e[j] = int32(intmath.RoundShift(int64(v)*c, 31+l-bits) << uint(30-bits))
	}
}

// SwiGLU is di's, with the exponential at hand in its sigmoid where WithExp was asked for that: E = e^−|x| in Q15,
// σ = 2^30/(2^15 + E), and 2^15 − σ for negative x.
func (w *rivalWorker) SwiGLU(dst []uint8, gate, up di.Row, p *di.GLU, bits int) quant.RowParams {
	if !w.o.sigmoid {
		return w.Worker.SwiGLU(dst, gate, up, p, bits)
	}
	var none di.GLU
	if p == nil {
		p = &none
	}
	n := max(len(gate.Codes), len(gate.Codes16))
	y := w.y[:n]
	lo, hi := int64(0), int64(0)
	for j := range y {
		x, u := code(gate, j), code(up, j)
		d, k := max(x, -x), gate.K
		if p.Alpha != nil {
			d, k = d*int64(p.Alpha[j]), k+p.KAlpha
		}
		sigma := w.o.eval.sigmoid(d, gate.M, k)
		if x < 0 {
			sigma = 1<<15 - sigma
		}
		y[j] = x * sigma * u
		lo, hi = min(lo, y[j]), max(hi, y[j])
	}
	s := dyadic.Scale{M: gate.M, K: gate.K}.Mul(dyadic.Scale{M: up.M, K: up.K}, w.o.mantissa)
	return p.Requant(dst, y, lo, hi, s.M, s.K+15, bits, w.o.mantissa)
}

// sigmoid returns σ of the distance d in steps of m/2^k, Q15: 2^14 at 0, rising to 2^15.
func (v evaluator) sigmoid(d int64, m uint32, k int32) int64 {
	e := intmath.Asr(intmath.Sat(v.at(d, m, k), 0, 1<<30), 15)
	return intmath.DivRound(1<<30, 1<<15+e)
}

// code is X − z of column j.
func code(r di.Row, j int) int64 {
	if r.Codes16 != nil {
		return int64(r.Codes16[j]) - int64(r.Zero)
	}
	return int64(r.Codes[j]) - int64(r.Zero)
}
