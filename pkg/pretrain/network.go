package pretrain

import (
	"fmt"

	"github.com/illm-go/illm/pkg/model"
)

// network builds the forward pass of c over tokens [B, T+1] and returns −log p of every token but the first: [B·T, 1].
// params holds a node for every name of Tensors(c). t.backward then fills in the gradients of the mean.
func (t *tape) network(c model.Config, params map[string]*node, tokens val, chunks int) val {
	batch, window := tokens.dims[0], tokens.dims[1]-1
	n := batch * window
	inputs := t.reshape(t.slice(tokens, 1, 0, window), n)
	targets := t.reshape(t.slice(tokens, 1, 1, window+1), n)

	lin := func(name string) weight { return weight{params[name+".weight"], params[name+".bias"]} }
	norm := func(x *node, name string) *node {
		return t.norm(x, params[name+".weight"], params[name+".bias"], c.NormEps)
	}
	h := heads{batch: batch, window: window, kv: c.KVHeads, group: c.Heads / c.KVHeads, d: c.HeadDim, chunks: chunks}
	var rot rotation
	x := t.embed(params[model.Embedding], inputs)
	if c.Rotary() {
		h.theta = c.RopeTheta
		rot = t.rotation(h)
	} else {
		x = t.positions(x, params[model.Positions], batch, window)
	}
	for i := range c.Layers {
		block := fmt.Sprintf("model.layers.%d.", i)
		y := norm(x, block+"input_layernorm")
		y = t.linear(y, lin(block+"self_attn.q_proj"), lin(block+"self_attn.k_proj"), lin(block+"self_attn.v_proj"))
		y = t.attention(y, h, rot)
		x = t.residual(x, t.drop(t.linear(y, lin(block+"self_attn.o_proj"))))

		y = norm(x, block+"post_attention_layernorm")
		if c.Gated() {
			y = t.swiglu(t.linear(y, lin(block+"mlp.gate_proj"), lin(block+"mlp.up_proj")))
		} else {
			y = t.relu(t.linear(y, lin(block+"mlp.up_proj")))
		}
		x = t.residual(x, t.drop(t.linear(y, lin(block+"mlp.down_proj"))))
	}
	x = norm(x, "model.norm")
	head := params[model.Head]
	if c.TiedHead {
		head = params[model.Embedding]
	}
	return t.crossEntropy(t.linear(x, weight{w: head}), targets)
}
