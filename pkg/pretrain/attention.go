package pretrain

import (
	"math"
)

// heads is the shape of an attention over a batch.
type heads struct {
	batch, window int
	kv, group, d  int     // key/value heads, queries of each, channels of each
	theta         float64 // base of the rotary frequencies; 0: no rotation
	chunks        int     // queries are cut into as many parts, each sees only the keys up to its end
}

// rotation holds cos and sin of position·θ^(−2i/d) as [T, d/2].
type rotation struct{ cos, sin val }

func (t *tape) rotation(h heads) rotation {
	half := h.d / 2
	cos, sin := make([]float32, h.window*half), make([]float32, h.window*half)
	for p := range h.window {
		for i := range half {
			s, c := math.Sincos(float64(p) * math.Pow(h.theta, -2*float64(i)/float64(h.d)))
			cos[p*half+i], sin[p*half+i] = float32(c), float32(s)
		}
	}
	return rotation{t.constant(cos, h.window, half), t.constant(sin, h.window, half)}
}

// rotate turns the pairs (i, i + d/2) of x [n, T, d] (float32) by the angle of their position, back again for sign −1:
// the gradient of a rotation is the rotation back.
func (t *tape) rotate(x val, r rotation, sign float64) val {
	half := x.dims[2] / 2
	a, b := t.slice(x, 2, 0, half), t.slice(x, 2, half, 2*half)
	cos := t.reshape(r.cos, 1, x.dims[1], half)
	sin := t.scale(t.reshape(r.sin, 1, x.dims[1], half), sign)
	return t.concat(2, t.sub(t.mul(a, cos), t.mul(b, sin)), t.add(t.mul(b, cos), t.mul(a, sin)))
}

// attention returns the causal attention of x = [q | k | v] [N, (H + 2·KV)·d]: [N, H·d]. Query head h reads key head
// h/G.
//
//	S = q·kᵀ/√d,   P = softmax(S) over the keys up to the query's position,   O = P·v
//	dP = dO·vᵀ,   dS = P·(dP − Σ_d dO·O),   dq = dS·k/√d,   dk = dSᵀ·q/√d,   dv = Pᵀ·dO
//
// With all queries at once half of S lies above the diagonal and is computed for nothing; n chunks of queries need only
// (n+1)/2n of it. P is kept for the way back.
//
// Source of dS without Σ P·dP: Dao et al., arXiv:2205.14135, appendix B.
func (t *tape) attention(x *node, h heads, rot rotation) *node {
	bk, T, G, d := h.batch*h.kv, h.window, h.group, h.d
	nq, nkv := h.kv*G*d, h.kv*d
	scale := 1 / math.Sqrt(float64(d))

	// [N, KV·G·d] → [B·KV·G, T, d] and back.
	split := func(v val, lo, hi, heads int) val {
		v = t.reshape(t.slice(v, 1, lo, hi), h.batch, T, heads, d)
		return t.reshape(t.transpose(v, 0, 2, 1, 3), h.batch*heads, T, d)
	}
	join := func(v val, heads int) val {
		v = t.transpose(t.reshape(v, h.batch, heads, T, d), 0, 2, 1, 3)
		return t.reshape(v, h.batch*T, heads*d)
	}
	turn := func(v val, sign float64) val {
		if h.theta == 0 {
			return v
		}
		return t.rotate(v, rot, sign)
	}
	// S is computed from q/√d, so that the scale is applied to the smaller tensor.
	q := t.cast(t.scale(turn(t.cast(split(x.val, 0, nq, h.kv*G), f32), 1), scale), t.compute)
	k := t.cast(turn(t.cast(split(x.val, nq, nq+nkv, h.kv), f32), 1), t.compute)
	v := split(x.val, nq+nkv, nq+2*nkv, h.kv)

	// cut takes rows lo…hi of [B·KV·G, T, c] as [B·KV, G·(hi−lo), c].
	cut := func(v val, lo, hi int) val {
		c := v.dims[2]
		v = t.slice(t.reshape(v, bk, G, T, c), 2, lo, hi)
		return t.reshape(v, bk, G*(hi-lo), c)
	}
	uncut := func(v val, n int) val { return t.reshape(v, bk, G, n, v.dims[2]) }

	type chunk struct {
		lo, hi  int
		q, p, o val
	}
	chunks := make([]chunk, h.chunks)
	var outs []val
	for i := range chunks {
		lo, hi := i*T/h.chunks, (i+1)*T/h.chunks
		n := hi - lo
		c := chunk{lo: lo, hi: hi, q: cut(q, lo, hi)}
		s := t.cast(t.dot(c.q, 2, t.slice(k, 1, 0, hi), 2), f32)
		s = t.add(t.reshape(s, bk, G, n, hi), t.causal(n, hi, lo))
		e := t.exp(t.sub(s, t.maxOf(s, 3)))
		c.p = t.reshape(t.cast(t.div(e, t.sum(e, 3)), t.compute), bk, G*n, hi)
		c.o = t.dot(c.p, 2, t.slice(v, 1, 0, hi), 1)
		chunks[i] = c
		outs = append(outs, uncut(c.o, n))
	}
	o := t.reshape(t.concat(2, outs...), bk*G, T, d)
	out := &node{val: join(o, h.kv*G)}

	t.back = append(t.back, func() {
		do := split(out.grad, 0, nq, h.kv*G)
		mean := t.sum(t.mul(t.cast(do, f32), t.cast(o, f32)), 2)
		var dqs []val
		dks, dvs := make([]val, len(chunks)), make([]val, len(chunks)) // by keys, in float32
		for _, c := range chunks {
			n := c.hi - c.lo
			doc := cut(do, c.lo, c.hi)
			dp := t.cast(t.dot(doc, 2, t.slice(v, 1, 0, c.hi), 2), f32)
			ds := t.cast(t.mul(t.cast(c.p, f32), t.sub(dp, cut(mean, c.lo, c.hi))), t.compute)
			dqs = append(dqs, uncut(t.dot(ds, 2, t.slice(k, 1, 0, c.hi), 1), n))
			t.gather(dks, chunksOf(T, h.chunks), t.dot(ds, 1, c.q, 1))
			t.gather(dvs, chunksOf(T, h.chunks), t.dot(c.p, 1, doc, 1))
		}
		dq := t.reshape(t.concat(2, dqs...), bk*G, T, d)
		dq = turn(t.scale(t.cast(dq, f32), scale), -1)
		dk := turn(t.concat(1, dks...), -1)
		dv := t.concat(1, dvs...)
		part := func(v val, heads int) val { return join(t.cast(v, t.compute), heads) }
		t.give(x, t.concat(1, part(dq, h.kv*G), part(dk, h.kv), part(dv, h.kv)))
	})
	return out
}

// causal is 0 where key j may be seen by query lo + i and −10³⁰ elsewhere: [1, 1, n, keys].
func (t *tape) causal(n, keys, lo int) val {
	query := t.addc(t.iota(i32, 2, 1, 1, n, keys), float64(lo))
	seen := t.greaterOrEqual(query, t.iota(i32, 3, 1, 1, n, keys))
	return t.where(seen, t.scalar(0, f32), t.scalar(-1e30, f32))
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
func (t *tape) gather(sums []val, bounds []int, v val) {
	v = t.cast(v, f32)
	for i := range sums {
		if bounds[i+1] > v.dims[1] {
			return
		}
		part := t.slice(v, 1, bounds[i], bounds[i+1])
		if sums[i].ok() {
			part = t.add(sums[i], part)
		}
		sums[i] = part
	}
}
