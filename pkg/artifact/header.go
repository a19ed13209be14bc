package artifact

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/illm-go/illm/pkg/quant"
	"github.com/illm-go/illm/pkg/simd/gemm"
	"github.com/illm-go/illm/pkg/simd/gemm4"
)

const (
	magic         = "illm\r\n\x1a\n"
	prologueBytes = 96
	sectionAlign  = 64

	// Version is the format that this build writes; MinVersion the oldest it reads.
	Version    = 1
	MinVersion = 1

	maxHeaderBytes = 64 << 20

	maxExponent = 512     // of a scale 2^-k: beyond what float32 weights can ask for
	maxE        = 1 << 61 // beside a sum of squares of 2^62
	maxLayerE   = 1 << 45 // of a LayerNorm, whose row may be shifted left by 8
)

// The families of the forward pass.
const (
	llama = "llama" // RMSNorm, rotary positions, SwiGLU; biases and head norms where they are listed
	opt   = "opt"   // LayerNorm, learned positions, ReLU
)

// Names of the lookup tables.
const (
	Embedding = "model.embed_tokens"
	Positions = "model.embed_positions" // [max_context, hidden], position 0 first
)

// ErrCorrupt marks a file whose bytes contradict its own checksums or lengths.
var ErrCorrupt = errors.New("the file is damaged")

// Section is a run of payload bytes; Offset counts from the start of the file.
type Section struct {
	Offset int64 `json:"offset"`
	Bytes  int64 `json:"bytes"`
}

// Linear describes a quantised matrix [Out, In]: value (code − z_w)·M_j/2^KW.
type Linear struct {
	Name  string  `json:"name"`
	Out   int     `json:"out"`
	In    int     `json:"in"`
	Bits  int     `json:"bits"`
	KW    int32   `json:"k_w"`
	KB    int32   `json:"k_b,omitempty"`
	Panel Section `json:"panel"`
	Zero  Section `json:"zero"`
	M     Section `json:"m"`
	SumW  Section `json:"sum_w,omitzero"`
	Bias  Section `json:"bias,omitzero"`
}

// Norm describes a normalisation: Γ/2^KGamma per channel and E = ε·n·4^k_r.
type Norm struct {
	Name   string  `json:"name"`
	N      int     `json:"n"`
	KGamma int32   `json:"k_gamma"`
	E      int64   `json:"e"`
	Layer  bool    `json:"layer,omitempty"`
	Gamma  Section `json:"gamma"`
	Beta   Section `json:"beta,omitzero"`
}

// HeadNorm describes the normalisation of every head of q or k: Γ/2^KGamma over
// head_dim and ε·head_dim = EpsM/2^EpsK. 1/√d is part of the query's Γ.
type HeadNorm struct {
	Name   string  `json:"name"`
	N      int     `json:"n"`
	KGamma int32   `json:"k_gamma"`
	EpsM   uint32  `json:"eps_m"`
	EpsK   int32   `json:"eps_k"`
	Gamma  Section `json:"gamma"`
}

// GLU describes the act-smooth factors of one MLP: α/2^KAlpha per channel.
type GLU struct {
	Name   string  `json:"name"`
	N      int     `json:"n"`
	KAlpha int32   `json:"k_alpha"`
	Alpha  Section `json:"alpha"`
}

// Table16 describes a lookup table of emb16: int16 codes, one dyadic scale a row.
type Table16 struct {
	Rows  int     `json:"rows"`
	Cols  int     `json:"cols"`
	Codes Section `json:"codes"`
	M     Section `json:"m"`
	K     Section `json:"k"`
}

// Header is the manifest of an artefact.
type Header struct {
	Architecture string `json:"architecture"`
	Name         string `json:"name"`
	Layers       int    `json:"layers"`
	Hidden       int    `json:"hidden"`
	Heads        int    `json:"heads"`
	KVHeads      int    `json:"kv_heads"`
	HeadDim      int    `json:"head_dim"`
	FFN          int    `json:"ffn"`
	Vocab        int    `json:"vocab"`
	MaxContext   int    `json:"max_context"`
	TiedHead     bool   `json:"tied_head"`
	BOS          int    `json:"bos"`
	EOS          int    `json:"eos"`

	Spec      quant.Spec `json:"spec"`
	KR        int32      `json:"k_r"`
	Method    string     `json:"method"`
	Semantics int        `json:"semantics"`

	Source      string `json:"source_sha256"`
	Calibration string `json:"calibration_sha256"`
	Factors     string `json:"factors_sha256,omitempty"` // of the factor file behind the weights

	Rotations   Rotations   `json:"rotations,omitzero"`
	RangeRatios RangeRatios `json:"range_ratios,omitempty"`
	Clips       quant.Clips `json:"clips,omitempty"` // of the softmax, thousandths by layer; none: Spec.Clip in all

	Linears     []Linear   `json:"linears"`
	Norms       []Norm     `json:"norms"`
	HeadNorms   []HeadNorm `json:"head_norms,omitempty"`
	GLUs        []GLU      `json:"glus,omitempty"`
	Embed16     *Table16   `json:"embed16,omitempty"`
	Positions16 *Table16   `json:"positions16,omitempty"`
	Phi         Section    `json:"phi"`
	Tokenizer   Section    `json:"tokenizer,omitzero"`
}

// panelBytes is the length of the packed panel of a matrix.
func panelBytes(out, in, bits int) int64 {
	if bits <= 4 {
		return int64(gemm4.PanelBytes(out, in))
	}
	return int64(gemm.PanelBytes(out, in))
}

type limit struct {
	name     string
	v        int
	min, max int
}

// CheckSizes refuses sizes that the format or the engine cannot hold: what is known of a header before its sections are.
func (h *Header) CheckSizes() error {
	limits := []limit{
		{"layers", h.Layers, 1, 1024}, {"hidden", h.Hidden, 1, 16384}, {"heads", h.Heads, 1, 1024},
		{"kv_heads", h.KVHeads, 1, 1024}, {"head_dim", h.HeadDim, 2, 256}, {"ffn", h.FFN, 1, 33025},
		{"vocab", h.Vocab, 1, 1 << 22}, {"max_context", h.MaxContext, 1, 65535},
		{"bos", h.BOS, -1, h.Vocab - 1}, {"eos", h.EOS, -1, h.Vocab - 1}, {"k_r", int(h.KR), -64, 18},
	}
	for _, l := range limits {
		if l.v < l.min || l.v > l.max {
			return fmt.Errorf("header field %s: expected %d to %d, found %d", l.name, l.min, l.max, l.v)
		}
	}
	if h.Architecture != llama && h.Architecture != opt {
		return fmt.Errorf("header field architecture: expected %s or %s, found %q", llama, opt, h.Architecture)
	}
	if h.Architecture == llama && h.HeadDim%2 != 0 {
		return fmt.Errorf("header field head_dim: rotary pairs need an even number, found %d", h.HeadDim)
	}
	if h.Heads%h.KVHeads != 0 {
		return fmt.Errorf("header: %d heads are not a multiple of %d kv_heads", h.Heads, h.KVHeads)
	}
	if n := h.Heads * h.HeadDim; n > 33025 { // the depth of o
		return fmt.Errorf("header: %d heads of %d channels: expected at most 33025 together", h.Heads, h.HeadDim)
	}
	if err := h.Spec.Validate(); err != nil {
		return fmt.Errorf("header field spec: %w", err)
	}
	if err := h.Clips.Check(h.Spec, h.Layers); err != nil {
		return fmt.Errorf("header field clips: %w", err)
	}
	return nil
}

// check refuses a header whose numbers contradict one another or the file.
func (h *Header) check(payloadEnd int64) error {
	if err := h.CheckSizes(); err != nil {
		return err
	}
	c := sectionChecker{end: payloadEnd}
	for _, l := range h.Linears {
		if l.Out < 1 || l.Out > 1<<22 || l.In < 1 || l.In > 33025 || l.Bits < 2 || l.Bits > 8 {
			return fmt.Errorf("linear %q: shape [%d, %d] at %d bits is out of range (in ≤ 33025, bits 2–8)", l.Name, l.Out, l.In, l.Bits)
		}
		if l.KW < -maxExponent || l.KW > maxExponent || l.KB < -maxExponent || l.KB > maxExponent {
			return fmt.Errorf("linear %q: k_w %d, k_b %d: expected exponents of ±%d", l.Name, l.KW, l.KB, maxExponent)
		}
		c.want(l.Name+" panel", l.Panel, panelBytes(l.Out, l.In, l.Bits))
		c.want(l.Name+" zero", l.Zero, int64(l.Out))
		c.want(l.Name+" m", l.M, 4*int64(l.Out))
		if l.Bits == 8 {
			c.want(l.Name+" sum_w", l.SumW, 4*int64(l.Out))
		}
		if l.Bias != (Section{}) {
			c.want(l.Name+" bias", l.Bias, 4*int64(l.Out))
		}
	}
	if err := h.checkNorms(&c); err != nil {
		return err
	}
	if err := h.checkSites(); err != nil {
		return err
	}
	for _, g := range h.GLUs {
		if g.N < 1 || g.N > 33025 || g.KAlpha < -maxExponent || g.KAlpha > maxExponent {
			return fmt.Errorf("glu %q: %d channels, k_alpha %d: expected 1 to 33025 and an exponent of ±%d", g.Name, g.N, g.KAlpha, maxExponent)
		}
		c.want(g.Name+" alpha", g.Alpha, 4*int64(g.N))
	}
	if err := h.Embed16.check("embed16", h.Vocab, h.Hidden, &c); err != nil {
		return err
	}
	if err := h.Positions16.check("positions16", h.MaxContext, h.Hidden, &c); err != nil {
		return err
	}
	if h.Architecture == opt {
		c.want("phi", h.Phi, 0)
	} else {
		c.want("phi", h.Phi, 8*int64(h.HeadDim/2))
	}
	c.want("tokenizer", h.Tokenizer, h.Tokenizer.Bytes)
	return c.err
}

// checkNorms refuses constants with which the integer norms would overflow.
func (h *Header) checkNorms(c *sectionChecker) error {
	for _, n := range h.Norms {
		if n.N < 1 || n.N > 16384 {
			return fmt.Errorf("norm %q: expected 1 to 16384 channels, found %d", n.Name, n.N)
		}
		if n.Layer != (h.Architecture == opt) {
			return fmt.Errorf("norm %q: field layer is %v, but architecture is %q", n.Name, n.Layer, h.Architecture)
		}
		switch {
		case n.KGamma < -maxExponent || n.KGamma > maxExponent:
			return fmt.Errorf("norm %q: k_gamma %d: expected an exponent of ±%d", n.Name, n.KGamma, maxExponent)
		case n.E < 0:
			return fmt.Errorf("norm %q: negative e %d", n.Name, n.E)
		case n.E >= maxE:
			return fmt.Errorf("norm %q: e %d: expected below 2^61", n.Name, n.E)
		case n.Layer && n.E >= maxLayerE:
			return fmt.Errorf("norm %q: e %d: expected below 2^45", n.Name, n.E)
		}
		c.want(n.Name+" gamma", n.Gamma, 4*int64(n.N))
		if n.Beta != (Section{}) {
			c.want(n.Name+" beta", n.Beta, 8*int64(n.N))
		}
	}
	for _, n := range h.HeadNorms {
		if n.N != h.HeadDim {
			return fmt.Errorf("head norm %q: expected %d channels, the head_dim, found %d", n.Name, h.HeadDim, n.N)
		}
		if n.EpsM < 1 || n.EpsM > 1<<16-1 || n.EpsK < -maxExponent || n.EpsK > maxExponent {
			return fmt.Errorf("head norm %q: eps %d/2^%d: expected a mantissa of 16 bits and an exponent of ±%d", n.Name, n.EpsM, n.EpsK, maxExponent)
		}
		if n.KGamma < -maxExponent || n.KGamma > maxExponent {
			return fmt.Errorf("head norm %q: k_gamma %d: expected an exponent of ±%d", n.Name, n.KGamma, maxExponent)
		}
		c.want(n.Name+" gamma", n.Gamma, 4*int64(n.N))
	}
	return nil
}

// check compares the shape of a lookup table; nil passes.
func (t *Table16) check(name string, rows, cols int, c *sectionChecker) error {
	if t == nil {
		return nil
	}
	if t.Rows != rows || t.Cols != cols {
		return fmt.Errorf("%s: expected shape [%d, %d], found [%d, %d]", name, rows, cols, t.Rows, t.Cols)
	}
	c.want(name+" codes", t.Codes, 2*int64(rows)*int64(cols))
	c.want(name+" m", t.M, 2*int64(rows))
	c.want(name+" k", t.K, int64(rows))
	return nil
}

// sectionChecker compares section lengths and positions; the first fault stays.
type sectionChecker struct {
	end int64
	err error
}

func (c *sectionChecker) want(name string, s Section, bytes int64) {
	switch {
	case c.err != nil:
	case s.Bytes != bytes:
		c.err = fmt.Errorf("section %s: expected %d bytes, found %d: %w", name, bytes, s.Bytes, ErrCorrupt)
	case s.Bytes == 0 && s.Offset == 0:
	case s.Offset < prologueBytes || s.Offset%sectionAlign != 0 || s.Bytes < 0 || s.Offset > c.end || s.Bytes > c.end-s.Offset:
		c.err = fmt.Errorf("section %s: [%d, +%d) is outside the payload of %d bytes: %w", name, s.Offset, s.Bytes, c.end, ErrCorrupt)
	}
}

type prologue struct {
	version                 uint32
	headerLen               uint32
	headerOffset            uint64
	headerHash, payloadHash [32]byte
}

func (p *prologue) encode() []byte {
	b := make([]byte, prologueBytes)
	copy(b, magic)
	binary.LittleEndian.PutUint32(b[8:], p.version)
	binary.LittleEndian.PutUint32(b[12:], p.headerLen)
	binary.LittleEndian.PutUint64(b[16:], p.headerOffset)
	copy(b[24:], p.headerHash[:])
	copy(b[56:], p.payloadHash[:])
	return b
}

func decodePrologue(b []byte) (prologue, error) {
	var p prologue
	if len(b) < prologueBytes {
		return p, fmt.Errorf("expected at least %d bytes, found %d: %w", prologueBytes, len(b), ErrCorrupt)
	}
	if string(b[:8]) != magic {
		return p, fmt.Errorf("expected the magic %q, found %q: this is no illm artefact", magic, b[:8])
	}
	p.version = binary.LittleEndian.Uint32(b[8:])
	p.headerLen = binary.LittleEndian.Uint32(b[12:])
	p.headerOffset = binary.LittleEndian.Uint64(b[16:])
	copy(p.headerHash[:], b[24:])
	copy(p.payloadHash[:], b[56:])
	if p.version < MinVersion || p.version > Version {
		return p, fmt.Errorf("format version %d, this build reads %d to %d: run \"illm quantize\" again", p.version, MinVersion, Version)
	}
	return p, nil
}

func encodeHeader(h *Header) ([]byte, error) { return json.Marshal(h) }
