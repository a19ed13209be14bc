package catalog

import (
	"context"
	"fmt"
	"strings"

	"github.com/illm-go/illm/pkg/artifact"
	"github.com/illm-go/illm/pkg/di"
	"github.com/illm-go/illm/pkg/engine"
	"github.com/illm-go/illm/pkg/intmath"
	"github.com/illm-go/illm/pkg/quant"
)

// MultiplierBits is B_w, the bits of the largest multiplier M_j of an artefact's matrix.
const MultiplierBits = 24

// Weights changes what the engine reads of an artefact's matrices; the artefact keeps its bytes. The zero value changes
// nothing.
type Weights struct {
	// Multiplier is B_w of the blocks' linears, 2 … 24; 0: 24. M_j becomes the nearest multiple of 2^(24−B_w), at most
	// (2^B_w − 1)·2^(24−B_w): a channel whose step is below half of that of the largest over 2^B_w becomes 0.
	Multiplier int
	// Layers is a digit a layer, the bits of its weights, 2 … 8; "": those of the recipe. Only for weights without a method:
	// factors belong to one width.
	Layers string
}

// IntegerWeights is IntegerWith on changed weights.
func (e *Entry) IntegerWeights(ctx context.Context, spec quant.Spec, ops di.Operators, w Weights) (*engine.Model, error) {
	if w.Multiplier != 0 && (w.Multiplier < 2 || w.Multiplier > MultiplierBits) {
		return nil, fmt.Errorf("catalog: weight multipliers of %d bits: expected 2 … %d", w.Multiplier, MultiplierBits)
	}
	if spec.Recipe.Static != "" {
		return nil, fmt.Errorf("catalog: recipe %s with other weights: expected a recipe with dynamic ranges", spec.Recipe.Name)
	}
	if w.Layers != "" && spec.Recipe.Method != "" {
		return nil, fmt.Errorf("catalog: recipe %s with layers %s: expected a recipe without a method: its factors belong to one width", spec.Recipe.Name, w.Layers)
	}
	path, err := e.Artifact(ctx, spec)
	if err != nil {
		return nil, err
	}
	art, err := e.open(path)
	if err != nil {
		return nil, err
	}
	var layers []*artifact.File // by layer, nil: art
	if w.Layers != "" {
		if layers, err = e.layersOf(ctx, spec, w.Layers, art.Header.Layers); err != nil {
			return nil, err
		}
	}
	replace := func(name string, l *quant.Linear) (*quant.Linear, error) {
		var layer int
		if n, err := fmt.Sscanf(name, "model.layers.%d.", &layer); n != 1 || err != nil {
			return l, nil // embedding and head
		}
		if layers != nil && layers[layer] != nil {
			var err error
			if l, err = layers[layer].Linear(name, l.Out, l.In); err != nil {
				return nil, err
			}
		}
		return narrowed(l, w.Multiplier), nil
	}
	return engine.New(art, engine.Options{Spec: &spec, Threads: e.opt.Threads, Operators: ops, Linear: replace})
}

// layersOf opens the artefacts that the layers' weights come from; nil where it is the recipe's own.
func (e *Entry) layersOf(ctx context.Context, spec quant.Spec, widths string, layers int) ([]*artifact.File, error) {
	if len(widths) != layers || strings.Trim(widths, "2345678") != "" {
		return nil, fmt.Errorf("catalog: layers %q: expected %d digits of 2 … 8, the bits of each layer's weights", widths, layers)
	}
	out := make([]*artifact.File, layers)
	for i := range out {
		bits := int(widths[i] - '0')
		if bits == spec.Recipe.Weight {
			continue
		}
		other := spec
		other.Recipe.Weight = bits
		path, err := e.Artifact(ctx, other)
		if err != nil {
			return nil, err
		}
		if out[i], err = e.open(path); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// narrowed returns l with multipliers of so many bits.
func narrowed(l *quant.Linear, bits int) *quant.Linear {
	if bits == 0 || bits == MultiplierBits {
		return l
	}
	shift := uint(MultiplierBits - bits)
	top := int64(1)<<bits - 1
	d := *l
	d.M = make([]int32, len(l.M))
	for j, m := range l.M {
		d.M[j] = int32(min(intmath.RoundShift(int64(m), int(shift)), top) << shift)
	}
	return &d
}
