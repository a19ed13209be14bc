package gptq

import (
	"fmt"

	"github.com/illm-go/illm/pkg/floatref"
	"github.com/illm-go/illm/pkg/model"
)

// linear is y = x·Wᵀ + b.
type linear struct {
	name    string // without ".weight"
	out, in int
	w       []float32 // [out][in]; the values of the codes once they are chosen
	bias    []float32 // [out], or nil
}

// norm is an RMSNorm, or with a beta a LayerNorm.
type norm struct{ gamma, beta []float32 }

// block is a decoder block; without a gate gate is nil.
type block struct {
	norm1, norm2         norm
	qNorm, kNorm         norm
	q, k, v, o, up, down *linear
	gate                 *linear
	alpha                []float32
}

// linears lists the linears of the block in the order in which they are quantised: groups of one input.
func (b *block) groups() [][]*linear {
	mlp := []*linear{b.up}
	if b.gate != nil {
		mlp = []*linear{b.gate, b.up}
	}
	return [][]*linear{{b.q, b.k, b.v}, {b.o}, mlp, {b.down}}
}

// reader fetches tensors and keeps the first error.
type reader struct {
	src floatref.Source
	err error
}

// get returns a tensor of n values, all finite.
func (r *reader) get(name string, n, cols int) []float32 {
	if r.err != nil {
		return nil
	}
	w, err := r.src.Float32(name, nil)
	if err != nil {
		r.err = fmt.Errorf("gptq: load %s: %w", name, err)
		return nil
	}
	if len(w) != n {
		r.err = fmt.Errorf("gptq: load %s: expected %d values, found %d: the weights do not belong to this configuration", name, n, len(w))
		return nil
	}
	if i := finite(w); i >= 0 {
		r.err = fmt.Errorf("gptq: load %s: channel %d, value %d is %v: expected a finite number: the weights are damaged", name, i/cols, i%cols, w[i])
		return nil
	}
	return w
}

func (r *reader) linear(name string, out, in int, bias bool) *linear {
	l := &linear{name: name, out: out, in: in, w: r.get(name+".weight", out*in, in)}
	if bias {
		l.bias = r.get(name+".bias", out, 1)
	}
	return l
}

func (r *reader) norm(name string, n int, layer bool) (m norm) {
	m.gamma = r.get(name+".weight", n, 1)
	if layer {
		m.beta = r.get(name+".bias", n, 1)
	}
	return m
}

// readBlock reads block i.
func readBlock(in *Input, i int) (*block, error) {
	c, r := &in.Config, &reader{src: in.Weights}
	p := fmt.Sprintf("model.layers.%d.", i)
	q, kv := c.Heads*c.HeadDim, c.KVHeads*c.HeadDim
	b := &block{
		norm1: r.norm(p+"input_layernorm", c.Hidden, c.LayerNorm()),
		norm2: r.norm(p+"post_attention_layernorm", c.Hidden, c.LayerNorm()),
		q:     r.linear(p+"self_attn.q_proj", q, c.Hidden, c.QKVBias),
		k:     r.linear(p+"self_attn.k_proj", kv, c.Hidden, c.QKVBias),
		v:     r.linear(p+"self_attn.v_proj", kv, c.Hidden, c.QKVBias),
		o:     r.linear(p+"self_attn.o_proj", c.Hidden, q, c.OutBias),
		up:    r.linear(p+"mlp.up_proj", c.FFN, c.Hidden, c.MLPBias),
		down:  r.linear(p+"mlp.down_proj", c.Hidden, c.FFN, c.MLPBias),
	}
	if c.Gated() {
		b.gate = r.linear(p+"mlp.gate_proj", c.FFN, c.Hidden, c.MLPBias)
	}
	if c.HeadNorm {
		b.qNorm = r.norm(p+"self_attn.q_norm", c.HeadDim, false)
		b.kNorm = r.norm(p+"self_attn.k_norm", c.HeadDim, false)
	}
	if r.err != nil {
		return nil, r.err
	}
	if in.Alpha != nil {
		if b.alpha = in.Alpha(i); b.alpha != nil && len(b.alpha) != c.FFN {
			return nil, fmt.Errorf("gptq: block %d: gains of the gate: expected %d values, found %d", i, c.FFN, len(b.alpha))
		}
	}
	return b, nil
}

// embed returns the residual rows of all windows, the embedding at the recipe's width unless exact.
func embed(in *Input, exact bool, total int) ([]float32, error) {
	c, r := &in.Config, &reader{src: in.Weights}
	table := r.get(model.Embedding, c.Vocab*c.Hidden, c.Hidden)
	var places []float32
	if !c.Rotary() {
		places = r.get(model.Positions, c.MaxContext*c.Hidden, c.Hidden)
	}
	if r.err != nil {
		return nil, r.err
	}
	round := func(x []float32) {
		switch bits := in.Spec.Effective().Emb; {
		case exact:
		case bits == 16:
			symmetric(x, bits)
		default:
			row(x, bits, One)
		}
	}
	h := make([]float32, total*c.Hidden)
	place := make([]float32, c.Hidden)
	at := 0
	for _, w := range in.Windows {
		for p, t := range w {
			x := h[at*c.Hidden:][:c.Hidden]
			copy(x, table[int(t)*c.Hidden:])
			round(x)
			if places != nil {
				copy(place, places[p*c.Hidden:])
				round(place)
				for j, v := range place {
					x[j] += v
				}
			}
			at++
		}
	}
	return h, nil
}
