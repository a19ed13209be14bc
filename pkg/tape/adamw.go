package tape

// AdamW names the constants of the optimizer.
type AdamW struct{ Beta1, Beta2, Eps float64 }

// Moments of a parameter and what a step needs beside them.
type Moments struct {
	M, V          Val
	First, Second Val     // 1/(1 − β₁ᵗ), 1/(1 − β₂ᵗ), scalars
	Rate          Val     // learning rate, a scalar or of the parameter's shape
	Decay         float64 // weight decay
}

// Update returns the next parameter and its moments, for a gradient g.
//
//	m ← β₁·m + (1−β₁)·g,   v ← β₂·v + (1−β₂)·g²
//	w ← w − rate·(m̂/(√v̂ + ε) + decay·w),   m̂ = m/(1−β₁ᵗ),   v̂ = v/(1−β₂ᵗ)
//
// Source: Loshchilov and Hutter, arXiv:1711.05101, algorithm 2.
func (o AdamW) Update(g *Graph, w Val, s Moments, grad Val) (w1, m1, v1 Val) {
	m1 = g.Add(g.Scale(s.M, o.Beta1), g.Scale(grad, 1-o.Beta1))
	v1 = g.Add(g.Scale(s.V, o.Beta2), g.Scale(g.Mul(grad, grad), 1-o.Beta2))
	step := g.Div(g.Mul(m1, s.First), g.AddC(g.Sqrt(g.Mul(v1, s.Second)), o.Eps))
	if s.Decay != 0 {
		step = g.Add(step, g.Scale(w, s.Decay))
	}
	return g.Sub(w, g.Mul(step, s.Rate)), m1, v1
}
