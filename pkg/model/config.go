package model

import (
	"fmt"
	"math"
	"slices"
)

// Config describes an architecture. All counts are positive, Heads·HeadDim may
// differ from Hidden, and KVHeads divides Heads; Validate checks this and more.
type Config struct {
	// Architecture is the family of the forward pass: "llama" (RMSNorm, RoPE, SwiGLU;
	// also Mistral, Qwen2 and Qwen3) or "opt" (LayerNorm, learned positions, ReLU).
	Architecture string
	Layers       int
	Hidden       int // width of the residual stream
	Heads        int // query heads
	KVHeads      int // key and value heads; fewer than Heads: grouped-query attention
	HeadDim      int
	FFN          int // width of the MLP
	Vocab        int // rows of the embedding
	MaxContext   int

	// NormEps is the ε of RMSNorm as written by the model's authors: GGUF stores
	// a float32, read back here in its shortest decimal form.
	NormEps float64
	// NormEpsText is NormEps in decimal, for exact arithmetic ("1e-05").
	NormEpsText string

	RopeTheta   float64 // base of the rotary frequencies
	RopeScaling RopeScaling

	TiedHead bool // the head is the embedding

	QKVBias  bool // biases of q, k and v
	OutBias  bool // bias of o
	MLPBias  bool // biases of the MLP's linears
	HeadNorm bool // RMSNorm over each head of q and k, before RoPE

	// BOS is the token that stands before every text, −1 if the model wants none.
	BOS int
	// EOS ends a text or a turn, −1 if not known. EOSAll lists every token that does.
	EOS    int
	EOSAll []int

	ChatTemplate string // as stored (Jinja), "" if none
}

// Upper limits of the checks: an order of magnitude above the largest public models,
// and small enough that no product of two of them overflows.
const (
	maxLayers  = 4096
	maxWidth   = 1 << 20
	maxVocab   = 1 << 22
	maxContext = 1 << 30
)

// optEps is the ε of every LayerNorm of OPT.
const optEps = 1e-5

// The two families.
const (
	LLaMA = "llama"
	OPT   = "opt"
)

// LayerNorm reports whether the norms subtract the mean and add a bias; they are RMSNorms otherwise.
func (c *Config) LayerNorm() bool { return c.Architecture == OPT }

// Rotary reports whether positions enter by RoPE; by learned rows added to the embedding otherwise.
func (c *Config) Rotary() bool { return c.Architecture != OPT }

// Gated reports whether the MLP is down(SiLU(gate(x))·up(x)); it is down(ReLU(up(x))) otherwise.
func (c *Config) Gated() bool { return c.Architecture != OPT }

// Validate reports the first field with a value that no forward pass can use, by
// name and value.
func (c *Config) Validate() error {
	if c.Architecture != LLaMA && c.Architecture != OPT {
		return fmt.Errorf("architecture %q is unknown, this build runs %q and %q", c.Architecture, LLaMA, OPT)
	}
	for _, f := range []struct {
		name      string
		value, hi int
	}{
		{"layers", c.Layers, maxLayers},
		{"hidden size", c.Hidden, maxWidth},
		{"attention heads", c.Heads, maxWidth},
		{"key/value heads", c.KVHeads, maxWidth},
		{"head size", c.HeadDim, maxWidth},
		{"feed-forward size", c.FFN, maxWidth},
		{"vocabulary size", c.Vocab, maxVocab},
		{"context length", c.MaxContext, maxContext},
	} {
		if f.value < 1 || f.value > f.hi {
			return fmt.Errorf("%s: expected 1–%d, found %d", f.name, f.hi, f.value)
		}
	}
	if c.Heads%c.KVHeads != 0 {
		return fmt.Errorf("attention heads: %d is no multiple of the %d key/value heads", c.Heads, c.KVHeads)
	}
	if c.Rotary() && c.HeadDim%2 != 0 {
		return fmt.Errorf("head size: rotary pairs need an even number, found %d", c.HeadDim)
	}
	if c.Heads*c.HeadDim > maxWidth {
		return fmt.Errorf("attention heads × head size: expected at most %d, found %d × %d", maxWidth, c.Heads, c.HeadDim)
	}
	if !(c.NormEps > 0 && c.NormEps < 1) {
		return fmt.Errorf("norm epsilon: expected a number between 0 and 1, found %v", c.NormEps)
	}
	if c.Rotary() && !(c.RopeTheta >= 1 && c.RopeTheta < math.MaxFloat32) {
		return fmt.Errorf("RoPE base: expected at least 1, found %v", c.RopeTheta)
	}
	for _, id := range append([]int{c.BOS, c.EOS}, c.EOSAll...) {
		if id < -1 || id >= c.Vocab {
			return fmt.Errorf("special token: id %d is outside the vocabulary of %d", id, c.Vocab)
		}
	}
	if c.Architecture == OPT {
		return c.validateOPT()
	}
	return c.RopeScaling.validate(c.HeadDim)
}

// validateOPT holds what only OPT asks for.
func (c *Config) validateOPT() error {
	switch {
	case c.KVHeads != c.Heads:
		return fmt.Errorf("key/value heads: OPT has as many as attention heads, expected %d, found %d", c.Heads, c.KVHeads)
	case c.Heads*c.HeadDim != c.Hidden:
		return fmt.Errorf("attention heads × head size: OPT needs the hidden size %d, found %d × %d", c.Hidden, c.Heads, c.HeadDim)
	case c.HeadNorm:
		return fmt.Errorf("head norms: OPT has none, found true")
	case c.RopeScaling.Type != "":
		return fmt.Errorf("RoPE scaling: OPT has learned positions, found %q", c.RopeScaling.Type)
	}
	return nil
}

// IsEOS reports whether token ends a text.
func (c *Config) IsEOS(token int) bool {
	return token >= 0 && (token == c.EOS || slices.Contains(c.EOSAll, token))
}
