package catalog

import (
	"context"
	"fmt"

	"github.com/illm-go/illm/pkg/baseline/fakequant"
	"github.com/illm-go/illm/pkg/di"
	"github.com/illm-go/illm/pkg/engine"
	"github.com/illm-go/illm/pkg/floatref"
	"github.com/illm-go/illm/pkg/model"
	"github.com/illm-go/illm/pkg/quant"
	"github.com/illm-go/illm/pkg/smooth"
)

// AllKinds is the default of the settings that keep kinds of factors (smooth.Factors.Select), as is "".
const AllKinds = "all"

// Weights is the float model behind the entry, for what looks at its tensors.
func (e *Entry) Weights() (model.Config, floatref.Source, error) {
	if e.weights == nil {
		return model.Config{}, nil, e.quantised()
	}
	return e.weights.Config, e.weights, nil
}

// FactorsOf is Factors with the kinds that a selection keeps; f is nil for a recipe without a method.
func (e *Entry) FactorsOf(r quant.Recipe, kinds string) (f *smooth.Factors, where string, err error) {
	if f, where, err = e.Factors(r); err != nil || kinds == "" || kinds == AllKinds {
		return f, where, err
	}
	if f == nil {
		return nil, "", fmt.Errorf("catalog: recipe %s, kinds %q: expected a recipe with a method, whose factors can be left out, such as %s-fsbr", r.Name, kinds, r.Name)
	}
	f, err = f.Select(kinds)
	return f, where, err
}

// IntegerKinds is IntegerWith on some kinds of the recipe's factors.
func (e *Entry) IntegerKinds(ctx context.Context, spec quant.Spec, kinds string, ops di.Operators) (*engine.Model, error) {
	if kinds == "" || kinds == AllKinds {
		return e.IntegerWith(ctx, spec, ops)
	}
	p, err := e.prepareKinds(spec, kinds)
	if err != nil {
		return nil, err
	}
	path, err := e.artifactOf(ctx, p)
	if err != nil {
		return nil, err
	}
	art, err := e.open(path)
	if err != nil {
		return nil, err
	}
	return engine.New(art, engine.Options{Spec: &spec, Threads: e.opt.Threads, Operators: ops})
}

// SimulationKinds is Simulation on some kinds of the recipe's factors.
func (e *Entry) SimulationKinds(ctx context.Context, spec quant.Spec, kinds string, opt fakequant.Options) (*floatref.Model, error) {
	if kinds == "" || kinds == AllKinds {
		return e.Simulation(ctx, spec, opt)
	}
	p, err := e.prepareKinds(spec, kinds)
	if err != nil {
		return nil, err
	}
	return e.simulate(ctx, p, spec, opt)
}

func (e *Entry) prepareKinds(spec quant.Spec, kinds string) (*prepared, error) {
	if e.weights == nil {
		return nil, e.quantised()
	}
	if spec.Recipe.Static != "" {
		return nil, fmt.Errorf("catalog: recipe %s, kinds %q: expected a recipe with dynamic ranges: constant ones are calibrated with all kinds", spec.Recipe.Name, kinds)
	}
	f, where, err := e.FactorsOf(spec.Recipe, kinds)
	if err != nil {
		return nil, err
	}
	return e.prepareWith(spec, f, where)
}
