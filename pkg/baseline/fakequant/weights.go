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

// Float32 implements floatref.Source. Norm weights are passed on as they are: the engine keeps 23 bits of them.
func (w weights) Float32(name string, dst []float32) ([]float32, error) {
	const embed, head = "model.embed_tokens.weight", "lm_head.weight"
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
	case name == embed:
		cols, bits = w.cfg.Hidden, w.bits.Emb
	case name == head:
		cols, bits = w.cfg.Hidden, w.bits.Head
	case strings.HasSuffix(name, "norm.weight"):
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
		if name == embed && bits == 16 {
			Symmetric(row, bits)
		} else {
			Row(row, bits)
		}
	}
	return x, nil
}
