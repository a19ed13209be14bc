package model

import (
	"errors"
	"fmt"
	"math"
	"math/bits"
	"slices"
	"strconv"

	"github.com/illm-go/illm/pkg/intmath"
)

// maxStrength bounds the strength: with the jitter a channel is scaled by 2^11 at most.
const maxStrength = 1024

// InjectOutliers returns a view of the model in which a few channels are larger than
// the rest by about strength, as in models of 7B parameters and more, while the float
// function stays what it was: a channel that one tensor makes larger by s, the next
// makes smaller by 1/s (an exact inverse pair).
//
//	pair                                          larger                   smaller
//	norm → q, k, v; norm → gate, up (OPT: fc1)    γ_c (and β_c) · s        columns c · 1/s
//	final norm → head, if the head is not tied    γ_c (and β_c) · s        columns c · 1/s
//	v → o                                         rows (and bias) · s      columns · 1/s, of every query head that reads the KV head
//	q ↔ k                                         k: rows (and bias) · s   q: rows (and bias) · 1/s, of every such head
//	   with RoPE both channels of a pair (i, i + D/2); with head norms their weights instead, for all heads at once
//	up → down (OPT: fc1 → ReLU → fc2, s > 0)      rows (and bias) · s      columns · 1/s
//
// Channels: of each kind max(1, round(0.6 % of n)), drawn by SplitMix64 from seed; n
// counts rotary pairs where these are the unit. The norms share their channels over
// all layers, as LLM.int8() found them in large models; the other kinds draw anew in
// each layer. Magnitudes: s = 2^j, on average strength times a jitter of 1/2, 1, 1 or 2
// (drawn per channel, layer and kind), at least 2. A strength between two powers of two
// draws one of these so that the mean is the strength. strength is 1–1024; 1 changes
// nothing, the hash neither.
//
// Exactness: all factors are powers of two, so every product and sum of a float32 or
// float64 forward pass scales exactly and logits are equal bit for bit, but for values
// that come near the ends of the float range (|x| below 2^−126·s or above 2^127/s).
// Frozen by TestOutliersLogits. A view that is to be saved keeps this in F32 and BF16;
// in F16 columns that became small lose bits below 2^−14.
//
// What it is: an honest stand-in for the channel outliers of 7B–70B weights, in the
// places where these are known to have them (inputs of q, k, v, gate and up by way of
// γ; keys; inputs of down and o). What it is not:
//   - Token outliers (massive activations) cannot be had this way. The norm divides a
//     token's row by its own size, but the residual sum does not: scaling one token's
//     row changes the function. Nor can channels of the residual stream be scaled,
//     because the norm's mean mixes them.
//   - In a large model weights are about as large in an outlier channel as elsewhere.
//     Here the columns that read it are smaller by 1/s, which a weight quantiser with
//     one step per row feels as well: at 4 bits they may round to zero. Smoothing that
//     moves scales between a norm and the next linear can undo the injection exactly;
//     that is what it is measured for.
//
// The view reads through m, which must stay open; closing the view closes nothing.
// [Model.Hash] of the view is the SHA-256 of "illm outliers v1", the hash of m, seed
// and strength, one a line. A view of a view is allowed.
//
// Sources: LLM.int8() (arXiv:2208.07339): few feature dimensions, the same in most
// layers, 6 to dozens of times larger; SmoothQuant (arXiv:2211.10438): about 100 times,
// and the inverse pairs; KIVI (arXiv:2402.02750): keys; massive activations
// (arXiv:2402.17762): thousands of times, in single tokens. Departure: the share (they
// say 0.1 %, with thousands of channels; 0.6 % leaves small models more than one).
func (m *Model) InjectOutliers(seed uint64, strength float64) (*Model, error) {
	if !(strength >= 1 && strength <= maxStrength) {
		return nil, fmt.Errorf("model: inject outliers: strength: expected 1–%d, found %v", maxStrength, strength)
	}
	if m.src == nil {
		return nil, errors.New("model: inject outliers: the model is closed")
	}
	v := &Model{Config: m.Config, Tokenizer: m.Tokenizer, Path: m.Path, names: slices.Clone(m.names), tensors: make(map[string]tensor, len(m.tensors))}
	for name, t := range m.tensors {
		v.tensors[name] = tensor{name: name, shape: t.shape}
	}
	v.src = &outlierSource{base: m, seed: seed, strength: strength, plan: outlierPlan(&m.Config, seed, strength)}
	return v, nil
}

// exponents says by which powers of two rows and columns of a tensor are multiplied.
type exponents struct{ rows, cols map[int]int }

// plan holds the tensors that change, by canonical name.
type plan map[string]*exponents

func (p plan) at(name string) *exponents {
	e := p[name]
	if e == nil {
		e = &exponents{map[int]int{}, map[int]int{}}
		p[name] = e
	}
	return e
}

// row scales row r of linear or norm name and the same entry of its bias, if it has one.
func (p plan) row(name string, r, exp int) {
	p.at(name + ".weight").rows[r] += exp
	p.at(name + ".bias").rows[r] += exp
}

func (p plan) col(name string, c, exp int) { p.at(name + ".weight").cols[c] += exp }

// drawer is the stream that channels and magnitudes come from.
type drawer struct {
	state    uint64
	strength float64
}

func (d *drawer) next() uint64 { return intmath.SplitMix64(&d.state) }

// channels draws max(1, round(0.6 % of n)) different numbers below n, in ascending order.
func (d *drawer) channels(n int) []int {
	want := max(1, (n*6+500)/1000)
	list := make([]int, 0, want)
	for len(list) < want {
		hi, _ := bits.Mul64(d.next(), uint64(n)) // uniform but for n/2^64
		if at, found := slices.BinarySearch(list, int(hi)); !found {
			list = slices.Insert(list, at, int(hi))
		}
	}
	return list
}

// exponent draws j ≥ 1 so that 2^j is about strength; 0 if the strength is 1.
func (d *drawer) exponent() int {
	word := d.next()
	if d.strength == 1 {
		return 0
	}
	frac, exp := math.Frexp(d.strength) // frac in [1/2, 1): strength lies between 2^(exp−1) and 2^exp
	exp--
	if float64(word>>11)*0x1p-53 < 2*frac-1 {
		exp++ // with this probability the mean of 2^exp is the strength
	}
	exp += []int{-1, 0, 0, 1}[word&3]
	return max(exp, 1)
}

// outlierPlan draws all factors. They depend on sizes, seed and strength alone.
func outlierPlan(c *Config, seed uint64, strength float64) plan {
	d, p := &drawer{seed, strength}, plan{}
	shared := d.channels(c.Hidden)
	norm := func(name string, readers ...string) {
		for _, ch := range shared {
			e := d.exponent()
			p.row(name, ch, e)
			for _, r := range readers {
				p.col(r, ch, -e)
			}
		}
	}
	for n := range c.Layers {
		at := func(name string) string { return LayerName(n, name) }
		q, k, v, up := at("self_attn.q_proj"), at("self_attn.k_proj"), at("self_attn.v_proj"), at("mlp.up_proj")
		norm(at("input_layernorm"), q, k, v)
		if c.Gated() {
			norm(at("post_attention_layernorm"), at("mlp.gate_proj"), up)
		} else {
			norm(at("post_attention_layernorm"), up)
		}
		for _, ch := range d.channels(c.KVHeads * c.HeadDim) {
			e := d.exponent()
			p.row(v, ch, e)
			for _, col := range c.readers(ch) {
				p.col(at("self_attn.o_proj"), col, -e)
			}
		}
		d.keys(c, p, n)
		for _, ch := range d.channels(c.FFN) {
			e := d.exponent()
			p.row(up, ch, e)
			p.col(at("mlp.down_proj"), ch, -e)
		}
	}
	if !c.TiedHead { // a tied head reads the table of the embedding, which nothing may change
		norm("model.norm", "lm_head")
	}
	return p
}

// readers lists the channels of the query heads that read channel ch of the KV heads.
func (c *Config) readers(ch int) []int {
	group, head, i := c.Heads/c.KVHeads, ch/c.HeadDim, ch%c.HeadDim
	list := make([]int, group)
	for g := range list {
		list[g] = (head*group+g)*c.HeadDim + i
	}
	return list
}

// keys draws the pairs of q and k in layer n.
func (d *drawer) keys(c *Config, p plan, n int) {
	q, k := LayerName(n, "self_attn.q_proj"), LayerName(n, "self_attn.k_proj")
	half := c.HeadDim / 2
	switch {
	case c.HeadNorm: // a scaled row would be normalised away: γ of the heads is scaled, which all heads share
		for _, i := range d.channels(half) {
			e := d.exponent()
			for _, ch := range []int{i, i + half} {
				p.row(LayerName(n, "self_attn.k_norm"), ch, e)
				p.row(LayerName(n, "self_attn.q_norm"), ch, -e)
			}
		}
	case c.Rotary():
		for _, pair := range d.channels(c.KVHeads * half) {
			e := d.exponent()
			first := pair/half*c.HeadDim + pair%half
			for _, ch := range []int{first, first + half} {
				p.keyRow(c, k, q, ch, e)
			}
		}
	default:
		for _, ch := range d.channels(c.KVHeads * c.HeadDim) {
			p.keyRow(c, k, q, ch, d.exponent())
		}
	}
}

func (p plan) keyRow(c *Config, k, q string, ch, e int) {
	p.row(k, ch, e)
	for _, r := range c.readers(ch) {
		p.row(q, r, -e)
	}
}

// apply scales w, row-major with rows rows.
func (e *exponents) apply(w []float32, rows int) {
	width := len(w) / rows
	for r, exp := range e.rows {
		s := float32(math.Ldexp(1, exp))
		for i := range width {
			w[r*width+i] *= s
		}
	}
	for c, exp := range e.cols {
		s := float32(math.Ldexp(1, exp))
		for r := range rows {
			w[r*width+c] *= s
		}
	}
}

// outlierSource reads canonical tensors through another model.
type outlierSource struct {
	base     *Model
	seed     uint64
	strength float64
	plan     plan // never written after its making
}

func (s *outlierSource) float32(name string, dst []float32) ([]float32, error) {
	v, err := s.base.Float32(name, dst)
	if err != nil {
		return nil, err
	}
	if e := s.plan[name]; e != nil && s.strength != 1 {
		e.apply(v, s.base.tensors[name].shape[0])
	}
	return v, nil
}

func (s *outlierSource) hash() (string, error) {
	base, err := s.base.Hash()
	if err != nil || s.strength == 1 {
		return base, err
	}
	return sha256Hex(fmt.Appendf(nil, "illm outliers v1\n%s\n%d\n%s\n", base, s.seed, strconv.FormatFloat(s.strength, 'g', -1, 64))), nil
}

func (s *outlierSource) close() error { return nil }
