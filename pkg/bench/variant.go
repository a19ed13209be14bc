package bench

import (
	"context"
	"fmt"
	"strconv"

	"github.com/illm-go/illm/pkg/catalog"
	"github.com/illm-go/illm/pkg/dyadic"
	"github.com/illm-go/illm/pkg/engine"
	"github.com/illm-go/illm/pkg/ptq"
	"github.com/illm-go/illm/pkg/quant"
	"github.com/illm-go/illm/pkg/record"
)

// Integer and Simulated are what Variant.Arithmetic may be; "" is Integer.
const (
	Integer   = "integer"
	Simulated = "simulated"
)

// settled gives the defaults of arithmetic and kinds one spelling, the empty one, which records leave out, and refuses
// what cannot go together.
func (v Variant) settled() (Variant, error) {
	switch v.Arithmetic {
	case "", Integer:
		v.Arithmetic = ""
	case Simulated:
		if v.Operators != "" && v.Operators != Integer {
			return v, fmt.Errorf("bench: operators %q in the float simulation: expected none: its operators are float, only the widths are those of the engine", v.Operators)
		}
	default:
		return v, fmt.Errorf("bench: arithmetic %q: expected %s or %s", v.Arithmetic, Integer, Simulated)
	}
	if v.Kinds == catalog.AllKinds {
		v.Kinds = ""
	}
	if v.Mantissa == strconv.Itoa(dyadic.Bits) {
		v.Mantissa = ""
	}
	if v.Multiplier == strconv.Itoa(catalog.MultiplierBits) {
		v.Multiplier = ""
	}
	if v.Arithmetic != "" && v.scaled() {
		return v, fmt.Errorf("bench: mantissa %q, multiplier %q, layers %q in the float simulation: expected none: its scales are float and its layers have one width", v.Mantissa, v.Multiplier, v.Layers)
	}
	return v, nil
}

// scaled says that the scales or the widths of single layers are not the artefact's own.
func (v Variant) scaled() bool { return v.Mantissa != "" || v.Multiplier != "" || v.Layers != "" }

// Spec is what fixes the bits of the variant's forward pass beside its weights.
func (v Variant) Spec() (quant.Spec, error) {
	spec, err := quant.NewSpec(v.Recipe, v.Clip, v.Mode)
	if err != nil || v.Mantissa == "" {
		return spec, err
	}
	if spec.MantissaBits, err = strconv.Atoi(v.Mantissa); err != nil {
		return spec, fmt.Errorf("bench: mantissa %q: expected a number of bits, 4 … %d", v.Mantissa, dyadic.Bits)
	}
	return spec, spec.Validate()
}

// Engine opens the integer engine of a variant.
func (v Variant) Engine(ctx context.Context, entry *catalog.Entry) (*engine.Model, error) {
	v, err := v.settled()
	if err != nil {
		return nil, err
	}
	if v.Arithmetic != "" {
		return nil, fmt.Errorf("bench: engine: expected integer arithmetic, found %q", v.Arithmetic)
	}
	spec, err := v.Spec()
	if err != nil {
		return nil, err
	}
	ops, err := Operators(spec, v.Operators)
	if err != nil {
		return nil, err
	}
	w, err := v.weights()
	if err != nil {
		return nil, err
	}
	if w == (catalog.Weights{}) {
		return entry.IntegerKinds(ctx, spec, v.Kinds, ops)
	}
	if v.Kinds != "" {
		return nil, fmt.Errorf("bench: kinds %q together with multiplier or layers: expected all kinds", v.Kinds)
	}
	return entry.IntegerWeights(ctx, spec, ops, w)
}

// weights is what the variant changes of the artefact's matrices.
func (v Variant) weights() (w catalog.Weights, err error) {
	w.Layers = v.Layers
	if v.Multiplier != "" {
		if w.Multiplier, err = strconv.Atoi(v.Multiplier); err != nil {
			return w, fmt.Errorf("bench: multiplier %q: expected a number of bits, 2 … %d", v.Multiplier, catalog.MultiplierBits)
		}
	}
	return w, nil
}

// shipsAsIs refuses what a measurement other than a text's score has no place for.
func (v Variant) shipsAsIs(what string) error {
	v, err := v.settled()
	if err == nil && (v.Arithmetic != "" || v.Kinds != "" || v.scaled()) {
		err = fmt.Errorf("bench: %s of %s: expected the integer engine with all kinds of factors and the artefact's own scales, found arithmetic %q, kinds %q, mantissa %q, multiplier %q, layers %q: they are scored on texts only",
			what, v.Recipe, v.Arithmetic, v.Kinds, v.Mantissa, v.Multiplier, v.Layers)
	}
	return err
}

// simulated is what a simulation's record needs that an artefact would hold: the hash of its factors, and their clips by
// layer; nothing of a recipe without factors.
func simulated(entry *catalog.Entry, spec quant.Spec, kinds string) (hash string, clips quant.Clips, err error) {
	f, _, err := entry.FactorsOf(spec.Recipe, kinds)
	if err != nil || f == nil {
		return "", nil, err
	}
	if hash, err = f.Hash(); err != nil {
		return "", nil, err
	}
	clips, err = f.Clips()
	return hash, clips, err
}

// named is the name of a variant with its clips by layer, where it has such a list.
func named(name string, clips quant.Clips) string {
	if clips == nil {
		return name
	}
	return fmt.Sprintf("%s, by layer %s", name, clips.Short())
}

// load opens what computes an integer variant or its simulation, and says so in the configuration and the record.
func (r *Runner) load(ctx context.Context, entry *catalog.Entry, spec quant.Spec, v Variant, cfg *qualityConfig, p *prepared) error {
	v, err := v.settled()
	if err != nil {
		return err
	}
	cfg.Spec, cfg.Recipe, cfg.Operators, cfg.Arithmetic, cfg.Kinds = &spec, spec.Recipe.Name, v.Operators, v.Arithmetic, v.Kinds
	p.record.Semantics = ptq.Semantics
	p.name = fmt.Sprintf("%s clip %s", spec.Recipe.Name, spec.Clip)
	w, err := v.weights()
	if err != nil {
		return err
	}
	cfg.Multiplier, cfg.Layers = w.Multiplier, w.Layers
	for _, part := range []struct{ axis, level string }{{"operators", v.Operators}, {"arithmetic", v.Arithmetic}, {"kinds", v.Kinds},
		{"mantissa", v.Mantissa}, {"multiplier", v.Multiplier}, {"layers", v.Layers}} {
		if part.level != "" {
			p.name += " " + part.level
			p.record.Axes[part.axis] = part.level
		}
	}
	if v.Arithmetic == Simulated {
		var clips quant.Clips
		if cfg.Factors, clips, err = simulated(entry, spec, v.Kinds); err != nil {
			return err
		}
		cfg.Clips, p.name = clips.String(), named(p.name, clips)
		p.lm, p.done, err = r.simulation(ctx, entry, spec, v.Kinds)
		return err
	}
	m, err := v.Engine(ctx, entry)
	if err != nil {
		return err
	}
	if v.Layers != "" {
		p.extra = []record.Metric{{Name: "weight_bytes", Value: float64(m.WeightBytes()), Unit: "bytes", Better: record.Lower}}
	}
	cfg.Clips, p.name = m.Clips().String(), named(p.name, m.Clips())
	p.int = &engine.Scored{M: m}
	p.lm, p.record.Artefact = tallied{p.int}, m.Artifact().ID
	return nil
}
