package tape

// splitBits is the width of the first part of a split operand: integers of this many bits and a sign are exact in every
// format that a machine may round the operands of a float32 product to (TF32 has 11 bits of significand).
const splitBits = 10

// split returns a = step·(code + rest) with whole |code| ≤ 2¹⁰ and |rest| ≤ ½; step belongs to rows along axis k.
func (g *Graph) split(a Val, k int) (code, rest, step Val) {
	step = g.Scale(g.MaxOf(g.Abs(a), k), 1.0/(1<<splitBits))
	step = g.Max(step, g.Scalar(1e-30, F32))
	v := g.Div(a, step)
	code = g.RoundAway(v)
	return code, g.Sub(v, code), step
}

// DotSplit is Dot(a, last axis, b, last axis) in float32 with both operands split, so that it has the accuracy of float32
// where the machine rounds the operands of products to TF32:
//
//	a·b = s_a·s_b·(c_a·c_b + c_a·r_b + r_a·c_b),   error ≤ (2⁻²² + 2⁻²³)·K·max|a|·max|b| beside the sum's own rounding
//
// Three products; r_a·r_b is left out. For two or three axes; with three the first is a batch axis.
func (g *Graph) DotSplit(a, b Val) Val {
	k := len(a.Dims) - 1
	ca, ra, sa := g.split(a, k)
	cb, rb, sb := g.split(b, k)
	y := g.Add(g.Dot(ca, k, cb, k), g.Add(g.Dot(ca, k, rb, k), g.Dot(ra, k, cb, k)))
	dims := append([]int{}, sb.Dims...)
	dims[k-1], dims[k] = 1, sb.Dims[k-1]
	return g.Mul(g.Mul(y, sa), g.Reshape(sb, dims...))
}
