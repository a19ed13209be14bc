package tape

import "github.com/gomlx/gomlx/pkg/core/dtypes"

// Node is a value that the loss depends on, with the gradient of the loss by it once Backward has run.
type Node struct {
	Val
	Grad Val

	// Code and Step, if set, are factors of the value: Code·Step, Code small integers in float32 and Step with length 1
	// along the last axis. Products take the codes, which they multiply without error even where the machine rounds
	// the factors of a float32 product (TF32 has 11 bits), and the steps afterwards. See [Tape.Linear], [Tape.Attend].
	Code, Step Val
}

// Factored reports whether n has codes.
func (n *Node) Factored() bool { return n.Code.OK() }

// Tape builds a network forward and remembers how to go back.
type Tape struct {
	*Graph
	Compute dtypes.DType // of the matrix products: F32 or BF16
	Dropout float64      // share of the outputs of a block that is dropped
	Seed    Val          // scalar uint32; not set: no dropout
	Precise bool         // products forward as three, with the accuracy of float32 on machines that round to TF32

	casts map[*Node]Val
	back  []func()
	sites int // dropout masks so far
}

// New returns an empty tape on a program.
func New(g *Graph, compute dtypes.DType) *Tape {
	return &Tape{Graph: g, Compute: compute, casts: map[*Node]Val{}}
}

// Then adds fn to what Backward does; what was added last is done first. fn reads gradients that are complete by then
// and hands its own on with Give.
func (t *Tape) Then(fn func()) { t.back = append(t.back, fn) }

// Backward runs the tape in reverse, after the loss has left its gradient.
func (t *Tape) Backward() {
	for i := len(t.back) - 1; i >= 0; i-- {
		t.back[i]()
	}
}

// Give adds g to the gradient of n, in n's type. A nil node takes nothing.
func (t *Tape) Give(n *Node, g Val) {
	if n == nil {
		return
	}
	g = t.Cast(g, n.DT)
	if n.Grad.OK() {
		g = t.Add(n.Grad, g)
	}
	n.Grad = g
}

// half returns a parameter in the type of the matrix products, converted once.
func (t *Tape) half(p *Node) Val {
	v, ok := t.casts[p]
	if !ok {
		v = t.Cast(p.Val, t.Compute)
		t.casts[p] = v
	}
	return v
}

// Residual returns x + y, in x's type.
func (t *Tape) Residual(x, y *Node) *Node {
	out := &Node{Val: t.Add(x.Val, t.Cast(y.Val, x.DT))}
	t.Then(func() {
		t.Give(x, out.Grad)
		t.Give(y, out.Grad)
	})
	return out
}

// Scaled returns c·x, in x's type; codes keep their values and get other steps.
func (t *Tape) Scaled(x *Node, c float64) *Node {
	out := &Node{Val: t.Scale(x.Val, c), Code: x.Code}
	if x.Factored() {
		out.Step = t.Scale(x.Step, c)
	}
	t.Then(func() { t.Give(x, t.Scale(out.Grad, c)) })
	return out
}

// Reshaped returns x with other dimensions.
func (t *Tape) Reshaped(x *Node, dims ...int) *Node {
	out := &Node{Val: t.Reshape(x.Val, dims...)}
	t.Then(func() { t.Give(x, t.Reshape(out.Grad, x.Dims...)) })
	return out
}
