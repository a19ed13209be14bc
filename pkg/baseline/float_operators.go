package baseline

import (
	"fmt"
	"math"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/illm-go/illm/pkg/di"
	"github.com/illm-go/illm/pkg/quant"
	"github.com/illm-go/illm/pkg/simd/fvec"
)

// Ops is a set of non-linear operators.
type Ops uint8

// The operators of a decoder that are no matrix product. OpActivation is SwiGLU or ReLU.
const (
	OpSoftmax Ops = 1 << iota
	OpActivation
	OpNorm
	OpAll = OpSoftmax | OpActivation | OpNorm
)

var opNames = [...]string{"softmax", "activation", "norm"}

// String joins the names by "+": "softmax+norm".
func (s Ops) String() string {
	var list []string
	for i, name := range opNames {
		if s>>i&1 != 0 {
			list = append(list, name)
		}
	}
	return strings.Join(list, "+")
}

// ParseOps is the inverse of String; "" and "all" are OpAll.
func ParseOps(s string) (Ops, error) {
	if s == "" || s == "all" {
		return OpAll, nil
	}
	var out Ops
next:
	for _, part := range strings.Split(s, "+") {
		for i, name := range opNames {
			if part == name {
				out |= 1 << i
				continue next
			}
		}
		return 0, fmt.Errorf("baseline: operator %q: expected softmax, activation or norm, joined by +", part)
	}
	return out, nil
}

// Operators is a set of operators some of which run in floats, around integer matrix products. It implements
// di.Operators.
type Operators struct {
	inner     di.Operators
	precision fvec.Precision
	ops       Ops
	mantissa  int

	mu     sync.Mutex
	counts []*floatCounts // by worker
}

// Float32 returns the operators of spec with those of ops in float32.
//
// An operator turns its integers into float32, each times its row's scale m/2^k, runs package fvec's form, and puts the
// result on a grid of its own range with float arithmetic: s = (hi − lo)/(2^n − 1), z = round(−lo/s),
// code = sat(z + round(x/s)), halves to even. The softmax, whose numerators the engine takes in Q30, gives round(2^30·P)
// of the divided probabilities. No score is clipped or put into codes: those belong to the integer softmax. SwiGLU's
// operands arrive as codes of n_glu bits, since the engine quantises them before it asks.
//
// A rotation behind the activation (di.Product) stays the engine's own, on the float result in 30 bits.
// Panics if spec is invalid, as di.Integer does.
//
// Source: the boundary of ablation D in the algorithm reference, end of section 12.
func Float32(spec quant.Spec, ops Ops) *Operators {
	return &Operators{inner: di.Integer(spec), precision: fvec.Single, ops: ops & OpAll, mantissa: spec.MantissaBits}
}

// Name is "float32", "half", or either with the operators that run in it: "half:softmax+norm".
func (o *Operators) Name() string {
	name := "float32"
	if o.precision == fvec.Half {
		name = "half"
	}
	switch o.ops {
	case 0:
		return o.inner.Name()
	case OpAll:
		return name
	}
	return name + ":" + o.ops.String()
}

// Conversions counts what passed between the domains.
type Conversions struct {
	Rows      int64 // calls of float operators
	ToFloat   int64 // integers that became floats
	ToInteger int64 // floats that became integers
	Overflows int64 // rows too large for half precision, computed in float32 instead
}

type floatCounts struct {
	rows, toFloat, toInteger, overflows atomic.Int64
	_                                   [32]byte // one cache line each
}

func (c *floatCounts) add(in, out int) {
	c.rows.Add(1)
	c.toFloat.Add(int64(in))
	c.toInteger.Add(int64(out))
}

// Conversions returns the sums over all workers so far.
func (o *Operators) Conversions() (c Conversions) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, w := range o.counts {
		c.Rows += w.rows.Load()
		c.ToFloat += w.toFloat.Load()
		c.ToInteger += w.toInteger.Load()
		c.Overflows += w.overflows.Load()
	}
	return c
}

// NewWorker implements di.Operators.
func (o *Operators) NewWorker(maxRow int) di.Worker {
	n := max(maxRow, 0)
	w := &floatWorker{Worker: o.inner.NewWorker(maxRow), Operators: o, x: make([]float32, n), counts: &floatCounts{}}
	if o.ops&OpActivation != 0 {
		w.y = make([]float32, n)
	}
	o.mu.Lock()
	o.counts = append(o.counts, w.counts)
	o.mu.Unlock()
	return w
}

// floatWorker is the scratch of one goroutine; what is not in ops is the embedded integer worker's.
type floatWorker struct {
	di.Worker
	*Operators
	x, y   []float32
	back   []int64 // a float row as integers, for a rotation
	norms  map[*di.Norm]*normConstants
	alphas map[*di.GLU][]float32
	counts *floatCounts
}

// floatRow returns n entries of a scratch row.
func floatRow(x []float32, n int) []float32 {
	if n > len(x) {
		panic(errFloatRow)
	}
	return x[:n]
}

// stepOf is m/2^k as float32, at most 2^60 so that the product with an integer of 60 bits stays finite.
func stepOf(m uint32, k int32) float32 {
	return float32(math.Min(math.Ldexp(float64(m), -int(k)), 0x1p60))
}

// maxHalf is the largest finite number of binary16.
const maxHalf = 65504

// fits returns the precision in which a row with entries up to top can be computed, and counts a row that half cannot hold.
func (w *floatWorker) fits(top float32) fvec.Precision {
	if w.precision == fvec.Half && !(top <= maxHalf) {
		w.counts.overflows.Add(1)
		return fvec.Single
	}
	return w.precision
}
