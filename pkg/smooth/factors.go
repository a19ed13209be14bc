package smooth

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/illm-go/illm/pkg/half"
	"github.com/illm-go/illm/pkg/model"
	"github.com/illm-go/illm/pkg/model/safetensors"
)

// Block holds the factors of one decoder block. A nil slice means 1, of shifts 0. All s are above 0. The lengths are
// those of [Table], which also says what each one multiplies and divides.
type Block struct {
	QKV, MLP []float32 // [hidden]: norm → q, k, v; norm → gate, up (OPT: fc1)
	VO       []float32 // [KV heads·head_dim]: v → o
	// QK is the parallel pair q, k: with RoPE [KV heads·head_dim/2], pair i with i + d/2 inside a head; with head norms
	// [head_dim/2], for all heads; else [KV heads·head_dim].
	QK                          []float32
	GateUp                      []float32        // [ffn]: act-smooth, gated models only; leaves α = 1/s at run time
	UpDown                      []float32        // [ffn]: up → down (OPT: fc1 → fc2 through ReLU)
	ShiftQKV, ShiftMLP, ShiftVO []float32        // δ, models with LayerNorm only
	Clip                        map[string]Range // by linear, "self_attn.q_proj" …: the quantiser's range, after all else
}

// Range holds the weight-clipping ratios of one linear, [out] each, in (0, 1]: the grid of output channel j spans
// Lo_j·min(0, min W_j) … Hi_j·max(0, max W_j). A nil slice means 1.
type Range struct{ Lo, Hi []float32 }

// Factors is all that is known about the smoothing of one model.
type Factors struct {
	Blocks   []Block           // one a block of the model, or none at all
	Rotation Rotation          // Hadamard sites; the zero value has none
	Meta     map[string]string // how it was made; keys below
}

// Keys of Meta that the code reads; a file may have more.
const (
	MetaMethod = "method"        // one of quant.Methods
	MetaRecipe = "recipe"        // the recipe that the factors were made for
	MetaSource = "source_sha256" // of the float weights: model.Model.Hash
	MetaRound  = "rounding"      // "gptq": codes are not rounded to nearest; "" is nearest
	MetaRatios = "range_ratios"  // JSON: site name → Q15 integers, see Ratios
	// MetaMaxAbs is the largest magnitude of the residual stream in calibration, as a decimal. A residual rotation
	// changes it; factors leave it as it is.
	MetaMaxAbs = "max_abs"
	// MetaClips holds the clip values of the softmax by layer, as quant.Clips writes them. Whatever begins with it tells how
	// they were found and goes with them, see WithoutClips.
	MetaClips = "clips"
	// MetaCalibration is the hash of the token windows: ptq.Hash.
	MetaCalibration = "calibration_sha256"
)

// roundGPTQ is the one value of MetaRound beside "".
const roundGPTQ = "gptq"

// slot is one named vector of a block.
type slot struct {
	name  string
	shift bool
	at    func(*Block) *[]float32
}

// slots lists the vectors in the order of the files; the names are those of Kind.
var slots = []slot{
	{"qkv", false, func(b *Block) *[]float32 { return &b.QKV }},
	{"mlp", false, func(b *Block) *[]float32 { return &b.MLP }},
	{"vo", false, func(b *Block) *[]float32 { return &b.VO }},
	{"qk", false, func(b *Block) *[]float32 { return &b.QK }},
	{"gate_up", false, func(b *Block) *[]float32 { return &b.GateUp }},
	{"up_down", false, func(b *Block) *[]float32 { return &b.UpDown }},
	{"shift_qkv", true, func(b *Block) *[]float32 { return &b.ShiftQKV }},
	{"shift_mlp", true, func(b *Block) *[]float32 { return &b.ShiftMLP }},
	{"shift_vo", true, func(b *Block) *[]float32 { return &b.ShiftVO }},
}

// Vector returns the vector of a kind ("qkv", "shift_vo" …), nil where there is none.
func (b *Block) Vector(name string) []float32 {
	for _, s := range slots {
		if s.name == name {
			return *s.at(b)
		}
	}
	return nil
}

// SetVector replaces the vector of a kind. It panics with an unknown name.
func (b *Block) SetVector(name string, v []float32) {
	for _, s := range slots {
		if s.name == name {
			*s.at(b) = v
			return
		}
	}
	panic("smooth: unknown kind " + name)
}

// round16 rounds a vector to half precision, ties to even, in a copy.
func round16(v []float32) []float32 {
	if v == nil {
		return nil
	}
	r := make([]float32, len(v))
	for i, x := range v {
		r[i] = half.F16(half.ToF16(x))
	}
	return r
}

// Rounded returns a copy with every value rounded to half precision: what a file holds, and what acts everywhere.
func (f *Factors) Rounded() *Factors {
	r := &Factors{Rotation: f.Rotation, Meta: maps.Clone(f.Meta)}
	if f.Blocks != nil {
		r.Blocks = make([]Block, len(f.Blocks))
	}
	for i := range f.Blocks {
		from, to := &f.Blocks[i], &r.Blocks[i]
		for _, s := range slots {
			*s.at(to) = round16(*s.at(from))
		}
		if from.Clip != nil {
			to.Clip = map[string]Range{}
		}
		for name, c := range from.Clip {
			to.Clip[name] = Range{Lo: round16(c.Lo), Hi: round16(c.Hi)}
		}
	}
	return r
}

// Check compares the factors with a configuration: number of blocks, kinds the model has, lengths, finite values above
// 0 that half precision holds, clipping ratios in (0, 1], orders of the Hadamard sites. The error names block, kind and
// channel.
func (f *Factors) Check(cfg model.Config) error {
	if err := cfg.Validate(); err != nil {
		return fmt.Errorf("smooth: configuration: %w", err)
	}
	if len(f.Blocks) != 0 && len(f.Blocks) != cfg.Layers {
		return fmt.Errorf("smooth: expected factors of %d blocks, found %d: they are of another model", cfg.Layers, len(f.Blocks))
	}
	kinds := Table(cfg)
	for i := range f.Blocks {
		if err := f.Blocks[i].check(cfg, kinds); err != nil {
			return fmt.Errorf("smooth: block %d: %w", i, err)
		}
	}
	if m := f.Meta[MetaRound]; m != "" && m != roundGPTQ {
		return fmt.Errorf("smooth: metadata %s: expected %s or none, found %q: the file is of another build, make it again with \"illm calibrate\"", MetaRound, roundGPTQ, m)
	}
	ratios, err := f.Ratios()
	if err != nil {
		return err
	}
	for _, site := range slices.Sorted(maps.Keys(ratios)) {
		if n := len(ratios[site]); n != cfg.Layers {
			return fmt.Errorf("smooth: range ratios of %s: expected %d, one a layer, found %d", site, cfg.Layers, n)
		}
	}
	clips, err := f.Clips()
	if err != nil {
		return err
	}
	if clips != nil && len(clips) != cfg.Layers {
		return fmt.Errorf("smooth: metadata %s: expected %d clips, one a layer, found %d: they are of another model", MetaClips, cfg.Layers, len(clips))
	}
	return f.Rotation.Check(cfg)
}

// CheckSource compares the hash of the float weights that the factors were made for; factors without one fit all.
func (f *Factors) CheckSource(hash string) error {
	if want := f.Meta[MetaSource]; want != "" && want != hash {
		return fmt.Errorf("smooth: the factors were made for weights with sha256 %.16s…, this model has %.16s…: run \"illm calibrate\" for this model", want, hash)
	}
	return nil
}

func (b *Block) check(cfg model.Config, kinds []Kind) error {
	for _, s := range slots {
		v := *s.at(b)
		if v == nil {
			continue
		}
		k, err := find(cfg, kinds, s)
		if err != nil {
			return err
		}
		if len(v) != k.Length {
			return fmt.Errorf("%s: expected %d values (%s), found %d%s", s.name, k.Length, k.Unit, len(v), k.hint(len(v)))
		}
		for c, x := range v {
			if bad := math.IsNaN(float64(x)) || math.IsInf(float64(x), 0); bad || !s.shift && !(x > 0) {
				return fmt.Errorf("%s: channel %d: expected a finite %s, found %v", s.name, c, map[bool]string{true: "number", false: "factor above 0"}[s.shift], x)
			}
			r := half.F16(half.ToF16(x))
			if math.IsInf(float64(r), 0) || !s.shift && r == 0 {
				return fmt.Errorf("%s: channel %d: %v is outside half precision", s.name, c, x)
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(b.Clip)) {
		out := linearRows(cfg, name)
		if out == 0 {
			return fmt.Errorf("clip of %q: the model has no such linear", name)
		}
		r := b.Clip[name]
		for _, side := range []struct {
			name string
			v    []float32
		}{{"lo", r.Lo}, {"hi", r.Hi}} {
			if side.v != nil && len(side.v) != out {
				return fmt.Errorf("clip %s of %s: expected %d values, found %d", side.name, name, out, len(side.v))
			}
			for c, x := range side.v {
				if !(x <= 1) || !(half.F16(half.ToF16(x)) > 0) {
					return fmt.Errorf("clip %s of %s: channel %d: expected a ratio above 0 and at most 1, found %v", side.name, name, c, x)
				}
			}
		}
	}
	return nil
}

// find returns the kind of a slot, or why the model has none.
func find(cfg model.Config, kinds []Kind, s slot) (Kind, error) {
	for _, k := range kinds {
		if k.Name == s.name {
			return k, nil
		}
	}
	switch {
	case s.shift && !cfg.LayerNorm():
		return Kind{}, fmt.Errorf("%s: only a LayerNorm can be shifted, this model has RMSNorm", s.name)
	case s.shift:
		return Kind{}, fmt.Errorf("%s: a shift needs biases to take it, this model has none", s.name)
	}
	return Kind{}, fmt.Errorf("%s: this model (%s) has no such pair", s.name, cfg.Architecture)
}

// Hash is the sha256 of the factor file, in hex, whether it was read or not: a file has one form.
func (f *Factors) Hash() (string, error) {
	var b bytes.Buffer
	if err := safetensors.Encode(&b, f.meta(), f.tensors()); err != nil {
		return "", fmt.Errorf("smooth: %w", err)
	}
	sum := sha256.Sum256(b.Bytes())
	return hex.EncodeToString(sum[:]), nil
}
