package model

// BlockTensor is a tensor of a decoder block: its name without "model.layers.N." and its shape.
type BlockTensor struct {
	Name string
	Dims []int
}

// BlockTensors lists the tensors of one block, a bias behind its weight.
func (c Config) BlockTensors() (list []BlockTensor) {
	add := func(name string, bias bool, dims ...int) {
		list = append(list, BlockTensor{name + ".weight", dims})
		if bias {
			list = append(list, BlockTensor{name + ".bias", dims[:1]})
		}
	}
	q, kv := c.Heads*c.HeadDim, c.KVHeads*c.HeadDim
	add("input_layernorm", c.LayerNorm(), c.Hidden)
	add("self_attn.q_proj", c.QKVBias, q, c.Hidden)
	add("self_attn.k_proj", c.QKVBias, kv, c.Hidden)
	add("self_attn.v_proj", c.QKVBias, kv, c.Hidden)
	if c.HeadNorm {
		add("self_attn.q_norm", false, c.HeadDim)
		add("self_attn.k_norm", false, c.HeadDim)
	}
	add("self_attn.o_proj", c.OutBias, c.Hidden, q)
	add("post_attention_layernorm", c.LayerNorm(), c.Hidden)
	if c.Gated() {
		add("mlp.gate_proj", c.MLPBias, c.FFN, c.Hidden)
	}
	add("mlp.up_proj", c.MLPBias, c.FFN, c.Hidden)
	add("mlp.down_proj", c.MLPBias, c.Hidden, c.FFN)
	return list
}
