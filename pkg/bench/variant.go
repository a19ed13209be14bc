package bench

import (
	"context"
	"fmt"

	"github.com/illm-go/illm/pkg/baseline/fakequant"
	"github.com/illm-go/illm/pkg/catalog"
	"github.com/illm-go/illm/pkg/engine"
	"github.com/illm-go/illm/pkg/ptq"
	"github.com/illm-go/illm/pkg/quant"
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
	return v, nil
}

// shipsAsIs refuses what a measurement other than a text's score has no place for.
func (v Variant) shipsAsIs(what string) error {
	v, err := v.settled()
	if err == nil && (v.Arithmetic != "" || v.Kinds != "") {
		err = fmt.Errorf("bench: %s of %s: expected the integer engine with all kinds of factors, found arithmetic %q, kinds %q: they are scored on texts only", what, v.Recipe, v.Arithmetic, v.Kinds)
	}
	return err
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
	for _, part := range []struct{ axis, level string }{{"operators", v.Operators}, {"arithmetic", v.Arithmetic}, {"kinds", v.Kinds}} {
		if part.level != "" {
			p.name += " " + part.level
			p.record.Axes[part.axis] = part.level
		}
	}
	if v.Arithmetic == Simulated {
		f, _, err := entry.FactorsOf(spec.Recipe, v.Kinds)
		if err != nil {
			return err
		}
		if f != nil {
			if cfg.Factors, err = f.Hash(); err != nil {
				return err
			}
		}
		p.lm, err = entry.SimulationKinds(ctx, spec, v.Kinds, fakequant.Options{})
		return err
	}
	ops, err := Operators(spec, v.Operators)
	if err != nil {
		return err
	}
	m, err := entry.IntegerKinds(ctx, spec, v.Kinds, ops)
	if err != nil {
		return err
	}
	p.int = &engine.Scored{M: m}
	p.lm, p.record.Artefact = p.int, m.Artifact().ID
	return nil
}
