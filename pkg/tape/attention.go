package tape

import "math"

// Heads is the shape of an attention over a batch.
type Heads struct {
	Batch, Window int
	KV, Group, D  int // key/value heads, queries of each, channels of each
	Chunks        int // queries are cut into as many parts, each sees only the keys up to its end
}

// Rotation holds cos and sin of position·θ_i as [T, d/2].
type Rotation struct{ cos, sin Val }

// Rotations are the angles of positions 0…window−1 for frequencies θ, in radians per position; float64 products
// rounded once, or with narrow as the float reference has them: the angle is rounded to float32 first.
func (t *Tape) Rotations(window int, theta []float64, narrow bool) *Rotation {
	half := len(theta)
	cos, sin := make([]float32, window*half), make([]float32, window*half)
	for p := range window {
		for i, f := range theta {
			a := float64(p) * f
			if narrow {
				a = float64(float32(p) * float32(f))
			}
			s, c := math.Sincos(a)
			cos[p*half+i], sin[p*half+i] = float32(c), float32(s)
		}
	}
	return &Rotation{t.Constant(cos, window, half), t.Constant(sin, window, half)}
}

// rotate turns the pairs (i, i + d/2) of x [n, T, d] (float32) by the angle of their position, back again for sign −1:
// the gradient of a rotation is the rotation back.
func (t *Tape) rotate(x Val, r *Rotation, sign float64) Val {
	half := x.Dims[2] / 2
	a, b := t.Slice(x, 2, 0, half), t.Slice(x, 2, half, 2*half)
	cos := t.Reshape(r.cos, 1, x.Dims[1], half)
	sin := t.Scale(t.Reshape(r.sin, 1, x.Dims[1], half), sign)
	return t.Concat(2, t.Sub(t.Mul(a, cos), t.Mul(b, sin)), t.Add(t.Mul(b, cos), t.Mul(a, sin)))
}

// Rotate turns x [n, T, d] by its positions (r nil: by nothing) and multiplies it by c, computed in float32, given in
// the type of the matrix products.
func (t *Tape) Rotate(x *Node, r *Rotation, c float64) *Node {
	turn := func(v Val, sign float64) Val {
		if r == nil {
			return v
		}
		return t.rotate(v, r, sign)
	}
	out := &Node{Val: t.Cast(t.Scale(turn(t.Cast(x.Val, F32), 1), c), t.Compute)}
	t.Then(func() { t.Give(x, turn(t.Scale(t.Cast(out.Grad, F32), c), -1)) })
	return out
}

// Split cuts x = [q | k | v] [N, (H + 2·KV)·d] into heads: [B·H, T, d], [B·KV, T, d] twice.
func (t *Tape) Split(x *Node, h Heads) (q, k, v *Node) {
	nq, nkv := h.KV*h.Group*h.D, h.KV*h.D
	split := func(lo, hi, heads int) *Node {
		v := t.Reshape(t.Slice(x.Val, 1, lo, hi), h.Batch, h.Window, heads, h.D)
		return &Node{Val: t.Reshape(t.Transpose(v, 0, 2, 1, 3), h.Batch*heads, h.Window, h.D)}
	}
	q, k, v = split(0, nq, h.KV*h.Group), split(nq, nq+nkv, h.KV), split(nq+nkv, nq+2*nkv, h.KV)
	t.Then(func() {
		part := func(n *Node, heads int) Val { return t.Cast(t.join(n.Grad, h, heads), x.DT) }
		t.Give(x, t.Concat(1, part(q, h.KV*h.Group), part(k, h.KV), part(v, h.KV)))
	})
	return q, k, v
}

// join is [B·heads, T, d] → [N, heads·d].
func (t *Tape) join(v Val, h Heads, heads int) Val {
	v = t.Transpose(t.Reshape(v, h.Batch, heads, h.Window, h.D), 0, 2, 1, 3)
	return t.Reshape(v, h.Batch*h.Window, heads*h.D)
}

// Join puts the heads of x [B·H, T, d] side by side: [N, H·d].
func (t *Tape) Join(x *Node, h Heads) *Node {
	heads := h.KV * h.Group
	out := &Node{Val: t.join(x.Val, h, heads)}
	t.Then(func() {
		g := t.Reshape(out.Grad, h.Batch, h.Window, heads, h.D)
		t.Give(x, t.Reshape(t.Transpose(g, 0, 2, 1, 3), h.Batch*heads, h.Window, h.D))
	})
	return out
}

// Attend returns the causal attention of q [B·H, T, d], which holds the factor 1/√d, over k and v [B·KV, T, d]:
// [B·H, T, d]. Query head h reads key head h/G.
//
//	S = q·kᵀ,   P = softmax(S) over the keys up to the query's position,   O = P·v
//	dP = dO·vᵀ,   dS = P·(dP − Σ_d dO·O),   dq = dS·k,   dk = dSᵀ·q,   dv = Pᵀ·dO
//
// With all queries at once half of S lies above the diagonal and is computed for nothing; n chunks of queries need only
// (n+1)/2n of it. P is kept for the way back. Codes of q and k are multiplied as codes.
//
// round, if not nil, changes S [B·KV, G, n, keys] (float32, −10³⁰ where nothing is visible) before the softmax; its
// gradient is taken to be 1.
//
// Source of dS without Σ P·dP: Dao et al., arXiv:2205.14135, appendix B.
func (t *Tape) Attend(q, k, v *Node, h Heads, round func(s, seen Val) Val) *Node {
	bk, T, G, d := h.Batch*h.KV, h.Window, h.Group, h.D
	// cut takes rows lo…hi of [B·KV·G, T, c] as [B·KV, G·(hi−lo), c].
	cut := func(v Val, lo, hi int) Val {
		c := v.Dims[2]
		v = t.Slice(t.Reshape(v, bk, G, T, c), 2, lo, hi)
		return t.Reshape(v, bk, G*(hi-lo), c)
	}
	uncut := func(v Val, n int) Val { return t.Reshape(v, bk, G, n, v.Dims[2]) }
	codes := q.Factored() && k.Factored()

	type chunk struct {
		lo, hi  int
		q, p, o Val
	}
	chunks := make([]chunk, h.Chunks)
	var outs []Val
	for i := range chunks {
		lo, hi := i*T/h.Chunks, (i+1)*T/h.Chunks
		n := hi - lo
		c := chunk{lo: lo, hi: hi, q: cut(q.Val, lo, hi)}
		var s Val
		if codes {
			s = t.Dot(cut(q.Code, lo, hi), 2, t.Slice(k.Code, 1, 0, hi), 2)
			s = t.Mul(s, cut(q.Step, lo, hi))
			s = t.Mul(s, t.Reshape(t.Slice(k.Step, 1, 0, hi), bk, 1, hi))
		} else {
			s = t.Cast(t.dot(c.q, t.Slice(k.Val, 1, 0, hi)), F32)
		}
		s = t.Add(t.Reshape(s, bk, G, n, hi), t.causal(n, hi, lo))
		if round != nil {
			s = round(s, t.seen(n, hi, lo))
		}
		e := t.Exp(t.Sub(s, t.MaxOf(s, 3)))
		c.p = t.Reshape(t.Cast(t.Div(e, t.Sum(e, 3)), t.Compute), bk, G*n, hi)
		if t.Precise {
			c.o = t.DotSplit(c.p, t.Transpose(t.Slice(v.Val, 1, 0, hi), 0, 2, 1))
		} else {
			c.o = t.Dot(c.p, 2, t.Slice(v.Val, 1, 0, hi), 1)
		}
		chunks[i] = c
		outs = append(outs, uncut(c.o, n))
	}
	o := t.Reshape(t.Concat(2, outs...), bk*G, T, d)
	out := &Node{Val: o}

	t.Then(func() {
		do := out.Grad
		mean := t.Sum(t.Mul(t.Cast(do, F32), t.Cast(o, F32)), 2)
		var dqs []Val
		dks, dvs := make([]Val, len(chunks)), make([]Val, len(chunks)) // by keys, in float32
		for _, c := range chunks {
			n := c.hi - c.lo
			doc := cut(do, c.lo, c.hi)
			dp := t.Cast(t.Dot(doc, 2, t.Slice(v.Val, 1, 0, c.hi), 2), F32)
			ds := t.Cast(t.Mul(t.Cast(c.p, F32), t.Sub(dp, cut(mean, c.lo, c.hi))), t.Compute)
			dqs = append(dqs, uncut(t.Dot(ds, 2, t.Slice(k.Val, 1, 0, c.hi), 1), n))
			t.gather(dks, chunksOf(T, h.Chunks), t.Dot(ds, 1, c.q, 1))
			t.gather(dvs, chunksOf(T, h.Chunks), t.Dot(c.p, 1, doc, 1))
		}
		t.Give(q, t.Reshape(t.Concat(2, dqs...), bk*G, T, d))
		t.Give(k, t.Concat(1, dks...))
		t.Give(v, t.Concat(1, dvs...))
	})
	return out
}

// seen is true where key j may be seen by query lo + i: [1, 1, n, keys].
func (t *Tape) seen(n, keys, lo int) Val {
	query := t.AddC(t.Iota(I32, 2, 1, 1, n, keys), float64(lo))
	return t.GreaterOrEqual(query, t.Iota(I32, 3, 1, 1, n, keys))
}

// causal is 0 where a key may be seen and −10³⁰ elsewhere.
func (t *Tape) causal(n, keys, lo int) Val {
	return t.Where(t.seen(n, keys, lo), t.Scalar(0, F32), t.Scalar(-1e30, F32))
}

// chunksOf returns the bounds of n equal parts of T.
func chunksOf(T, n int) []int {
	b := make([]int, n+1)
	for i := range b {
		b[i] = i * T / n
	}
	return b
}

// gather adds v [n, keys, d] to sums by parts of the keys; keys ends at one of the bounds.
func (t *Tape) gather(sums []Val, bounds []int, v Val) {
	v = t.Cast(v, F32)
	for i := range sums {
		if bounds[i+1] > v.Dims[1] {
			return
		}
		part := t.Slice(v, 1, bounds[i], bounds[i+1])
		if sums[i].OK() {
			part = t.Add(sums[i], part)
		}
		sums[i] = part
	}
}
