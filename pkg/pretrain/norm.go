package pretrain

// norm returns the RMSNorm of x [N, C] for β nil, its LayerNorm otherwise, in the type of the matrix products:
//
//	RMSNorm    y = γ·x̂,      x̂ = x·r,         r = 1/√(mean(x²) + ε)
//	LayerNorm  y = γ·x̂ + β,  x̂ = (x − μ)·r,   r = 1/√(mean((x − μ)²) + ε),  μ = mean(x)
//
// With g = dy·γ: dx = r·(g − x̂·mean(g·x̂)), for LayerNorm less r·mean(g) too; dγ = Σ_n dy·x̂, dβ = Σ_n dy.
//
// Sources: Zhang and Sennrich, arXiv:1910.07467; Ba et al., arXiv:1607.06450.
func (t *tape) norm(x, gamma, beta *node, eps float64) *node {
	c := x.dims[1]
	xc := x.val
	if beta != nil {
		xc = t.sub(xc, t.mean(xc, 1))
	}
	r := t.rsqrt(t.addc(t.mean(t.mul(xc, xc), 1), eps))
	hat := t.mul(xc, r)
	row := t.reshape(gamma.val, 1, c)
	y := t.mul(hat, row)
	if beta != nil {
		y = t.add(y, t.reshape(beta.val, 1, c))
	}
	out := &node{val: t.cast(y, t.compute)}
	t.back = append(t.back, func() {
		dy := t.cast(out.grad, f32)
		g := t.mul(dy, row)
		d := t.sub(g, t.mul(hat, t.mean(t.mul(g, hat), 1)))
		if beta != nil {
			d = t.sub(d, t.mean(g, 1))
			t.give(beta, t.reshape(t.sum(dy, 0), c))
		}
		t.give(x, t.mul(d, r))
		t.give(gamma, t.reshape(t.sum(t.mul(dy, hat), 0), c))
	})
	return out
}
