package tape

// SwiGLU returns SiLU(a)·b for x = [a | b] [N, 2F]: [N, F], with SiLU(a) = a·σ(a).
//
//	da = dy·b·σ·(1 + a·(1 − σ)),   db = dy·a·σ
func (t *Tape) SwiGLU(x *Node) *Node {
	f := x.Dims[1] / 2
	split := func() (a, b, s Val) {
		a = t.Cast(t.Slice(x.Val, 1, 0, f), F32)
		b = t.Cast(t.Slice(x.Val, 1, f, 2*f), F32)
		return a, b, t.Sigmoid(a)
	}
	a, b, s := split()
	out := &Node{Val: t.Cast(t.Mul(t.Mul(a, s), b), x.DT)}
	t.Then(func() {
		dy := t.Cast(out.Grad, F32)
		one := t.Scalar(1, F32)
		da := t.Mul(t.Mul(dy, b), t.Mul(s, t.Add(one, t.Mul(a, t.Sub(one, s)))))
		db := t.Mul(dy, t.Mul(a, s))
		t.Give(x, t.Concat(1, t.Cast(da, x.DT), t.Cast(db, x.DT)))
	})
	return out
}

// ReLU returns max(x, 0); its gradient passes where x > 0.
func (t *Tape) ReLU(x *Node) *Node {
	zero := t.Scalar(0, x.DT)
	out := &Node{Val: t.Max(x.Val, zero)}
	t.Then(func() { t.Give(x, t.Where(t.Greater(x.Val, zero), out.Grad, zero)) })
	return out
}
