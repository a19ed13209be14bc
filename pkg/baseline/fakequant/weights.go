package fakequant

import (
	"fmt"
	"math"
	"strings"

	"github.com/illm-go/illm/pkg/floatref"
	"github.com/illm-go/illm/pkg/model"
	"github.com/illm-go/illm/pkg/quant"
)

// weights hands out the weights of src rounded to the recipe's grids.
type weights struct {
	src  floatref.Source
	cfg  model.Config // of the source
	bits quant.Recipe // widths of 0 leave the weights alone

	clip    func(name string) (lo, hi []float32)
	rounder Rounder
}

// Float32 implements floatref.Source. Norm weights and all biases are passed on as they are: the engine keeps 23 bits
// of them.
func (w weights) Float32(name string, dst []float32) ([]float32, error) {
	const embed, head, places = model.Embedding, model.Head, model.Positions
	from := name
	if name == head && w.cfg.TiedHead {
		from = embed
	}
	x, err := w.src.Float32(from, dst)
	if err != nil {
		return nil, err
	}
	cols, bits := 0, 0
	switch {
	case name == embed, name == places:
		cols, bits = w.cfg.Hidden, w.bits.Emb
	case name == head:
		cols, bits = w.cfg.Hidden, w.bits.Head
	case strings.HasSuffix(name, "norm.weight"), strings.HasSuffix(name, ".bias"):
		return x, nil
	case strings.HasSuffix(name, "o_proj.weight"):
		cols, bits = w.cfg.Heads*w.cfg.HeadDim, w.bits.Weight
	case strings.HasSuffix(name, "down_proj.weight"):
		cols, bits = w.cfg.FFN, w.bits.Weight
	default:
		cols, bits = w.cfg.Hidden, w.bits.Weight
	}
	if bits == 0 {
		return x, nil
	}
	if len(x)%cols != 0 {
		return nil, fmt.Errorf("fakequant: %s: expected rows of %d values, found %d values: the weights do not belong to this configuration", name, cols, len(x))
	}
	short := strings.TrimSuffix(name, ".weight")
	var lo, hi []float32
	if w.clip != nil {
		lo, hi = w.clip(short)
	}
	if n := len(x) / cols; lo != nil && len(lo) != n || hi != nil && len(hi) != n {
		return nil, fmt.Errorf("fakequant: %s: expected %d clipping ratios, found %d and %d", name, n, len(lo), len(hi))
	}
	for r := 0; r < len(x); r += cols {
		row := x[r : r+cols]
		for i, v := range row {
			if v != v || math.IsInf(float64(v), 0) {
				return nil, fmt.Errorf("fakequant: %s: row %d, value %d is %v: expected a finite number", name, r/cols, i, v)
			}
		}
	}
	if bits == 16 && (name == embed || name == places) {
		for r := 0; r < len(x); r += cols {
			Symmetric(x[r:r+cols], bits)
		}
		return x, nil
	}
	return x, w.round(short, x, cols, bits, lo, hi)
}

// round puts the rows of x on their grids, clipped by lo and hi, with the rounder's codes where there is one that has any.
func (w weights) round(name string, x []float32, cols, bits int, clipLo, clipHi []float32) error {
	rows := len(x) / cols
	from, to := make([]float64, rows), make([]float64, rows)
	for r := range rows {
		lo, hi := extremes(x[r*cols : (r+1)*cols])
		from[r], to[r] = float64(min(lo, 0)), float64(max(hi, 0))
		if clipLo != nil {
			from[r] *= float64(clipLo[r])
		}
		if clipHi != nil {
			to[r] *= float64(clipHi[r])
		}
	}
	if w.rounder != nil && strings.HasPrefix(name, "model.layers.") {
		levels := float64(int(1)<<bits - 1)
		scale, zero := make([]float64, rows), make([]float64, rows)
		for r := range rows {
			if scale[r] = (to[r] - from[r]) / levels; scale[r] > 0 {
				zero[r] = math.Round(-from[r] / scale[r])
			}
		}
		codes, err := w.rounder.Round(name, x, rows, cols, bits, scale, zero)
		switch {
		case err != nil:
			return fmt.Errorf("fakequant: %s: rounding: %w", name, err)
		case codes != nil && len(codes) != len(x):
			return fmt.Errorf("fakequant: %s: rounding: expected %d codes, found %d", name, len(x), len(codes))
		case codes != nil:
			for i, c := range codes {
				x[i] = float32((float64(c) - zero[i/cols]) * scale[i/cols])
			}
			return nil
		}
	}
	for r := range rows {
		Range(x[r*cols:(r+1)*cols], bits, from[r], to[r])
	}
	return nil
}
