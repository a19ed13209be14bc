package tape

// Weight is a linear's matrix [out, in] and its bias [out], which may be nil.
type Weight struct{ W, B *Node }

// Linear returns x·Wᵀ + b for the matrices of ws one below the other: x [N, in], result [N, Σ out], in the type of the
// matrix products. One product of several matrices is faster than several. If x and all matrices have codes the
// product is that of the codes, times both steps.
//
//	dX = dY·W,   dW = dYᵀ·X,   db = Σ_n dY
func (t *Tape) Linear(x *Node, ws ...Weight) *Node {
	var mats, codes, steps, biases []Val
	for _, w := range ws {
		mats = append(mats, t.half(w.W))
		if w.W.Factored() {
			codes, steps = append(codes, w.W.Code), append(steps, w.W.Step)
		}
		if w.B != nil {
			biases = append(biases, w.B.Val)
		}
	}
	w := t.Concat(0, mats...)
	var y Val
	if x.Factored() && len(codes) == len(ws) {
		s := t.Concat(0, steps...) // [out, 1]
		y = t.Mul(t.Dot(x.Code, 1, t.Concat(0, codes...), 1), x.Step)
		y = t.Mul(y, t.Reshape(s, 1, s.Dims[0]))
	} else {
		y = t.dot(t.Cast(x.Val, t.Compute), w)
	}
	if biases != nil {
		b := t.Concat(0, biases...)
		y = t.Cast(t.Add(t.Cast(y, F32), t.Reshape(b, 1, b.Dims[0])), t.Compute)
	}
	out := &Node{Val: y}
	t.Then(func() {
		dy := out.Grad
		t.Give(x, t.Dot(dy, 1, w, 0))
		dw := t.Dot(dy, 0, t.Cast(x.Val, t.Compute), 0)
		var db Val
		if biases != nil {
			db = t.Reshape(t.Sum(t.Cast(dy, F32), 0), dy.Dims[1])
		}
		at := 0
		for _, w := range ws {
			n := w.W.Dims[0]
			t.Give(w.W, t.Slice(dw, 0, at, at+n))
			if w.B != nil {
				t.Give(w.B, t.Slice(db, 0, at, at+n))
			}
			at += n
		}
	})
	return out
}

// dot is the product of a and b over their last axes, split if the tape says so.
func (t *Tape) dot(a, b Val) Val {
	if t.Precise {
		return t.DotSplit(a, b)
	}
	k := len(a.Dims) - 1
	return t.Dot(a, k, b, k)
}
