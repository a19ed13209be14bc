package tape

// mix is the finalizer of MurmurHash3: a bijection of 32 bits whose every output bit depends on every input bit.
// Division by a power of two is the shift that one backend lacks; XLA turns it into one.
func (t *Tape) mix(h Val) Val {
	shift := func(h Val, n int) Val { return t.Xor(h, t.Div(h, t.Scalar(float64(uint64(1)<<n), U32))) }
	h = t.Mul(shift(h, 16), t.Scalar(0x85ebca6b, U32))
	h = t.Mul(shift(h, 13), t.Scalar(0xc2b2ae35, U32))
	return shift(h, 16)
}

// Drop sets a share of x to 0 and scales the rest so that the mean stays. The mask is a hash of the step's seed, the
// place in the network and the element's index: the same on every backend.
func (t *Tape) Drop(x *Node) *Node {
	if t.Dropout == 0 || !t.Seed.OK() {
		return x
	}
	t.sites++
	n := x.Dims[0] * x.Dims[1]
	h := t.mix(t.Add(t.Seed, t.Scalar(float64(uint32(t.sites)*0x9e3779b9), U32)))
	h = t.mix(t.Add(t.Mul(t.Iota(U32, 0, n), t.Scalar(0x9e3779b1, U32)), h))
	kept := t.GreaterOrEqual(h, t.Scalar(t.Dropout*(1<<32), U32))
	keep := t.Where(kept, t.Scalar(1/(1-t.Dropout), F32), t.Scalar(0, F32))
	keep = t.Reshape(keep, x.Dims...)
	out := &Node{Val: t.Cast(t.Mul(t.Cast(x.Val, F32), keep), x.DT)}
	t.Then(func() { t.Give(x, t.Mul(t.Cast(out.Grad, F32), keep)) })
	return out
}
