package fsbr

import (
	"math"
	"math/bits"

	"github.com/illm-go/illm/pkg/smooth"
	"github.com/illm-go/illm/pkg/tape"
)

// Small differentiable operations on vectors and matrices of factors.

// sumOf returns Σ sign·x of vectors of one length, nil for none.
func sumOf(t *tape.Tape, xs []*tape.Node, signs []float64) *tape.Node {
	if len(xs) == 0 {
		return nil
	}
	v := t.Scale(xs[0].Val, signs[0])
	for i, x := range xs[1:] {
		v = t.Add(v, t.Scale(x.Val, signs[i+1]))
	}
	out := &tape.Node{Val: v}
	t.Then(func() {
		for i, x := range xs {
			t.Give(x, t.Scale(out.Grad, signs[i]))
		}
	})
	return out
}

// exp returns eˣ.
func exp(t *tape.Tape, x *tape.Node) *tape.Node {
	out := &tape.Node{Val: t.Exp(x.Val)}
	t.Then(func() { t.Give(x, t.Mul(out.Grad, out.Val)) })
	return out
}

// sigmoid returns σ(x).
func sigmoid(t *tape.Tape, x *tape.Node) *tape.Node {
	out := &tape.Node{Val: t.Sigmoid(x.Val)}
	t.Then(func() {
		slope := t.Mul(out.Val, t.Sub(t.Scalar(1, tape.F32), out.Val))
		t.Give(x, t.Mul(out.Grad, slope))
	})
	return out
}

// half01 returns ½ + ½·x.
func half01(t *tape.Tape, x *tape.Node) *tape.Node {
	out := &tape.Node{Val: t.AddC(t.Scale(x.Val, 0.5), 0.5)}
	t.Then(func() { t.Give(x, t.Scale(out.Grad, 0.5)) })
	return out
}

// pick returns x[index[i]] for x [m]. Its gradient adds up what came from one element, as a product with the one-hot
// matrix of the indices: scattered additions would come in another order each time on a GPU.
func pick(t *tape.Tape, x *tape.Node, index []int) *tape.Node {
	m, n := x.Dims[0], len(index)
	same := m == n
	for i, at := range index {
		same = same && i == at
	}
	if same {
		return x
	}
	flat := make([]float32, n)
	for i, at := range index {
		flat[i] = float32(at)
	}
	at := t.Cast(t.Constant(flat, n), tape.I32)
	out := &tape.Node{Val: t.Reshape(t.Rows(t.Reshape(x.Val, m, 1), at), n)}
	t.Then(func() {
		hot := t.Equal(t.Iota(tape.I32, 1, n, m), t.Broadcast(at, []int{n, m}, 0))
		t.Give(x, t.Reshape(t.Dot(t.Reshape(out.Grad, 1, n), 1, t.Cast(hot, tape.F32), 0), m))
	})
	return out
}

// times returns x·g for vectors, g nil for 1.
func times(t *tape.Tape, x, g *tape.Node) *tape.Node {
	if g == nil {
		return x
	}
	out := &tape.Node{Val: t.Mul(x.Val, g.Val)}
	t.Then(func() {
		t.Give(x, t.Mul(out.Grad, g.Val))
		t.Give(g, t.Mul(out.Grad, x.Val))
	})
	return out
}

// scaled returns diag(rows)·W·diag(cols) for a constant W [out, in]; nil is 1.
//
//	drows_j = Σ_i dW'_ji·W_ji·cols_i,   dcols_i = Σ_j dW'_ji·W_ji·rows_j
func scaled(t *tape.Tape, w tape.Val, rows, cols *tape.Node) *tape.Node {
	out := &tape.Node{Val: w}
	var r, c tape.Val
	if rows != nil {
		r = t.Reshape(rows.Val, w.Dims[0], 1)
		out.Val = t.Mul(out.Val, r)
	}
	if cols != nil {
		c = t.Reshape(cols.Val, 1, w.Dims[1])
		out.Val = t.Mul(out.Val, c)
	}
	t.Then(func() {
		if rows == nil && cols == nil {
			return
		}
		d := t.Mul(out.Grad, w)
		if rows != nil {
			dr := d
			if cols != nil {
				dr = t.Mul(d, c)
			}
			t.Give(rows, t.Reshape(t.Sum(dr, 1), w.Dims[0]))
		}
		if cols != nil {
			dc := d
			if rows != nil {
				dc = t.Mul(d, r)
			}
			t.Give(cols, t.Reshape(t.Sum(dc, 0), w.Dims[1]))
		}
	})
	return out
}

// product returns W·x for a constant W [out, in] and x [in]. Elementwise, because a product on tensor cores would round
// W and x.
func product(t *tape.Tape, w tape.Val, x *tape.Node) *tape.Node {
	row := t.Reshape(x.Val, 1, w.Dims[1])
	out := &tape.Node{Val: t.Reshape(t.Sum(t.Mul(w, row), 1), w.Dims[0])}
	t.Then(func() {
		t.Give(x, t.Reshape(t.Sum(t.Mul(w, t.Reshape(out.Grad, w.Dims[0], 1)), 0), w.Dims[1]))
	})
	return out
}

// swiglu returns g·σ(α·g)·u for g, u [N, F] and α [F] (nil: 1): with g = s·g₀ and α = 1/s that is s·SiLU(g₀)·u.
//
//	dg = dy·u·(σ + α·g·σ·(1−σ)),   du = dy·g·σ,   dα = Σ_n dy·u·g²·σ·(1−σ)
func swiglu(t *tape.Tape, g, u, alpha *tape.Node) *tape.Node {
	a := g.Val
	if alpha != nil {
		a = t.Mul(a, t.Reshape(alpha.Val, 1, alpha.Dims[0]))
	}
	s := t.Sigmoid(a)
	out := &tape.Node{Val: t.Mul(t.Mul(g.Val, s), u.Val)}
	t.Then(func() {
		dy := out.Grad
		slope := t.Mul(s, t.Sub(t.Scalar(1, tape.F32), s)) // σ'
		dyu := t.Mul(dy, u.Val)
		t.Give(g, t.Mul(dyu, t.Add(s, t.Mul(a, slope))))
		t.Give(u, t.Mul(dy, t.Mul(g.Val, s)))
		if alpha != nil {
			d := t.Mul(dyu, t.Mul(t.Mul(g.Val, g.Val), slope))
			t.Give(alpha, t.Reshape(t.Sum(d, 0), alpha.Dims[0]))
		}
	})
	return out
}

// cut takes columns lo…hi of x [N, C], for parts that cover x in order: the gradient is put together by the last.
func cut(t *tape.Tape, x *tape.Node, at ...int) []*tape.Node {
	var parts []*tape.Node
	lo := 0
	for _, n := range at {
		parts = append(parts, &tape.Node{Val: t.Slice(x.Val, 1, lo, lo+n)})
		lo += n
	}
	t.Then(func() {
		var gs []tape.Val
		for _, p := range parts {
			gs = append(gs, p.Grad)
		}
		t.Give(x, t.Concat(1, gs...))
	})
	return parts
}

// maxKronecker bounds the matrices that a power of two is taken apart into: constants in the program.
const maxKronecker = 128

// factors takes the Hadamard matrix of order n apart: H = F_1 ⊗ F_2 ⊗ …, in the engine's order H_o ⊗ H_{2^j}, each F
// [f, f] row-major. n was checked.
func factors(n int) (sizes []int, fs [][]float32) {
	o, j, _ := smooth.Order(n)
	if o > 1 {
		m := make([]float32, 0, o*o)
		for _, row := range smooth.Matrix(o) {
			for _, x := range row {
				m = append(m, float32(x))
			}
		}
		sizes, fs = append(sizes, o), append(fs, m)
	}
	for p := 1 << j; p > 1; {
		f := min(p, maxKronecker)
		p /= f
		m := make([]float32, f*f)
		for i := range m {
			m[i] = 1 - 2*float32(bits.OnesCount(uint(i/f)&uint(i%f))%2)
		}
		sizes, fs = append(sizes, f), append(fs, m)
	}
	return sizes, fs
}

// turned maps the rows along the last axis of x, [N, n] or [k, T, n], by the Hadamard matrix of order n: H·x/√n. split is
// that of [tape.Graph.DotSplit]. dx = Hᵀ·dy/√n.
//
// Each factor of H is a product over its axis, (n/f)·f² multiplications a row instead of n².
func turned(t *tape.Tape, x *tape.Node, split bool) *tape.Node {
	n := x.Dims[len(x.Dims)-1]
	rows := 1
	for _, d := range x.Dims[:len(x.Dims)-1] {
		rows *= d
	}
	sizes, fs := factors(n)
	apply := func(v tape.Val, split, transposed bool) tape.Val {
		for i := len(sizes) - 1; i >= 0; i-- { // the last axis is mapped and becomes the first; in the end all are in order
			f := sizes[i]
			h := t.Constant(fs[i], f, f)
			v = t.Reshape(v, rows*(n/f), f)
			switch {
			case transposed:
				v = t.Dot(v, 1, h, 0)
			case split:
				v = t.DotSplit(v, h)
			default:
				v = t.Dot(v, 1, h, 1)
			}
			v = t.Transpose(t.Reshape(v, rows, n/f, f), 0, 2, 1)
		}
		return t.Scale(t.Reshape(v, x.Dims...), 1/math.Sqrt(float64(n)))
	}
	out := &tape.Node{Val: apply(x.Val, split, false)}
	t.Then(func() { t.Give(x, apply(out.Grad, false, true)) })
	return out
}
