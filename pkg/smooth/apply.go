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

	residual, valueOut, queryKey, out, down *rotor // of the weights; nil: off
}

// Apply folds f, rounded to half precision, into the weights that src hands out. Where src has a Hash, it is compared with
// that of the factors. Products are float64 and rounded once to float32, with no fused multiply-add and sums in
// ascending order, so that every machine gets the same bits.
//
// Order: offline rotations (residual, v → o), shifts, factors in the order of Table, counterparts of the online
// rotations. Shifts and factors of a rotated site are those of the rotated channels.
//
// Exactness: logits differ by the float32 rounding of the new weights (3·10⁻⁶ of the largest, factors
// and rotations alike: TestApply, TestRotations).
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
	if r.QueryKey && !cfg.Rotary() {
		a.queryKey = newRotor(cfg.HeadDim, 0, false)
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
		touched = touched || a.f.Rotation.Any() || layer < len(a.f.Blocks)
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
			f := make([]float64, out)
			if u.Cols {
				f = make([]float64, in)
			}
			for i := range f {
				f[i] = float64(s[u.Index(i)])
			}
			for r := range out {
				row := w[r*in:][:in]
				switch {
				case u.Cols: // always a product
					for c, x := range f {
						row[c] *= x
					}
				case u.Divide:
					for c := range row {
						row[c] /= f[r]
					}
				default:
					for c := range row {
						row[c] *= f[r]
					}
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
	if r := a.perHead(linear); r != nil {
		r.pieces(b)
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
