package bench

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/illm-go/illm/pkg/baseline/fakequant"
	"github.com/illm-go/illm/pkg/catalog"
	"github.com/illm-go/illm/pkg/eval"
	"github.com/illm-go/illm/pkg/floatref"
	"github.com/illm-go/illm/pkg/model"
	"github.com/illm-go/illm/pkg/quant"
	"github.com/illm-go/illm/pkg/record"
)

// Backend computes float models in place of package floatref: an accelerator (package accel). Integers it does not compute.
type Backend interface {
	// Name says what computes; records keep it.
	Name() string

	// Float and Simulation put a model there; done gives its memory back.
	Float(cfg model.Config, w floatref.Source) (lm eval.LM, done func(), err error)
	Simulation(p *fakequant.Plan) (lm eval.LM, done func(), err error)
}

func nothing() {}

// float is the float model of an entry.
func (r *Runner) float(e *catalog.Entry) (eval.LM, func(), error) {
	if r.Backend == nil {
		m, err := e.Float()
		return m, nothing, err
	}
	cfg, w, err := e.Weights()
	if err != nil {
		return nil, nil, err
	}
	return r.Backend.Float(cfg, w)
}

// simulation is the float simulation of a spec on some kinds of its factors.
func (r *Runner) simulation(ctx context.Context, e *catalog.Entry, spec quant.Spec, kinds string) (eval.LM, func(), error) {
	if r.Backend == nil {
		m, err := e.SimulationKinds(ctx, spec, kinds, fakequant.Options{})
		return m, nothing, err
	}
	p, err := e.SimulationPlan(ctx, spec, kinds)
	if err != nil {
		return nil, nil, err
	}
	return r.Backend.Simulation(p)
}

// elsewhere refuses what a runner with a backend does not compute.
func (r *Runner) elsewhere(v Variant) error {
	if r.Backend == nil || v.Arithmetic == Simulated || quant.IsFloat(v.Recipe) {
		return nil
	}
	return fmt.Errorf("bench: %s in integers on %s: expected %s arithmetic or the float model: the integer engine runs on this processor, leave the backend out", v.Recipe, r.Backend.Name(), Simulated)
}

// backend is the name of what computes float models, "" for this program's own code.
func (r *Runner) backend() string {
	if r.Backend == nil {
		return ""
	}
	return r.Backend.Name()
}

// computedBy puts the backend into a record that it has a part in.
func (r *Runner) computedBy(rec *record.Record, by []string) {
	if name := r.backend(); slices.Contains(by, name) {
		rec.Env.Backend = name
	}
}

// computed adds to a record's note what was computed by something else than this program's own code.
func computed(note, what string, by []string) string {
	if len(by) == 0 {
		return note
	}
	return strings.TrimPrefix(note+"; "+what+" by "+strings.Join(by, " and "), "; ")
}
