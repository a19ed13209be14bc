package fsbr

import "github.com/illm-go/illm/pkg/tape"

// Loss says what is minimised: the mean squared error of a block's output, and options.
type Loss struct {
	Plain bool // every token counts by its squared error, as in the official code; false: see Floor
	Aug   bool // add the error against the float block on the quantised block's inputs
	Std   bool // divide output and target by the target's standard deviation, by channel

	// Floor is added to the mean square of a token's target, by which its squared error is divided unless Plain is
	// set; 0 means 10⁻⁶. A few tokens of large models have outputs a thousand times larger than the rest (the first
	// position of a text, "massive activations"): in the plain mean their errors are all that is seen, while the next
	// norm divides every token by its own size.
	Floor float64
}

// rows returns the loss of every token [N, 1] of y, target [N, C], whose mean is the loss, and hands the gradient of the
// mean by y to give.
//
//	plain      Σ_c (y − t)²/C
//	otherwise  Σ_c (y − t)²/C / (Σ_c t²/C + floor)
//	Std        y, t divided by the standard deviation of t's channel over the batch first
func (o Loss) rows(g *tape.Graph, y, target tape.Val, give func(dy tape.Val)) tape.Val {
	n, c := y.Dims[0], y.Dims[1]
	var inv tape.Val // of the standard deviation
	if o.Std {
		d := g.Sub(target, g.Mean(target, 0))
		inv = g.Rsqrt(g.AddC(g.Mean(g.Mul(d, d), 0), 1e-12))
		target, y = g.Mul(target, inv), g.Mul(y, inv)
	}
	diff := g.Sub(y, target)
	var weight tape.Val
	if !o.Plain {
		floor := o.Floor
		if floor == 0 {
			floor = 1e-6
		}
		weight = g.Div(g.Scalar(1, tape.F32), g.AddC(g.Mean(g.Mul(target, target), 1), floor))
	}
	loss := g.Mean(g.Mul(diff, diff), 1)
	if weight.OK() {
		loss = g.Mul(loss, weight)
	}
	if give != nil {
		dy := g.Scale(diff, 2/(float64(n)*float64(c)))
		if weight.OK() {
			dy = g.Mul(dy, weight)
		}
		if inv.OK() {
			dy = g.Mul(dy, inv)
		}
		give(dy)
	}
	return loss
}
