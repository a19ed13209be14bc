package baseline

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/illm-go/illm/pkg/di"
	"github.com/illm-go/illm/pkg/dyadic"
	"github.com/illm-go/illm/pkg/quant"
	"github.com/illm-go/illm/pkg/simd/vec"
)

// Forms in which an exponential is timed.
const (
	FormDirect  = "direct"  // every code on its own: what 16-bit scores need
	FormTable   = "table"   // a table of 256 for the row, then a look-up a code: 8-bit scores
	FormSoftmax = "softmax" // codes and numerators from a row of scores, steps 1 to 3 of DI-ClippedSoftmax
)

// ExpRow is an exponential set up on one row of scores, for a clock.
type ExpRow struct {
	form    string
	eval    evaluator
	scale   dyadic.Scale
	codes   []int32
	e       []int32
	scores  []int64
	lo, hi  int64
	worker  di.Worker
	all     [256]int32
	numbers [256]int32
}

// NewExpRow sets n scores up, normal with deviation 2.5, in codes of so many bits under the default clip. FormTable is
// for at most 8 bits. Exponentials in floating point have FormSoftmax alone, and there are what a float unit would run:
// the softmax of Float32 or Half, with its division and without codes; float64 has none.
func NewExpRow(name, form string, n, bits int) (*ExpRow, error) {
	x, err := findExp(name)
	if err != nil {
		return nil, err
	}
	if n < 1 || n > di.MaxKeys || bits < 2 || bits > 16 || form == FormTable && bits > 8 {
		return nil, fmt.Errorf("baseline: time %s: form %s, row of %d, %d bits: expected 1 … %d keys, 2 … 16 bits, a table for at most 8", name, form, n, bits, di.MaxKeys)
	}
	spec, err := quant.NewSpec("w8a8", "", "")
	if err != nil {
		return nil, err
	}
	ops, err := WithExp(spec, fmt.Sprintf("%s/s%d", name, bits))
	if err != nil {
		return nil, err
	}
	if x.Float {
		switch {
		case form == FormSoftmax && name == "float32":
			ops = Float32(spec, OpSoftmax)
		case form == FormSoftmax && name == "half":
			ops = Half(spec, OpSoftmax)
		default:
			return nil, fmt.Errorf("baseline: time %s: form %s: expected float32 or half as %s", name, form, FormSoftmax)
		}
	}
	r := &ExpRow{form: form, eval: x.build(spec.Clip), worker: ops.NewWorker(n), codes: make([]int32, n), e: make([]int32, n), scores: make([]int64, n)}
	const k = 40 // steps of 2^15/2^55
	rng := rand.New(rand.NewPCG(uint64(n), 1))
	for j := range r.scores {
		r.scores[j] = int64(rng.NormFloat64() * 2.5 * (1 << k))
	}
	r.lo, r.hi = slices.Min(r.scores), slices.Max(r.scores)
	full := int64(15) << k
	top := int64(1)<<uint(bits) - 1
	r.scale = scaleOf(spec.Clip, bits)
	for j, s := range r.scores {
		r.codes[j] = int32(min(r.hi-s, full) >> 20 * top / (full >> 20))
	}
	for i := range r.all {
		r.all[i] = int32(i)
	}
	switch form {
	case FormDirect, FormTable, FormSoftmax:
		return r, nil
	}
	return nil, fmt.Errorf("baseline: time %s: form %q: expected %s, %s or %s", name, form, FormDirect, FormTable, FormSoftmax)
}

// Run computes the row's numerators once and returns them; they are the row's own and live until the next Run.
func (r *ExpRow) Run() []int32 {
	switch r.form {
	case FormDirect:
		r.eval.fill(r.e, r.codes, r.scale.M, r.scale.K)
	case FormTable:
		r.eval.fill(r.numbers[:], r.all[:], r.scale.M, r.scale.K)
		vec.ExpLookup(r.e, r.codes, &r.numbers)
	default:
		r.worker.Softmax(r.e, r.scores, r.lo, r.hi, 1<<15, 55)
	}
	return r.e
}
