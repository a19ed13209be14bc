package accel

import (
	"math"

	"github.com/illm-go/illm/pkg/floatref"
	"github.com/illm-go/illm/pkg/model"
	"github.com/illm-go/illm/pkg/tape"
)

// shape says what the programs of a model are built for, beside batch and length.
type shape struct {
	cfg     model.Config
	rounded bool                 // a simulation
	sites   [floatref.Sites]bool // that are rounded
	wide    [floatref.Sites]bool // to codes that a product may not have for operands: TF32 has 11 bits
	split   bool
}

// network writes the forward pass of one block.
type network struct {
	shape
	t       *tape.Tape
	w       map[string]tape.Val
	numbers tape.Val // see numNumbers; not set without rounding
	alpha   tape.Val // gains of the gate [FFN]; likewise
	heads   tape.Heads
}

// linears is x·Wᵀ + b for matrices one below the other.
func (b *network) linears(x *tape.Node, names ...string) *tape.Node {
	ws := make([]tape.Weight, len(names))
	for i, name := range names {
		ws[i].W = &tape.Node{Val: b.w[name+".weight"]}
		if v, ok := b.w[name+".bias"]; ok {
			ws[i].B = &tape.Node{Val: v}
		}
	}
	return b.t.Linear(x, ws...)
}

// norm of the rows of x.
func (b *network) norm(x *tape.Node, name string) *tape.Node {
	return norm(b.t, x, b.w[name+".weight"], b.w[name+".bias"], b.cfg.NormEps)
}

func norm(t *tape.Tape, x *tape.Node, gamma, beta tape.Val, eps float64) *tape.Node {
	var shift *tape.Node
	if beta.OK() {
		shift = &tape.Node{Val: beta}
	}
	return t.Norm(x, &tape.Node{Val: gamma}, shift, eps)
}

// headNorm applies q_norm or k_norm to x [n, T, d], if there is one.
func (b *network) headNorm(x *tape.Node, name string) *tape.Node {
	if !b.cfg.HeadNorm {
		return x
	}
	flat := b.t.Reshaped(x, x.Dims[0]*x.Dims[1], x.Dims[2])
	return b.t.Reshaped(b.norm(flat, name), x.Dims...)
}

// number i of the block, in the shape of a row's extremes.
func number(t *tape.Tape, numbers tape.Val, i, rank int) tape.Val {
	dims := make([]int, rank)
	for i := range dims {
		dims[i] = 1
	}
	return t.Reshape(t.Slice(numbers, 0, i, i+1), dims...)
}

// tiny bounds the step of a row from below: a row of zeros has codes and values 0.
const tiny = 1e-30

// round puts the rows of x along the last axis on the grid of a site, as fakequant.Part does in float64: codes and steps.
func (s shape) round(t *tape.Tape, numbers tape.Val, x *tape.Node, site floatref.Site) *tape.Node {
	if !s.sites[site] {
		return x
	}
	rank := len(x.Dims)
	levels, ratio := number(t, numbers, atLevels+int(site), rank), number(t, numbers, atRatios+int(site), rank)
	zero := t.Scalar(0, tape.F32)
	hi := t.Mul(t.Max(t.MaxOf(x.Val, rank-1), zero), ratio)
	lo := t.Mul(t.Min(t.MinOf(x.Val, rank-1), zero), ratio)
	step := t.Max(t.Div(t.Sub(hi, lo), levels), t.Scalar(tiny, tape.F32))
	z := t.RoundAway(t.Div(t.Sub(zero, lo), step))
	c := t.Add(t.RoundAway(t.Div(x.Val, step)), z)
	code := t.Sub(t.Min(t.Max(c, zero), levels), z)
	if s.wide[site] {
		return &tape.Node{Val: t.Mul(code, step)}
	}
	return &tape.Node{Val: t.Mul(code, step), Code: code, Step: step}
}

// distances is roundScores of a row of scores [·, ·, n, keys]: fakequant.Distances.
func (b *network) distances(s, seen tape.Val) tape.Val {
	t := b.t
	zero := t.Scalar(0, tape.F32)
	seen = t.Broadcast(seen, s.Dims, 0, 1, 2, 3)
	d := t.Where(seen, t.Sub(t.MaxOf(s, 3), s), zero)
	r := t.Min(t.MaxOf(d, 3), number(t, b.numbers, atClip, 4))
	step := t.Max(t.Div(r, number(t, b.numbers, atLevels+int(floatref.Scores), 4)), t.Scalar(tiny, tape.F32))
	d = t.Mul(t.RoundAway(t.Div(t.Min(d, r), step)), step)
	return t.Where(seen, t.Sub(zero, d), t.Scalar(-1e30, tape.F32))
}

// forward returns the output of the block for x [N, C].
func (b *network) forward(x *tape.Node) *tape.Node {
	t := b.t
	y := b.round(t, b.numbers, b.norm(x, "input_layernorm"), floatref.AttnIn)
	y = b.attention(b.linears(y, "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"))
	x = t.Residual(x, b.linears(b.round(t, b.numbers, y, floatref.AttnOut), "self_attn.o_proj"))

	y = b.round(t, b.numbers, b.norm(x, "post_attention_layernorm"), floatref.MLPIn)
	if b.cfg.Gated() {
		y = b.linears(y, "mlp.gate_proj", "mlp.up_proj")
		f := b.cfg.FFN
		gate := b.round(t, b.numbers, &tape.Node{Val: t.Slice(y.Val, 1, 0, f)}, floatref.Gate).Val
		up := b.round(t, b.numbers, &tape.Node{Val: t.Slice(y.Val, 1, f, 2*f)}, floatref.Up).Val
		inner := gate
		if b.alpha.OK() {
			inner = t.Mul(inner, t.Reshape(b.alpha, 1, f))
		}
		y = &tape.Node{Val: t.Mul(t.Mul(gate, t.Sigmoid(inner)), up)}
	} else {
		y = t.ReLU(b.linears(y, "mlp.up_proj"))
	}
	return t.Residual(x, b.linears(b.round(t, b.numbers, y, floatref.Product), "mlp.down_proj"))
}

// attention is that of x = [q | k | v].
func (b *network) attention(x *tape.Node) *tape.Node {
	t, h := b.t, b.heads
	q, k, v := t.Split(x, h)
	var rot *tape.Rotation
	if b.cfg.Rotary() {
		rot = t.Rotations(h.Window, b.cfg.RopeFrequencies(), true)
	}
	q, k = t.Rotate(b.headNorm(q, "self_attn.q_norm"), rot, 1), t.Rotate(b.headNorm(k, "self_attn.k_norm"), rot, 1)
	q = b.round(t, b.numbers, q, floatref.Query)
	k = b.round(t, b.numbers, k, floatref.Key)
	v = b.round(t, b.numbers, v, floatref.Value)
	q = t.Scaled(q, 1/math.Sqrt(float64(h.D)))
	var scores func(s, seen tape.Val) tape.Val
	if b.sites[floatref.Scores] {
		scores = b.distances
	}
	return t.Join(t.Attend(q, k, v, h, scores), h)
}
