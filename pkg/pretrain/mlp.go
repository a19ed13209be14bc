package pretrain

// swiglu returns SiLU(a)·b for x = [a | b] [N, 2F]: [N, F], with SiLU(a) = a·σ(a).
//
//	da = dy·b·σ·(1 + a·(1 − σ)),   db = dy·a·σ
func (t *tape) swiglu(x *node) *node {
	f := x.dims[1] / 2
	split := func() (a, b, s val) {
		a = t.cast(t.slice(x.val, 1, 0, f), f32)
		b = t.cast(t.slice(x.val, 1, f, 2*f), f32)
		return a, b, t.sigmoid(a)
	}
	a, b, s := split()
	out := &node{val: t.cast(t.mul(t.mul(a, s), b), x.dt)}
	t.back = append(t.back, func() {
		dy := t.cast(out.grad, f32)
		one := t.scalar(1, f32)
		da := t.mul(t.mul(dy, b), t.mul(s, t.add(one, t.mul(a, t.sub(one, s)))))
		db := t.mul(dy, t.mul(a, s))
		t.give(x, t.concat(1, t.cast(da, x.dt), t.cast(db, x.dt)))
	})
	return out
}

// relu returns max(x, 0); its gradient passes where x > 0.
func (t *tape) relu(x *node) *node {
	zero := t.scalar(0, x.dt)
	out := &node{val: t.max(x.val, zero)}
	t.back = append(t.back, func() { t.give(x, t.where(t.greater(x.val, zero), out.grad, zero)) })
	return out
}
