package pretrain

import "github.com/gomlx/gomlx/pkg/core/dtypes"

// node is a value that the loss depends on, with the gradient of the loss by it once backward has run.
type node struct {
	val
	grad val
}

// tape builds a network forward and remembers how to go back.
type tape struct {
	*graph
	compute dtypes.DType // of the matrix products: f32 or bf16
	casts   map[*node]val
	back    []func()

	dropout float64 // share of the outputs of a block that is dropped
	seed    val     // scalar uint32; not set: no dropout
	sites   int     // dropout masks so far
}

func newTape(g *graph, compute dtypes.DType) *tape {
	return &tape{graph: g, compute: compute, casts: map[*node]val{}}
}

// backward runs the tape in reverse, after the loss has left its gradient.
func (t *tape) backward() {
	for i := len(t.back) - 1; i >= 0; i-- {
		t.back[i]()
	}
}

// give adds g to the gradient of n, in n's type.
func (t *tape) give(n *node, g val) {
	g = t.cast(g, n.dt)
	if n.grad.ok() {
		g = t.add(n.grad, g)
	}
	n.grad = g
}

// half returns a parameter in the type of the matrix products, converted once.
func (t *tape) half(p *node) val {
	v, ok := t.casts[p]
	if !ok {
		v = t.cast(p.val, t.compute)
		t.casts[p] = v
	}
	return v
}

// weight is a linear's matrix [out, in] and its bias [out], which may be nil.
type weight struct{ w, b *node }

// linear returns x·Wᵀ + b for the matrices of ws one below the other: x [N, in], result [N, Σ out], both in the type of
// the matrix products. One product of several matrices is faster than several.
//
//	dX = dY·W,   dW = dYᵀ·X,   db = Σ_n dY
func (t *tape) linear(x *node, ws ...weight) *node {
	var mats, biases []val
	for _, w := range ws {
		mats = append(mats, t.half(w.w))
		if w.b != nil {
			biases = append(biases, w.b.val)
		}
	}
	w := t.concat(0, mats...)
	y := t.dot(x.val, 1, w, 1)
	if biases != nil {
		b := t.concat(0, biases...)
		y = t.cast(t.add(t.cast(y, f32), t.reshape(b, 1, b.dims[0])), t.compute)
	}
	out := &node{val: y}
	t.back = append(t.back, func() {
		dy := out.grad
		t.give(x, t.dot(dy, 1, w, 0))
		dw := t.dot(dy, 0, x.val, 0)
		var db val
		if biases != nil {
			db = t.val(t.b.ReduceSum(t.cast(dy, f32).op, 0))
		}
		at := 0
		for _, w := range ws {
			n := w.w.dims[0]
			t.give(w.w, t.slice(dw, 0, at, at+n))
			if w.b != nil {
				t.give(w.b, t.slice(db, 0, at, at+n))
			}
			at += n
		}
	})
	return out
}

// residual returns x + y, in x's type.
func (t *tape) residual(x, y *node) *node {
	out := &node{val: t.add(x.val, t.cast(y.val, x.dt))}
	t.back = append(t.back, func() {
		t.give(x, out.grad)
		t.give(y, out.grad)
	})
	return out
}

// mix is the finalizer of MurmurHash3: a bijection of 32 bits whose every output bit depends on every input bit.
// Division by a power of two is the shift that one backend lacks; XLA turns it into one.
func (t *tape) mix(h val) val {
	shift := func(h val, n int) val { return t.xor(h, t.div(h, t.scalar(float64(uint64(1)<<n), u32))) }
	h = t.mul(shift(h, 16), t.scalar(0x85ebca6b, u32))
	h = t.mul(shift(h, 13), t.scalar(0xc2b2ae35, u32))
	return shift(h, 16)
}

// drop sets a share of x to 0 and scales the rest so that the mean stays. The mask is a hash of the step's seed, the
// place in the network and the element's index: the same on every backend.
func (t *tape) drop(x *node) *node {
	if t.dropout == 0 || !t.seed.ok() {
		return x
	}
	t.sites++
	n := x.dims[0] * x.dims[1]
	h := t.mix(t.add(t.seed, t.scalar(float64(uint32(t.sites)*0x9e3779b9), u32)))
	h = t.mix(t.add(t.mul(t.iota(u32, 0, n), t.scalar(0x9e3779b1, u32)), h))
	kept := t.greaterOrEqual(h, t.scalar(t.dropout*(1<<32), u32))
	keep := t.where(kept, t.scalar(1/(1-t.dropout), f32), t.scalar(0, f32))
	keep = t.reshape(keep, x.dims...)
	out := &node{val: t.cast(t.mul(t.cast(x.val, f32), keep), x.dt)}
	t.back = append(t.back, func() { t.give(x, t.mul(t.cast(out.grad, f32), keep)) })
	return out
}
