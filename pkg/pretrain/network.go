package pretrain

import (
	"fmt"
	"math"

	"github.com/illm-go/illm/pkg/model"
	"github.com/illm-go/illm/pkg/tape"
)

// network builds the forward pass of c over tokens [B, T+1] and returns −log p of every token but the first: [B·T, 1].
// params holds a node for every name of Tensors(c). t.backward then fills in the gradients of the mean.
func network(t *tape.Tape, c model.Config, params map[string]*tape.Node, tokens tape.Val, chunks int) tape.Val {
	batch, window := tokens.Dims[0], tokens.Dims[1]-1
	n := batch * window
	inputs := t.Reshape(t.Slice(tokens, 1, 0, window), n)
	targets := t.Reshape(t.Slice(tokens, 1, 1, window+1), n)

	lin := func(name string) tape.Weight { return tape.Weight{W: params[name+".weight"], B: params[name+".bias"]} }
	norm := func(x *tape.Node, name string) *tape.Node {
		return t.Norm(x, params[name+".weight"], params[name+".bias"], c.NormEps)
	}
	h := tape.Heads{Batch: batch, Window: window, KV: c.KVHeads, Group: c.Heads / c.KVHeads, D: c.HeadDim, Chunks: chunks}
	var rot *tape.Rotation
	x := t.Embed(params[model.Embedding], inputs)
	if c.Rotary() {
		rot = t.Rotations(window, frequencies(c), false)
	} else {
		x = t.Positions(x, params[model.Positions], batch, window)
	}
	for i := range c.Layers {
		block := fmt.Sprintf("model.layers.%d.", i)
		y := norm(x, block+"input_layernorm")
		y = t.Linear(y, lin(block+"self_attn.q_proj"), lin(block+"self_attn.k_proj"), lin(block+"self_attn.v_proj"))
		y = attention(t, y, h, rot)
		x = t.Residual(x, t.Drop(t.Linear(y, lin(block+"self_attn.o_proj"))))

		y = norm(x, block+"post_attention_layernorm")
		if c.Gated() {
			y = t.SwiGLU(t.Linear(y, lin(block+"mlp.gate_proj"), lin(block+"mlp.up_proj")))
		} else {
			y = t.ReLU(t.Linear(y, lin(block+"mlp.up_proj")))
		}
		x = t.Residual(x, t.Drop(t.Linear(y, lin(block+"mlp.down_proj"))))
	}
	x = norm(x, "model.norm")
	head := params[model.Head]
	if c.TiedHead {
		head = params[model.Embedding]
	}
	return t.CrossEntropy(t.Linear(x, tape.Weight{W: head}), targets)
}

// attention returns the causal attention of x = [q | k | v] [N, (H + 2·KV)·d]: [N, H·d]. q is divided by √d before the
// product, so that the scale is applied to the smaller tensor.
func attention(t *tape.Tape, x *tape.Node, h tape.Heads, rot *tape.Rotation) *tape.Node {
	q, k, v := t.Split(x, h)
	q = t.Rotate(q, rot, 1/math.Sqrt(float64(h.D)))
	k = t.Rotate(k, rot, 1)
	return t.Join(t.Attend(q, k, v, h, nil), h)
}

// frequencies are θ^(−2i/d).
func frequencies(c model.Config) []float64 {
	theta := make([]float64, c.HeadDim/2)
	for i := range theta {
		theta[i] = math.Pow(c.RopeTheta, -2*float64(i)/float64(c.HeadDim))
	}
	return theta
}
