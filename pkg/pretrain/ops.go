package pretrain

import (
	"fmt"
	"slices"

	"github.com/gomlx/gomlx/backends"
	"github.com/gomlx/gomlx/pkg/core/dtypes"
	"github.com/gomlx/gomlx/pkg/core/shapes"
)

const (
	f32  = dtypes.Float32
	bf16 = dtypes.BFloat16
	i32  = dtypes.Int32
	u32  = dtypes.Uint32
)

// val is the result of an operation in a program being built.
type val struct {
	op   backends.Op
	dims []int
	dt   dtypes.DType
}

// ok reports whether v is set.
func (v val) ok() bool { return v.op != nil }

// graph builds a program. Its methods panic with a buildError, which build turns into an error: a formula stays readable
// that way, and the only errors there are come from a backend that lacks an operation.
type graph struct{ b backends.Builder }

type buildError struct{ err error }

// build compiles the program whose outputs fn returns.
func build(backend backends.Backend, name string, fn func(g *graph) []val) (exec backends.Executable, err error) {
	defer func() {
		if r := recover(); r != nil {
			be, ok := r.(buildError)
			if !ok {
				panic(r)
			}
			err = fmt.Errorf("pretrain: build %s for backend %s: %w", name, backend.Name(), be.err)
		}
	}()
	g := &graph{backend.Builder(name)}
	var ops []backends.Op
	for _, v := range fn(g) {
		ops = append(ops, v.op)
	}
	exec, err = g.b.Compile(ops, nil)
	if err != nil {
		return nil, fmt.Errorf("pretrain: compile %s for backend %s: %w", name, backend.Name(), err)
	}
	return exec, nil
}

func (g *graph) val(op backends.Op, err error) val {
	if err != nil {
		panic(buildError{err})
	}
	s, err := g.b.OpShape(op)
	if err != nil {
		panic(buildError{err})
	}
	return val{op, s.Dimensions, s.DType}
}

func (g *graph) input(name string, dt dtypes.DType, dims ...int) val {
	return g.val(g.b.Parameter(name, shapes.Make(dt, dims...), nil))
}

// scalar is the constant c in the given type.
func (g *graph) scalar(c float64, dt dtypes.DType) val {
	switch dt {
	case i32:
		return g.val(g.b.Constant([]int32{int32(c)}))
	case u32:
		return g.val(g.b.Constant([]uint32{uint32(c)}))
	}
	return g.cast(g.val(g.b.Constant([]float32{float32(c)})), dt)
}

func (g *graph) constant(flat []float32, dims ...int) val { return g.val(g.b.Constant(flat, dims...)) }
func (g *graph) iota(dt dtypes.DType, axis int, dims ...int) val {
	return g.val(g.b.Iota(shapes.Make(dt, dims...), axis))
}

// Elementwise operations: equal ranks, axes of length 1 are repeated, scalars too.

func (g *graph) add(a, b val) val { return g.val(g.b.Add(a.op, b.op)) }
func (g *graph) sub(a, b val) val { return g.val(g.b.Sub(a.op, b.op)) }
func (g *graph) mul(a, b val) val { return g.val(g.b.Mul(a.op, b.op)) }
func (g *graph) div(a, b val) val { return g.val(g.b.Div(a.op, b.op)) }
func (g *graph) xor(a, b val) val { return g.val(g.b.BitwiseXor(a.op, b.op)) }
func (g *graph) min(a, b val) val { return g.val(g.b.Min(a.op, b.op)) }
func (g *graph) max(a, b val) val { return g.val(g.b.Max(a.op, b.op)) }

func (g *graph) exp(a val) val     { return g.val(g.b.Exp(a.op)) }
func (g *graph) log(a val) val     { return g.val(g.b.Log(a.op)) }
func (g *graph) sqrt(a val) val    { return g.val(g.b.Sqrt(a.op)) }
func (g *graph) rsqrt(a val) val   { return g.val(g.b.Rsqrt(a.op)) }
func (g *graph) sigmoid(a val) val { return g.val(g.b.Logistic(a.op)) }

func (g *graph) addc(a val, c float64) val { return g.add(a, g.scalar(c, a.dt)) }
func (g *graph) scale(a val, c float64) val {
	if c == 1 {
		return a
	}
	return g.mul(a, g.scalar(c, a.dt))
}

func (g *graph) equal(a, b val) val          { return g.val(g.b.Equal(a.op, b.op)) }
func (g *graph) greater(a, b val) val        { return g.val(g.b.GreaterThan(a.op, b.op)) }
func (g *graph) greaterOrEqual(a, b val) val { return g.val(g.b.GreaterOrEqual(a.op, b.op)) }

// where selects yes or no, each of cond's shape or a scalar.
func (g *graph) where(cond, yes, no val) val { return g.val(g.b.Where(cond.op, yes.op, no.op)) }

func (g *graph) cast(a val, dt dtypes.DType) val {
	if a.dt == dt {
		return a
	}
	return g.val(g.b.ConvertDType(a.op, dt))
}

// Shapes.

func (g *graph) reshape(a val, dims ...int) val {
	if slices.Equal(a.dims, dims) {
		return a
	}
	return g.val(g.b.Reshape(a.op, dims...))
}

func (g *graph) transpose(a val, perm ...int) val { return g.val(g.b.Transpose(a.op, perm...)) }

// broadcast repeats a to dims; axes says which axis of the result each axis of a is.
func (g *graph) broadcast(a val, dims []int, axes ...int) val {
	return g.val(g.b.BroadcastInDim(a.op, shapes.Make(a.dt, dims...), axes))
}

// slice cuts [lo, hi) of one axis.
func (g *graph) slice(a val, axis, lo, hi int) val {
	if lo == 0 && hi == a.dims[axis] {
		return a
	}
	starts, limits, strides := make([]int, len(a.dims)), slices.Clone(a.dims), make([]int, len(a.dims))
	for i := range strides {
		strides[i] = 1
	}
	starts[axis], limits[axis] = lo, hi
	return g.val(g.b.Slice(a.op, starts, limits, strides))
}

func (g *graph) concat(axis int, parts ...val) val {
	if len(parts) == 1 {
		return parts[0]
	}
	ops := make([]backends.Op, len(parts))
	for i, p := range parts {
		ops[i] = p.op
	}
	return g.val(g.b.Concatenate(axis, ops...))
}

// Reductions keep the axis, with length 1.

func (g *graph) sum(a val, axes ...int) val {
	return g.keep(a, axes, g.val(g.b.ReduceSum(a.op, axes...)))
}

func (g *graph) mean(a val, axis int) val {
	return g.scale(g.sum(a, axis), 1/float64(a.dims[axis]))
}

func (g *graph) maxOf(a val, axis int) val {
	return g.keep(a, []int{axis}, g.val(g.b.ReduceMax(a.op, axis)))
}

func (g *graph) keep(a val, axes []int, reduced val) val {
	dims := slices.Clone(a.dims)
	for _, axis := range axes {
		dims[axis] = 1
	}
	return g.reshape(reduced, dims...)
}

// total is the sum of all elements as a scalar.
func (g *graph) total(a val) val {
	axes := make([]int, len(a.dims))
	for i := range axes {
		axes[i] = i
	}
	return g.val(g.b.ReduceSum(a.op, axes...))
}

// dot is the product of a and b summed over axis ka of a and kb of b. If both have three axes the first is a batch axis
// and comes first in the result; what is left of a follows, then what is left of b.
func (g *graph) dot(a val, ka int, b val, kb int) val {
	var batch []int
	if len(a.dims) == 3 {
		batch = []int{0}
	}
	return g.val(g.b.DotGeneral(a.op, []int{ka}, batch, b.op, []int{kb}, batch))
}

// rows gathers rows of table [V, C] by index [n]: [n, C].
func (g *graph) rows(table, index val) val {
	n := index.dims[0]
	return g.val(g.b.Gather(table.op, g.reshape(index, n, 1).op, 1, []int{1}, []int{0}, []int{0}, []int{1, table.dims[1]}, false))
}
