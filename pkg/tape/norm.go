package tape

// Norm returns the RMSNorm of x [N, C] for β nil, its LayerNorm otherwise, in the type of the matrix products:
//
//	RMSNorm    y = γ·x̂,      x̂ = x·r,         r = 1/√(mean(x²) + ε)
//	LayerNorm  y = γ·x̂ + β,  x̂ = (x − μ)·r,   r = 1/√(mean((x − μ)²) + ε),  μ = mean(x)
//
// With g = dy·γ: dx = r·(g − x̂·mean(g·x̂)), for LayerNorm less r·mean(g) too; dγ = Σ_n dy·x̂, dβ = Σ_n dy.
//
// Sources: Zhang and Sennrich, arXiv:1910.07467; Ba et al., arXiv:1607.06450.
func (t *Tape) Norm(x, gamma, beta *Node, eps float64) *Node {
	c := x.Dims[1]
	xc := x.Val
	if beta != nil {
		xc = t.Sub(xc, t.Mean(xc, 1))
	}
	r := t.Rsqrt(t.AddC(t.Mean(t.Mul(xc, xc), 1), eps))
	hat := t.Mul(xc, r)
	row := t.Reshape(gamma.Val, 1, c)
	y := t.Mul(hat, row)
	if beta != nil {
		y = t.Add(y, t.Reshape(beta.Val, 1, c))
	}
	out := &Node{Val: t.Cast(y, t.Compute)}
	t.Then(func() {
		dy := t.Cast(out.Grad, F32)
		g := t.Mul(dy, row)
		d := t.Sub(g, t.Mul(hat, t.Mean(t.Mul(g, hat), 1)))
		if beta != nil {
			d = t.Sub(d, t.Mean(g, 1))
			t.Give(beta, t.Reshape(t.Sum(dy, 0), c))
		}
		t.Give(x, t.Mul(d, r))
		t.Give(gamma, t.Reshape(t.Sum(t.Mul(dy, hat), 0), c))
	})
	return out
}
