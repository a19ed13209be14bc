package model

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"iter"
	"slices"
	"strings"
)

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

// spec is one tensor of an architecture under its names.
type spec struct {
	name   string // canonical
	hf     string // in the Hugging Face layout of the family
	gguf   string // "" where the format has no name
	shape  []int
	rotary int  // heads whose rows conversion of a "llama" to GGUF reorders, else 0
	skip   int  // rows that the Hugging Face layout has before the first of ours
	absent bool // must not exist: the configuration announces no such bias or norm
}

// optSkip is the number of rows that OPT's table of positions has before position 0.
const optSkip = 2

// layout yields every tensor of the architecture in network order, a bias directly
// behind its weight, then the head unless it is tied. Between them come, marked
// absent, those that a relative has and this configuration does not.
func (c *Config) layout() iter.Seq[spec] {
	return func(yield func(spec) bool) {
		for s := range c.outside(Embedding) {
			if !yield(s) {
				return
			}
		}
		for n := range c.Layers {
			for s := range c.block(n) {
				if !yield(s) {
					return
				}
			}
		}
		for s := range c.outside(FinalNorm) {
			if !yield(s) {
				return
			}
		}
	}
}

// outside yields the tensors before (first = Embedding) or behind (FinalNorm) the blocks.
func (c *Config) outside(first string) iter.Seq[spec] {
	table := []int{c.Vocab, c.Hidden}
	return func(yield func(spec) bool) {
		if first == Embedding {
			if !yield(spec{name: Embedding, hf: c.hfOutside("embed_tokens.weight"), gguf: "token_embd.weight", shape: table}) || c.Rotary() {
				return
			}
			yield(spec{name: Positions, hf: c.hfOutside("embed_positions.weight"), shape: []int{c.MaxContext, c.Hidden}, skip: optSkip})
			return
		}
		hf := c.hfOutside("norm")
		if c.LayerNorm() {
			hf = c.hfOutside("final_layer_norm")
		}
		if !yield(spec{name: FinalNorm, hf: hf + ".weight", gguf: "output_norm.weight", shape: []int{c.Hidden}}) ||
			!yield(spec{name: "model.norm.bias", hf: hf + ".bias", gguf: "output_norm.bias", shape: []int{c.Hidden}, absent: !c.LayerNorm()}) {
			return
		}
		if !c.TiedHead {
			yield(spec{name: Head, hf: Head, gguf: "output.weight", shape: table})
		}
	}
}

func (c *Config) hfOutside(name string) string {
	if c.Architecture == OPT {
		return "model.decoder." + name
	}
	return "model." + name
}

// block yields the tensors of block n.
func (c *Config) block(n int) iter.Seq[spec] {
	q, kv := c.Heads*c.HeadDim, c.KVHeads*c.HeadDim
	type part struct {
		name, opt, gguf string
		shape           []int // of the weight
		bias            bool
		rotary          int
		absent          bool // weight and bias both
	}
	norm := c.LayerNorm()
	parts := []part{
		{"input_layernorm", "self_attn_layer_norm", "attn_norm", []int{c.Hidden}, norm, 0, false},
		{"self_attn.q_proj", "self_attn.q_proj", "attn_q", []int{q, c.Hidden}, c.QKVBias, c.Heads, false},
		{"self_attn.k_proj", "self_attn.k_proj", "attn_k", []int{kv, c.Hidden}, c.QKVBias, c.KVHeads, false},
		{"self_attn.v_proj", "self_attn.v_proj", "attn_v", []int{kv, c.Hidden}, c.QKVBias, 0, false},
		{"self_attn.q_norm", "self_attn.q_norm", "attn_q_norm", []int{c.HeadDim}, false, 0, !c.HeadNorm},
		{"self_attn.k_norm", "self_attn.k_norm", "attn_k_norm", []int{c.HeadDim}, false, 0, !c.HeadNorm},
		{"self_attn.o_proj", "self_attn.out_proj", "attn_output", []int{c.Hidden, q}, c.OutBias, 0, false},
		{"post_attention_layernorm", "final_layer_norm", "ffn_norm", []int{c.Hidden}, norm, 0, false},
		{"mlp.gate_proj", "mlp.gate_proj", "ffn_gate", []int{c.FFN, c.Hidden}, c.MLPBias, 0, !c.Gated()},
		{"mlp.up_proj", "fc1", "ffn_up", []int{c.FFN, c.Hidden}, c.MLPBias, 0, false},
		{"mlp.down_proj", "fc2", "ffn_down", []int{c.Hidden, c.FFN}, c.MLPBias, 0, false},
	}
	return func(yield func(spec) bool) {
		for _, p := range parts {
			hf := LayerName(n, p.name)
			if c.Architecture == OPT {
				hf = fmt.Sprintf("model.decoder.layers.%d.%s", n, p.opt)
			}
			s := spec{name: LayerName(n, p.name), hf: hf, gguf: fmt.Sprintf("blk.%d.%s", n, p.gguf)}
			for _, kind := range []string{".weight", ".bias"} {
				t := spec{name: s.name + kind, hf: s.hf + kind, gguf: s.gguf + kind, shape: p.shape, rotary: p.rotary, absent: p.absent}
				if kind == ".bias" {
					t.shape, t.absent = p.shape[:1], p.absent || !p.bias
				}
				if !yield(t) {
					return
				}
			}
		}
	}
}

// find fills m.tensors from the shapes that the source offers under its own names.
// Every tensor that the architecture needs must be there in the shape that the
// configuration implies. A bias or head norm that the configuration does not
// announce, and that a forward pass would leave out, is refused. own gives the
// source's name of a tensor; permuted says that rows of q and k are in GGUF order.
func (m *Model) find(own func(spec) string, permuted bool, shapeOf func(name string) ([]int, bool)) error {
	for s := range m.Config.layout() {
		name := own(s)
		shape, ok := shapeOf(name)
		if s.absent {
			if ok {
				return fmt.Errorf("tensor %q: the configuration announces none, so that no forward pass here would use it: it is of another architecture", name)
			}
			continue
		}
		want := slices.Clone(s.shape)
		want[0] += s.skip
		if !ok {
			return fmt.Errorf("tensor %q is missing (expected %v): the file is incomplete or of another architecture", name, want)
		}
		if !slices.Equal(shape, want) {
			return fmt.Errorf("tensor %q: expected shape %v from the configuration, found %v", name, want, shape)
		}
		t := tensor{name: name, shape: s.shape, skip: s.skip}
		if permuted {
			t.heads = s.rotary
		}
		m.tensors[s.name] = t
		m.names = append(m.names, s.name)
	}
	if m.Config.TiedHead {
		m.tensors[Head] = m.tensors[Embedding]
		m.names = append(m.names, Head)
	}
	return nil
}

// hfName gives a tensor's name in a directory; some OPT files leave "model." out.
func (c *Config) hfName(shapeOf func(name string) ([]int, bool)) func(spec) string {
	if c.Architecture == OPT {
		if _, ok := shapeOf("decoder.embed_tokens.weight"); ok {
			return func(s spec) string { return strings.TrimPrefix(s.hf, "model.") }
		}
	}
	return func(s spec) string { return s.hf }
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
