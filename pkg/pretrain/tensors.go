package pretrain

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"

	"github.com/illm-go/illm/pkg/model"
)

// Tensor is a parameter: its canonical name and shape.
type Tensor struct {
	Name string
	Dims []int
}

// Size is the number of its elements.
func (t Tensor) Size() int {
	n := 1
	for _, d := range t.Dims {
		n *= d
	}
	return n
}

// Check reports the first field of c that this package cannot train, by name and value.
func Check(c model.Config) error {
	if err := c.Validate(); err != nil {
		return fmt.Errorf("pretrain: configuration: %w", err)
	}
	refuse := func(field string, value, want any) error {
		return fmt.Errorf("pretrain: configuration: %s is %v, only %v can be trained", field, value, want)
	}
	opt := c.Architecture == model.OPT
	switch {
	case c.QKVBias != opt:
		return refuse("QKVBias", c.QKVBias, opt)
	case c.OutBias != opt:
		return refuse("OutBias", c.OutBias, opt)
	case c.MLPBias != opt:
		return refuse("MLPBias", c.MLPBias, opt)
	case c.HeadNorm:
		return refuse("HeadNorm", true, false)
	case c.RopeScaling.Type != "":
		return refuse("RopeScaling", c.RopeScaling.Type, "none")
	case c.Vocab > 1<<16:
		return refuse("Vocab", c.Vocab, "at most 65536")
	case opt && (c.KVHeads != c.Heads || c.Heads*c.HeadDim != c.Hidden):
		return refuse("heads × head size", fmt.Sprintf("%d (%d for keys) × %d", c.Heads, c.KVHeads, c.HeadDim), "Heads = KVHeads = Hidden/HeadDim")
	}
	return nil
}

// Tensors lists the parameters that c demands in network order, each bias directly behind its weight. A tied head is
// not among them: it is the embedding.
func Tensors(c model.Config) []Tensor {
	var ts []Tensor
	add := func(name string, bias bool, dims ...int) {
		ts = append(ts, Tensor{name + ".weight", dims})
		if bias {
			ts = append(ts, Tensor{name + ".bias", dims[:1]})
		}
	}
	ln, q, kv := c.LayerNorm(), c.Heads*c.HeadDim, c.KVHeads*c.HeadDim
	add("model.embed_tokens", false, c.Vocab, c.Hidden)
	if !c.Rotary() {
		add("model.embed_positions", false, c.MaxContext, c.Hidden)
	}
	for n := range c.Layers {
		block := fmt.Sprintf("model.layers.%d.", n)
		add(block+"input_layernorm", ln, c.Hidden)
		add(block+"self_attn.q_proj", c.QKVBias, q, c.Hidden)
		add(block+"self_attn.k_proj", c.QKVBias, kv, c.Hidden)
		add(block+"self_attn.v_proj", c.QKVBias, kv, c.Hidden)
		add(block+"self_attn.o_proj", c.OutBias, c.Hidden, q)
		add(block+"post_attention_layernorm", ln, c.Hidden)
		if c.Gated() {
			add(block+"mlp.gate_proj", c.MLPBias, c.FFN, c.Hidden)
		}
		add(block+"mlp.up_proj", c.MLPBias, c.FFN, c.Hidden)
		add(block+"mlp.down_proj", c.MLPBias, c.Hidden, c.FFN)
	}
	add("model.norm", ln, c.Hidden)
	if !c.TiedHead {
		add("lm_head", false, c.Vocab, c.Hidden)
	}
	return ts
}

// initial returns the starting value of a tensor: matrices normal with standard deviation 0.02, the two that write to
// the residual stream divided by √(2·Layers) so that its variance does not grow with depth; norms 1, biases 0.
//
// Every tensor has a generator of its own, seeded with (seed, index), so that it does not depend on the others.
//
// Source: Radford et al., "Language models are unsupervised multitask learners", section 2.3.
func initial(c model.Config, t Tensor, seed uint64, index int) []float32 {
	w := make([]float32, t.Size())
	if len(t.Dims) == 1 {
		if strings.HasSuffix(t.Name, "norm.weight") {
			for i := range w {
				w[i] = 1
			}
		}
		return w
	}
	std := 0.02
	if strings.HasSuffix(t.Name, "o_proj.weight") || strings.HasSuffix(t.Name, "down_proj.weight") {
		std /= math.Sqrt(float64(2 * c.Layers))
	}
	var key [32]byte
	for i := range 8 {
		key[i] = byte(seed >> (8 * i))
		key[8+i] = byte(uint64(index) >> (8 * i))
	}
	copy(key[16:], "illm/pretrain/w")
	r := rand.New(rand.NewChaCha8(key))
	for i := range w {
		w[i] = float32(std * r.NormFloat64())
	}
	return w
}

// Cost is the arithmetic that a configuration needs.
type Cost struct {
	Parameters int
	// FLOPs of one token in training, forward and backward: six for each weight of a matrix product (two forward, four
	// backward; the embedding's lookup is free, the head is not), and for attention 6·Layers·T·Heads·HeadDim, which is
	// three times the two products q·k and p·v, each 2·HeadDim operations for each of T/2 earlier positions on average.
	FLOPs float64
}

// CostOf returns the cost of training c on windows of the given length.
func CostOf(c model.Config, window int) Cost {
	var cost Cost
	matmul := 0
	for _, t := range Tensors(c) {
		cost.Parameters += t.Size()
		if len(t.Dims) == 2 && !strings.HasPrefix(t.Name, "model.embed") {
			matmul += t.Size()
		}
	}
	if c.TiedHead {
		matmul += c.Vocab * c.Hidden
	}
	cost.FLOPs = 6*float64(matmul) + 6*float64(c.Layers)*float64(window)*float64(c.Heads*c.HeadDim)
	return cost
}
