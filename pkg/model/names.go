package model

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
)

// layerTensor is one tensor of a block under its two names.
type layerTensor struct {
	hf, gguf string
	shape    func(c *Config) []int
	heads    func(c *Config) int // rotary heads, 0 for none
}

func none(*Config) int { return 0 }

// layerTensors lists the tensors of a block in network order: HF name below
// "model.layers.N.", GGUF name below "blk.N.".
var layerTensors = []layerTensor{
	{"input_layernorm.weight", "attn_norm.weight", func(c *Config) []int { return []int{c.Hidden} }, none},
	{"self_attn.q_proj.weight", "attn_q.weight", func(c *Config) []int { return []int{c.Heads * c.HeadDim, c.Hidden} }, func(c *Config) int { return c.Heads }},
	{"self_attn.k_proj.weight", "attn_k.weight", func(c *Config) []int { return []int{c.KVHeads * c.HeadDim, c.Hidden} }, func(c *Config) int { return c.KVHeads }},
	{"self_attn.v_proj.weight", "attn_v.weight", func(c *Config) []int { return []int{c.KVHeads * c.HeadDim, c.Hidden} }, none},
	{"self_attn.o_proj.weight", "attn_output.weight", func(c *Config) []int { return []int{c.Hidden, c.Heads * c.HeadDim} }, none},
	{"post_attention_layernorm.weight", "ffn_norm.weight", func(c *Config) []int { return []int{c.Hidden} }, none},
	{"mlp.gate_proj.weight", "ffn_gate.weight", func(c *Config) []int { return []int{c.FFN, c.Hidden} }, none},
	{"mlp.up_proj.weight", "ffn_up.weight", func(c *Config) []int { return []int{c.FFN, c.Hidden} }, none},
	{"mlp.down_proj.weight", "ffn_down.weight", func(c *Config) []int { return []int{c.Hidden, c.FFN} }, none},
}

// Canonical names of the tensors outside the blocks.
const (
	Embedding = "model.embed_tokens.weight"
	Positions = "model.embed_positions.weight" // [MaxContext, Hidden], the row of position 0 first
	FinalNorm = "model.norm.weight"
	Head      = "lm_head.weight"
)

// LayerName returns the canonical name of a tensor of block n, for example
// LayerName(3, "mlp.up_proj.weight").
func LayerName(n int, tensor string) string {
	return fmt.Sprintf("model.layers.%d.%s", n, tensor)
}

// find fills m.tensors from the shapes that the source offers under its own names.
// Every tensor that the architecture needs must be there in the shape that the
// configuration implies. A bias, which no forward pass here would add, is refused.
func (m *Model) find(isGGUF bool, shapeOf func(name string) ([]int, bool)) error {
	c := &m.Config
	own := func(hf, gg string) string {
		if isGGUF {
			return gg
		}
		return hf
	}
	for n := range c.Layers {
		for _, t := range layerTensors {
			bias := own(LayerName(n, t.hf), fmt.Sprintf("blk.%d.%s", n, t.gguf))
			bias = strings.TrimSuffix(bias, "weight") + "bias"
			if _, ok := shapeOf(bias); ok {
				return fmt.Errorf("tensor %q: biases are not supported", bias)
			}
		}
	}
	add := func(hf, own string, want []int, heads int) error {
		shape, ok := shapeOf(own)
		if !ok {
			return fmt.Errorf("tensor %q is missing (expected %v): the file is incomplete or of another architecture", own, want)
		}
		if !slices.Equal(shape, want) {
			return fmt.Errorf("tensor %q: expected shape %v from the configuration, found %v", own, want, shape)
		}
		if !isGGUF {
			heads = 0
		}
		m.tensors[hf] = tensor{own, want, heads}
		m.names = append(m.names, hf)
		return nil
	}
	table := []int{c.Vocab, c.Hidden}
	if err := add(Embedding, own(Embedding, "token_embd.weight"), table, 0); err != nil {
		return err
	}
	for n := range c.Layers {
		for _, t := range layerTensors {
			hf := LayerName(n, t.hf)
			if err := add(hf, own(hf, fmt.Sprintf("blk.%d.%s", n, t.gguf)), t.shape(c), t.heads(c)); err != nil {
				return err
			}
		}
	}
	if err := add(FinalNorm, own(FinalNorm, "output_norm.weight"), []int{c.Hidden}, 0); err != nil {
		return err
	}
	if c.TiedHead {
		m.tensors[Head] = m.tensors[Embedding]
		m.names = append(m.names, Head)
		return nil
	}
	return add(Head, own(Head, "output.weight"), table, 0)
}

// check is the last look before a model is handed out.
func (m *Model) check() error {
	if len(m.names) == 0 {
		return fmt.Errorf("no tensors")
	}
	return nil
}

func sha256Hex(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
