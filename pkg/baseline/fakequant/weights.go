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
	for r := 0; r < len(x); r += cols {
		row := x[r : r+cols]
		for i, v := range row {
			if v != v || math.IsInf(float64(v), 0) {
				return nil, fmt.Errorf("fakequant: %s: row %d, value %d is %v: expected a finite number", name, r/cols, i, v)
			}
		}
		if bits == 16 && (name == embed || name == places) {
			Symmetric(row, bits)
		} else {
			Row(row, bits)
		}
	}
	return x, nil
}
