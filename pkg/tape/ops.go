package tape

import (
	"fmt"
	"slices"

	"github.com/gomlx/gomlx/backends"
	"github.com/gomlx/gomlx/pkg/core/dtypes"
	"github.com/gomlx/gomlx/pkg/core/shapes"
)

const (
	F32  = dtypes.Float32
	BF16 = dtypes.BFloat16
	I32  = dtypes.Int32
	U32  = dtypes.Uint32
)

// Val is the result of an operation in a program being built.
type Val struct {
	Op   backends.Op
	Dims []int
	DT   dtypes.DType
}

// OK reports whether v is set.
func (v Val) OK() bool { return v.Op != nil }

// Graph builds a program. Its methods panic with a buildError, which Build turns into an error: a formula stays readable
// that way, and the only errors there are come from a backend that lacks an operation.
type Graph struct{ b backends.Builder }

type buildError struct{ err error }

// Build compiles the program whose outputs fn returns.
func Build(backend backends.Backend, name string, fn func(g *Graph) []Val) (exec backends.Executable, err error) {
	defer func() {
		if r := recover(); r != nil {
			be, ok := r.(buildError)
			if !ok {
				panic(r)
			}
			err = fmt.Errorf("tape: build %s for backend %s: %w", name, backend.Name(), be.err)
		}
	}()
	g := &Graph{backend.Builder(name)}
	var ops []backends.Op
	for _, v := range fn(g) {
		ops = append(ops, v.Op)
	}
	exec, err = g.b.Compile(ops, nil)
	if err != nil {
		return nil, fmt.Errorf("tape: compile %s for backend %s: %w", name, backend.Name(), err)
	}
	return exec, nil
}

func (g *Graph) val(op backends.Op, err error) Val {
	if err != nil {
		panic(buildError{err})
	}
	s, err := g.b.OpShape(op)
	if err != nil {
		panic(buildError{err})
	}
	return Val{op, s.Dimensions, s.DType}
}

func (g *Graph) Input(name string, dt dtypes.DType, dims ...int) Val {
	return g.val(g.b.Parameter(name, shapes.Make(dt, dims...), nil))
}

// Scalar is the constant c in the given type.
func (g *Graph) Scalar(c float64, dt dtypes.DType) Val {
	switch dt {
	case I32:
		return g.val(g.b.Constant([]int32{int32(c)}))
	case U32:
		return g.val(g.b.Constant([]uint32{uint32(c)}))
	}
	return g.Cast(g.val(g.b.Constant([]float32{float32(c)})), dt)
}

func (g *Graph) Constant(flat []float32, dims ...int) Val { return g.val(g.b.Constant(flat, dims...)) }
func (g *Graph) Iota(dt dtypes.DType, axis int, dims ...int) Val {
	return g.val(g.b.Iota(shapes.Make(dt, dims...), axis))
}

// Elementwise operations: equal ranks, axes of length 1 are repeated, scalars too.

func (g *Graph) Add(a, b Val) Val { return g.val(g.b.Add(a.Op, b.Op)) }
func (g *Graph) Sub(a, b Val) Val { return g.val(g.b.Sub(a.Op, b.Op)) }
func (g *Graph) Mul(a, b Val) Val { return g.val(g.b.Mul(a.Op, b.Op)) }
func (g *Graph) Div(a, b Val) Val { return g.val(g.b.Div(a.Op, b.Op)) }
func (g *Graph) Xor(a, b Val) Val { return g.val(g.b.BitwiseXor(a.Op, b.Op)) }
func (g *Graph) Min(a, b Val) Val { return g.val(g.b.Min(a.Op, b.Op)) }
func (g *Graph) Max(a, b Val) Val { return g.val(g.b.Max(a.Op, b.Op)) }

func (g *Graph) Exp(a Val) Val     { return g.val(g.b.Exp(a.Op)) }
func (g *Graph) Log(a Val) Val     { return g.val(g.b.Log(a.Op)) }
func (g *Graph) Sqrt(a Val) Val    { return g.val(g.b.Sqrt(a.Op)) }
func (g *Graph) Rsqrt(a Val) Val   { return g.val(g.b.Rsqrt(a.Op)) }
func (g *Graph) Sigmoid(a Val) Val { return g.val(g.b.Logistic(a.Op)) }
func (g *Graph) Abs(a Val) Val     { return g.val(g.b.Abs(a.Op)) }
func (g *Graph) Floor(a Val) Val   { return g.val(g.b.Floor(a.Op)) }
func (g *Graph) Sign(a Val) Val    { return g.val(g.b.Sign(a.Op)) }

// RoundAway rounds to the nearest integer, halves away from zero; |a| < 2²² (beyond, float32 has no halves).
func (g *Graph) RoundAway(a Val) Val {
	return g.Mul(g.Sign(a), g.Floor(g.AddC(g.Abs(a), 0.5)))
}

func (g *Graph) AddC(a Val, c float64) Val { return g.Add(a, g.Scalar(c, a.DT)) }
func (g *Graph) Scale(a Val, c float64) Val {
	if c == 1 {
		return a
	}
	return g.Mul(a, g.Scalar(c, a.DT))
}

func (g *Graph) Equal(a, b Val) Val          { return g.val(g.b.Equal(a.Op, b.Op)) }
func (g *Graph) Greater(a, b Val) Val        { return g.val(g.b.GreaterThan(a.Op, b.Op)) }
func (g *Graph) GreaterOrEqual(a, b Val) Val { return g.val(g.b.GreaterOrEqual(a.Op, b.Op)) }

// Where selects yes or no, each of cond's shape or a scalar.
func (g *Graph) Where(cond, yes, no Val) Val { return g.val(g.b.Where(cond.Op, yes.Op, no.Op)) }

func (g *Graph) Cast(a Val, dt dtypes.DType) Val {
	if a.DT == dt {
		return a
	}
	return g.val(g.b.ConvertDType(a.Op, dt))
}

// Shapes.

func (g *Graph) Reshape(a Val, dims ...int) Val {
	if slices.Equal(a.Dims, dims) {
		return a
	}
	return g.val(g.b.Reshape(a.Op, dims...))
}

func (g *Graph) Transpose(a Val, perm ...int) Val { return g.val(g.b.Transpose(a.Op, perm...)) }

// Broadcast repeats a to dims; axes says which axis of the result each axis of a is.
func (g *Graph) Broadcast(a Val, dims []int, axes ...int) Val {
	return g.val(g.b.BroadcastInDim(a.Op, shapes.Make(a.DT, dims...), axes))
}

// Slice cuts [lo, hi) of one axis.
func (g *Graph) Slice(a Val, axis, lo, hi int) Val {
	if lo == 0 && hi == a.Dims[axis] {
		return a
	}
	starts, limits, strides := make([]int, len(a.Dims)), slices.Clone(a.Dims), make([]int, len(a.Dims))
	for i := range strides {
		strides[i] = 1
	}
	starts[axis], limits[axis] = lo, hi
	return g.val(g.b.Slice(a.Op, starts, limits, strides))
}

func (g *Graph) Concat(axis int, parts ...Val) Val {
	if len(parts) == 1 {
		return parts[0]
	}
	ops := make([]backends.Op, len(parts))
	for i, p := range parts {
		ops[i] = p.Op
	}
	return g.val(g.b.Concatenate(axis, ops...))
}

// Reductions keep the axis, with length 1.

// Sum adds up along axes.
func (g *Graph) Sum(a Val, axes ...int) Val {
	return g.keep(a, axes, g.val(g.b.ReduceSum(a.Op, axes...)))
}

// Mean is the mean along an axis.
func (g *Graph) Mean(a Val, axis int) Val {
	return g.Scale(g.Sum(a, axis), 1/float64(a.Dims[axis]))
}

// MaxOf is the largest element along an axis.
func (g *Graph) MaxOf(a Val, axis int) Val {
	return g.keep(a, []int{axis}, g.val(g.b.ReduceMax(a.Op, axis)))
}

// MinOf is the least element along an axis.
func (g *Graph) MinOf(a Val, axis int) Val {
	return g.keep(a, []int{axis}, g.val(g.b.ReduceMin(a.Op, axis)))
}

func (g *Graph) keep(a Val, axes []int, reduced Val) Val {
	dims := slices.Clone(a.Dims)
	for _, axis := range axes {
		dims[axis] = 1
	}
	return g.Reshape(reduced, dims...)
}

// Total is the sum of all elements as a scalar.
func (g *Graph) Total(a Val) Val {
	axes := make([]int, len(a.Dims))
	for i := range axes {
		axes[i] = i
	}
	return g.val(g.b.ReduceSum(a.Op, axes...))
}

// Dot is the product of a and b summed over axis ka of a and kb of b. If both have three axes the first is a batch axis
// and comes first in the result; what is left of a follows, then what is left of b.
func (g *Graph) Dot(a Val, ka int, b Val, kb int) Val {
	var batch []int
	if len(a.Dims) == 3 {
		batch = []int{0}
	}
	return g.val(g.b.DotGeneral(a.Op, []int{ka}, batch, b.Op, []int{kb}, batch))
}

// Rows gathers rows of table [V, C] by index [n]: [n, C].
func (g *Graph) Rows(table, index Val) Val {
	n := index.Dims[0]
	return g.val(g.b.Gather(table.Op, g.Reshape(index, n, 1).Op, 1, []int{1}, []int{0}, []int{0}, []int{1, table.Dims[1]}, false))
}
