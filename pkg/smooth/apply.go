package smooth

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/illm-go/illm/pkg/floatref"
	"github.com/illm-go/illm/pkg/model"
)

// Applied is a float model with its factors folded in: a floatref.Source that computes the same function as long as
// nothing is quantised and the run-time part acts: α in the gated MLP (Alpha) and the online rotations (Tap).
// It is safe for concurrent use.
type Applied struct {
	cfg   model.Config
	inner model.Config // of the source
	src   floatref.Source
	f     *Factors // rounded
	kinds []Kind

	residual, valueOut, out, down *rotor // nil: off
}

// Apply folds f, rounded to half precision, into the weights that src hands out. Where src has a Hash, it is compared with
// that of the factors. Products are float64 and rounded once to float32, with no fused multiply-add and sums in
// ascending order, so that every machine gets the same bits.
//
// Order: offline rotations (residual, v → o), shifts, factors in the order of Table, counterparts of the online
// rotations. Shifts and factors of a rotated site are those of the rotated channels.
//
// Exactness: logits differ by the float32 rounding of the new weights (relative 2·10⁻⁶ for factors, 10⁻⁵ with
// rotations: TestApply, TestRotations).
func Apply(cfg model.Config, src floatref.Source, f *Factors) (*Applied, error) {
	f = f.Rounded()
	if err := f.Check(cfg); err != nil {
		return nil, err
	}
	if h, ok := src.(interface{ Hash() (string, error) }); ok && f.Meta[MetaSource] != "" {
		hash, err := h.Hash()
		if err != nil {
			return nil, fmt.Errorf("smooth: hash of the model: %w", err)
		}
		if err := f.CheckSource(hash); err != nil {
			return nil, err
		}
	}
	a := &Applied{cfg: cfg, inner: cfg, src: src, f: f, kinds: Table(cfg)}
	r := f.Rotation
	if r.Residual {
		a.cfg.TiedHead = false
		a.residual = newRotor(cfg.Hidden, r.Seed, cfg.LayerNorm())
	}
	if r.ValueOut {
		a.valueOut = newRotor(cfg.HeadDim, 0, false)
	}
	if r.OutProj {
		a.out = newRotor(cfg.Heads*cfg.HeadDim, 0, false)
	}
	if r.Down {
		a.down = newRotor(cfg.FFN, 0, false)
	}
	return a, nil
}

// Config is that of the changed model: a residual rotation unties the head.
func (a *Applied) Config() model.Config { return a.cfg }

// Factors returns the factors as they act, rounded to half precision. They must not be changed.
func (a *Applied) Factors() *Factors { return a.f }

// Tap returns the online rotations for the float model; nil if there are none.
func (a *Applied) Tap() floatref.Tap {
	t, _ := a.f.Rotation.Tap(a.inner) // was checked
	return t
}

// Alpha is the run-time gain of the gate of a block, α = 1/s of act-smooth: σ(g) becomes σ(α·g). nil: 1.
func (a *Applied) Alpha(layer int) []float32 {
	if layer < 0 || layer >= len(a.f.Blocks) || a.f.Blocks[layer].GateUp == nil {
		return nil
	}
	s := a.f.Blocks[layer].GateUp
	alpha := make([]float32, len(s))
	for i, x := range s {
		alpha[i] = float32(1 / float64(x))
	}
	return alpha
}

// Clip returns the clipping ratios of a tensor by its full name ("model.layers.0.mlp.up_proj", with or without
// ".weight"); a zero Range clips nothing.
func (a *Applied) Clip(name string) Range {
	layer, linear, _, ok := split(strings.TrimSuffix(name, ".weight") + ".weight")
	if !ok || layer >= len(a.f.Blocks) {
		return Range{}
	}
	return a.f.Blocks[layer].Clip[linear]
}

// split takes apart the name of a tensor of a block: "model.layers.3.mlp.up_proj.bias" is 3, "mlp.up_proj", "bias".
func split(name string) (layer int, linear, part string, ok bool) {
	rest, ok := strings.CutPrefix(name, "model.layers.")
	number, rest, found := strings.Cut(rest, ".")
	layer, err := strconv.Atoi(number)
	at := strings.LastIndexByte(rest, '.')
	if !ok || !found || err != nil || layer < 0 || at < 0 {
		return 0, "", "", false
	}
	return layer, rest[:at], rest[at+1:], true
}

// Float32 implements floatref.Source.
func (a *Applied) Float32(name string, dst []float32) ([]float32, error) {
	layer, linear, part, inBlock := split(name)
	touched := a.residual != nil
	if inBlock {
		touched = touched || a.valueOut != nil || a.out != nil || a.down != nil || layer < len(a.f.Blocks)
	}
	if !touched || !inBlock && name == model.Head && a.residual == nil {
		return a.src.Float32(name, dst)
	}
	var w []float64
	var err error
	switch {
	case !inBlock:
		return a.outside(name, dst)
	case part == "weight":
		w, err = a.weight(layer, linear)
	default:
		w, err = a.bias(layer, linear)
	}
	if err != nil {
		return nil, err
	}
	return narrow(dst, w), nil
}

// narrow rounds to float32 into dst.
func narrow(dst []float32, w []float64) []float32 {
	if cap(dst) < len(w) {
		dst = make([]float32, len(w))
	}
	dst = dst[:len(w)]
	for i, v := range w {
		dst[i] = float32(v)
	}
	return dst
}

// read fetches a tensor of n values as float64.
func (a *Applied) read(name string, n int) ([]float64, error) {
	v, err := a.src.Float32(name, nil)
	if err != nil {
		return nil, err
	}
	if len(v) != n {
		return nil, fmt.Errorf("smooth: %s: expected %d values, found %d: the weights do not belong to this configuration", name, n, len(v))
	}
	w := make([]float64, n)
	for i, x := range v {
		w[i] = float64(x)
	}
	return w, nil
}

// isNorm tells norms from linears of a block.
func isNorm(linear string) bool { return strings.HasSuffix(linear, "norm") }

// isHeadNorm tells the norms over heads, which no rotation touches.
func isHeadNorm(linear string) bool { return strings.HasSuffix(linear, "_norm") }

// normBefore names the norm in front of a linear, "" if there is none.
func normBefore(linear string) string {
	switch linear {
	case "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj":
		return "input_layernorm"
	case "mlp.gate_proj", "mlp.up_proj":
		return "post_attention_layernorm"
	}
	return ""
}

// size gives the channels of a linear or norm.
func (a *Applied) size(linear string) (out, in int) {
	c := &a.cfg
	switch {
	case isHeadNorm(linear):
		return c.HeadDim, 1
	case isNorm(linear):
		return c.Hidden, 1
	case linear == "self_attn.o_proj":
		return c.Hidden, c.Heads * c.HeadDim
	case linear == "mlp.down_proj":
		return c.Hidden, c.FFN
	}
	return linearRows(*c, linear), c.Hidden
}

// rotated returns the weight after the offline rotations.
func (a *Applied) rotated(layer int, linear string) ([]float64, error) {
	out, in := a.size(linear)
	if isNorm(linear) {
		if a.residual != nil && !isHeadNorm(linear) { // γ went into the linears
			w := make([]float64, out)
			for i := range w {
				w[i] = 1
			}
			return w, nil
		}
		return a.read(layerName(layer, linear, ".weight"), out)
	}
	w, err := a.read(layerName(layer, linear, ".weight"), out*in)
	if err != nil {
		return nil, err
	}
	before := normBefore(linear)
	if a.residual != nil && before != "" {
		gamma, err := a.read(layerName(layer, before, ".weight"), in)
		if err != nil {
			return nil, err
		}
		rotateRows(a.residual, w, gamma)
	}
	if a.valueOut != nil && linear == "self_attn.v_proj" {
		a.valueOut.columns(w, in)
	}
	if a.valueOut != nil && linear == "self_attn.o_proj" {
		a.valueOut.pieces(w)
	}
	if a.residual != nil && before == "" {
		a.residual.columns(w, in)
	}
	return w, nil
}

// rotateRows sets the rows of w to W·diag(γ)·Rᵀ; γ nil is 1.
func rotateRows(r *rotor, w, gamma []float64) {
	for ; len(w) > 0; w = w[r.h.n:] {
		row := w[:r.h.n]
		for i, g := range gamma {
			row[i] *= g
		}
		r.apply(row)
	}
}

// weight returns the weight of a linear, or γ of a norm, in its final form.
func (a *Applied) weight(layer int, linear string) ([]float64, error) {
	w, err := a.rotated(layer, linear)
	if err != nil {
		return nil, err
	}
	out, in := a.size(linear)
	a.scale(layer, linear, w, out, in, true)
	switch {
	case a.out != nil && linear == "self_attn.o_proj":
		a.out.pieces(w)
	case a.down != nil && linear == "mlp.down_proj":
		a.down.pieces(w)
	}
	return w, nil
}

// scale applies the factors to w, [out][in]; a bias has in = 1 and no columns.
func (a *Applied) scale(layer int, linear string, w []float64, out, in int, columns bool) {
	if layer >= len(a.f.Blocks) {
		return
	}
	b := &a.f.Blocks[layer]
	for _, k := range a.kinds {
		s := b.Vector(k.Name)
		if s == nil || k.Shift {
			continue
		}
		for _, u := range k.Uses {
			if u.Linear != linear || u.Cols && !columns {
				continue
			}
			for i := range w {
				at := i / in
				if u.Cols {
					at = i % in
				}
				if f := float64(s[u.Index(at)]); u.Divide {
					w[i] /= f
				} else {
					w[i] *= f
				}
			}
		}
	}
}

// bias returns the bias of a linear, or β of a norm, in its final form.
func (a *Applied) bias(layer int, linear string) ([]float64, error) {
	out, _ := a.size(linear)
	b, err := a.read(layerName(layer, linear, ".bias"), out)
	if err != nil {
		return nil, err
	}
	before := normBefore(linear)
	if a.residual != nil {
		switch {
		case isNorm(linear):
			clear(b) // β went into the biases of the linears
		case before == "":
			a.residual.apply(b)
		case a.cfg.LayerNorm():
			if err := a.addBeta(layer, linear, before, b); err != nil {
				return nil, err
			}
		}
	}
	if a.valueOut != nil && linear == "self_attn.v_proj" {
		a.valueOut.pieces(b)
	}
	if err := a.shift(layer, linear, b); err != nil {
		return nil, err
	}
	a.scale(layer, linear, b, out, 1, false)
	return b, nil
}

// addBeta adds W·β of the norm in front.
func (a *Applied) addBeta(layer int, linear, before string, b []float64) error {
	out, in := a.size(linear)
	w, err := a.read(layerName(layer, linear, ".weight"), out*in)
	if err != nil {
		return err
	}
	beta, err := a.read(layerName(layer, before, ".bias"), in)
	if err != nil {
		return err
	}
	addProduct(b, w, beta)
	return nil
}

// addProduct adds W·x to b.
func addProduct(b, w, x []float64) {
	for j := range b {
		sum := 0.0
		for i, v := range x {
			sum += float64(w[j*len(x)+i] * v)
		}
		b[j] += sum
	}
}

// shift applies δ: b − δ where the channel is made, b + Wδ where it is read.
func (a *Applied) shift(layer int, linear string, b []float64) error {
	if layer >= len(a.f.Blocks) {
		return nil
	}
	for _, k := range a.kinds {
		delta := a.f.Blocks[layer].Vector(k.Name)
		if delta == nil || !k.Shift {
			continue
		}
		for _, u := range k.Uses {
			switch {
			case u.Linear != linear:
			case !u.Cols:
				for i := range b {
					b[i] -= float64(delta[u.Index(i)])
				}
			default:
				w, err := a.rotated(layer, linear)
				if err != nil {
					return err
				}
				x := make([]float64, len(w)/len(b))
				for i := range x {
					x[i] = float64(delta[u.Index(i)])
				}
				addProduct(b, w, x)
			}
		}
	}
	return nil
}

// outside returns a tensor outside the blocks under a residual rotation.
func (a *Applied) outside(name string, dst []float32) ([]float32, error) {
	c := &a.inner
	switch name {
	case model.Embedding, model.Positions, model.Head:
		from := name
		if name == model.Head && c.TiedHead {
			from = model.Embedding
		}
		w, err := a.src.Float32(from, dst)
		if err != nil {
			return nil, err
		}
		if len(w)%c.Hidden != 0 {
			return nil, fmt.Errorf("smooth: %s: expected rows of %d values, found %d values: the weights do not belong to this configuration", name, c.Hidden, len(w))
		}
		var gamma []float64
		if name == model.Head {
			if gamma, err = a.read(model.FinalNorm, c.Hidden); err != nil {
				return nil, err
			}
		}
		row := make([]float64, c.Hidden)
		for r := 0; r < len(w); r += c.Hidden {
			for i := range row {
				row[i] = float64(w[r+i])
			}
			rotateRows(a.residual, row, gamma)
			narrow(w[r:r:r+c.Hidden], row)
		}
		return w, nil
	case model.FinalNorm:
		w := make([]float64, c.Hidden)
		for i := range w {
			w[i] = 1
		}
		return narrow(dst, w), nil
	case "model.norm.bias":
		return a.finalBeta(dst)
	}
	return a.src.Float32(name, dst)
}

// finalBeta is β of the last norm. The head has no bias to take W·β, so that β' = R·(β/γ) stays in the norm:
// W·diag(γ)·Rᵀ·β' = W·β.
func (a *Applied) finalBeta(dst []float32) ([]float32, error) {
	gamma, err := a.read(model.FinalNorm, a.cfg.Hidden)
	if err != nil {
		return nil, err
	}
	beta, err := a.read("model.norm.bias", a.cfg.Hidden)
	if err != nil {
		return nil, err
	}
	for i, g := range gamma {
		if g == 0 && beta[i] != 0 {
			return nil, fmt.Errorf("smooth: rotation residual: the final norm has γ = 0 and β = %v at channel %d: its β cannot be rotated: switch residual off", beta[i], i)
		}
		if g != 0 {
			beta[i] /= g
		}
	}
	a.residual.apply(beta)
	return narrow(dst, beta), nil
}
