package fsbr

import (
	"math"

	"github.com/illm-go/illm/pkg/model"
	"github.com/illm-go/illm/pkg/quant"
	"github.com/illm-go/illm/pkg/smooth"
	"github.com/illm-go/illm/pkg/tape"
)

// tensorSpec is a tensor of a block.
type tensorSpec struct {
	name string
	dims []int
}

// blockTensors lists the tensors of one block of c.
func blockTensors(c model.Config) (list []tensorSpec) {
	for _, t := range c.BlockTensors() {
		list = append(list, tensorSpec{t.Name, t.Dims})
	}
	return list
}

// widths are those of a block; scores 16 leaves them in float.
type widths struct {
	weight, act, query, kv, glu, score int
	clip                               float64 // c of the scores, 0: none
}

// unrounded leaves everything as it is.
var unrounded = widths{untouched, untouched, untouched, untouched, untouched, untouched, 0}

func widthsOf(r quant.Recipe) widths {
	return widths{weight: r.Weight, act: r.Act, query: r.Query, kv: r.KV, glu: r.GLU, score: untouched}
}

// network builds one decoder block.
type network struct {
	t     *tape.Tape
	c     model.Config
	kinds []smooth.Kind
	w     map[string]tape.Val
	p     leaves
	n     widths
	heads tape.Heads
	sites map[string]tape.Val // inputs of the linears, before quantisation, by site
	round func(t *tape.Tape, x *tape.Node, n int, r *ratio) *tape.Node

	online smooth.Rotation // only its online sites act here; the offline ones are in w
	split  bool            // of the products with Hadamard matrices
}

// newNetwork prepares a block over batch windows. w holds the tensors of blockTensors.
func newNetwork(t *tape.Tape, c model.Config, w map[string]tape.Val, p leaves, n widths, batch, window, chunks int) *network {
	h := tape.Heads{Batch: batch, Window: window, KV: c.KVHeads, Group: c.Heads / c.KVHeads, D: c.HeadDim, Chunks: chunks}
	return &network{t: t, c: c, kinds: smooth.Table(c), w: w, p: p, n: n, heads: h, sites: map[string]tape.Val{}, round: quantise}
}

// gain returns Π s^±1 that the kinds put on the outputs of a linear or norm, or with cols on its inputs; nil: 1.
func (b *network) gain(linear string, cols bool, n int) *tape.Node {
	var xs []*tape.Node
	var signs []float64
	for _, k := range b.kinds {
		theta := b.p.logs[k.Name]
		if theta == nil || k.Shift {
			continue
		}
		for _, u := range k.Uses {
			if u.Linear != linear || u.Cols != cols {
				continue
			}
			sign := 1.0
			if u.Divide {
				sign = -1
			}
			xs, signs = append(xs, pick(b.t, theta, indices(u.Index, n))), append(signs, sign)
		}
	}
	if len(xs) == 0 {
		return nil
	}
	return exp(b.t, sumOf(b.t, xs, signs))
}

func indices(f func(int) int, n int) []int {
	v := make([]int, n)
	for i := range v {
		v[i] = f(i)
	}
	return v
}

// vector returns b − δ + W·δ', the bias or β of name after the shifts and before the gain; nil without one.
func (b *network) vector(name string) *tape.Node {
	v, ok := b.w[name+".bias"]
	if !ok {
		return nil
	}
	xs, signs := []*tape.Node{{Val: v}}, []float64{1}
	for _, k := range b.kinds {
		delta := b.p.shifts[k.Name]
		if delta == nil || !k.Shift {
			continue
		}
		for _, u := range k.Uses {
			switch {
			case u.Linear != name:
			case u.Cols:
				w := b.w[name+".weight"]
				xs, signs = append(xs, product(b.t, w, pick(b.t, delta, indices(u.Index, w.Dims[1])))), append(signs, 1)
			default:
				xs, signs = append(xs, pick(b.t, delta, indices(u.Index, v.Dims[0]))), append(signs, -1)
			}
		}
	}
	return sumOf(b.t, xs, signs)
}

// linear returns a linear's matrix, transformed, clipped and quantised, and its bias.
func (b *network) linear(name string) tape.Weight {
	w := b.w[name+".weight"]
	rows := b.gain(name, false, w.Dims[0])
	m := scaled(b.t, w, rows, b.gain(name, true, w.Dims[1]))
	if b.turns(name) {
		m = turned(b.t, m, b.split) // undoes the turn of the input
	}
	out := tape.Weight{W: b.round(b.t, m, b.n.weight, b.p.ratios[name])}
	if v := b.vector(name); v != nil {
		out.B = times(b.t, v, rows)
	}
	return out
}

// turns reports whether the input of a linear is turned online.
func (b *network) turns(linear string) bool {
	_, out, down := b.online.Online(b.c)
	return out && linear == "self_attn.o_proj" || down && linear == "mlp.down_proj"
}

// norm applies a norm of the block to x [N, C].
func (b *network) norm(x *tape.Node, name string) *tape.Node {
	gamma := &tape.Node{Val: b.w[name+".weight"]}
	g := b.gain(name, false, gamma.Dims[0])
	beta := b.vector(name)
	if beta != nil {
		beta = times(b.t, beta, g)
	}
	return b.t.Norm(x, times(b.t, gamma, g), beta, b.c.NormEps)
}

// headNorm applies q_norm or k_norm to x [n, T, d], if there is one.
func (b *network) headNorm(x *tape.Node, name string) *tape.Node {
	if !b.c.HeadNorm {
		return x
	}
	flat := b.t.Reshaped(x, x.Dims[0]*x.Dims[1], x.Dims[2])
	return b.t.Reshaped(b.norm(flat, name), x.Dims...)
}

// input is the quantised input of a linear; the site keeps the values from before.
func (b *network) input(x *tape.Node, site string) *tape.Node {
	b.sites[site] = x.Val
	if site == siteAttnOut && b.turns("self_attn.o_proj") || site == siteProduct && b.turns("mlp.down_proj") {
		x = turned(b.t, x, b.split)
	}
	return b.round(b.t, x, b.n.act, b.p.ranges[site])
}

// Sites of the statistics: inputs of q, k, v; of o; of gate and up; of down.
const (
	siteAttnIn  = "attn_in"
	siteAttnOut = "attn_out"
	siteMLPIn   = "mlp_in"
	siteProduct = "product"
)

var sites = []string{siteAttnIn, siteAttnOut, siteMLPIn, siteProduct}

// forward returns the output of the block for x [N, C].
func (b *network) forward(x *tape.Node) *tape.Node {
	t := b.t
	y := b.input(b.norm(x, "input_layernorm"), siteAttnIn)
	y = t.Linear(y, b.linear("self_attn.q_proj"), b.linear("self_attn.k_proj"), b.linear("self_attn.v_proj"))
	y = b.input(b.attention(y), siteAttnOut)
	x = t.Residual(x, t.Linear(y, b.linear("self_attn.o_proj")))

	y = b.input(b.norm(x, "post_attention_layernorm"), siteMLPIn)
	if b.c.Gated() {
		y = t.Linear(y, b.linear("mlp.gate_proj"), b.linear("mlp.up_proj"))
		parts := cut(t, y, b.c.FFN, b.c.FFN)
		var alpha *tape.Node // 1/s where the gate carries s
		if theta := b.p.logs["gate_up"]; theta != nil {
			alpha = exp(t, sumOf(t, []*tape.Node{theta}, []float64{-1}))
		}
		y = swiglu(t, b.round(t, parts[0], b.n.glu, b.p.ranges["gate"]), b.round(t, parts[1], b.n.glu, b.p.ranges["up"]), alpha)
	} else {
		y = t.ReLU(t.Linear(y, b.linear("mlp.up_proj")))
	}
	return t.Residual(x, t.Linear(b.input(y, siteProduct), b.linear("mlp.down_proj")))
}

// attention is that of x = [q | k | v] with its own quantisers.
func (b *network) attention(x *tape.Node) *tape.Node {
	t, h := b.t, b.heads
	q, k, v := t.Split(x, h)
	var rot *tape.Rotation
	if b.c.Rotary() {
		rot = t.Rotations(h.Window, b.c.RopeFrequencies(), true)
	}
	q, k = t.Rotate(b.headNorm(q, "self_attn.q_norm"), rot, 1), t.Rotate(b.headNorm(k, "self_attn.k_norm"), rot, 1)
	if qk, _, _ := b.online.Online(b.c); qk {
		q, k = turned(t, q, b.split), turned(t, k, b.split)
	}
	q = b.round(t, q, b.n.query, b.p.ranges["query"])
	k = b.round(t, k, b.n.kv, b.p.ranges["key"])
	v = b.round(t, v, b.n.kv, b.p.ranges["value"])
	q = t.Scaled(q, 1/math.Sqrt(float64(h.D)))
	return t.Join(t.Attend(q, k, v, h, roundScores(t, b.n.score, b.n.clip)), h)
}
