package bench_test

import (
	"strings"
	"testing"

	"github.com/illm-go/illm/pkg/baseline/fakequant"
	"github.com/illm-go/illm/pkg/bench"
	"github.com/illm-go/illm/pkg/eval"
	"github.com/illm-go/illm/pkg/floatref"
	"github.com/illm-go/illm/pkg/model"
	"github.com/illm-go/illm/pkg/model/modeltest"
)

// elsewhere is a backend that computes float models with package floatref and counts what it was given and gave back.
type elsewhere struct{ floats, plans, given int }

func (e *elsewhere) Name() string { return "elsewhere" }

func (e *elsewhere) Float(cfg model.Config, w floatref.Source) (eval.LM, func(), error) {
	e.floats++
	m, err := floatref.NewFrom(cfg, w, floatref.Options{Threads: 1})
	return m, func() { e.given++ }, err
}

func (e *elsewhere) Simulation(p *fakequant.Plan) (eval.LM, func(), error) {
	e.plans++
	m, err := floatref.NewFrom(p.Config, p.Weights, floatref.Options{Threads: 1}) // its weights alone
	return m, func() { e.given++ }, err
}

// Float models go to the backend, which records name; keys are those of this program's own code, so that either finds what
// the other has finished. Integers are refused.
func TestBackend(t *testing.T) {
	t.Setenv("ILLM_CACHE", t.TempDir())
	t.Setenv("ILLM_DATA", t.TempDir())
	req := bench.QualityRequest{Model: modeltest.Tiny(t), Corpus: text(t), Window: 64, Windows: 2, Variants: []bench.Variant{
		{Recipe: "fp32"}, {Recipe: "w8a8", Arithmetic: bench.Simulated}}}
	own, err := runner(t, t.TempDir()).Quality(ctx, req)
	if err != nil {
		t.Fatal(err)
	}
	b := &elsewhere{}
	r := runner(t, t.TempDir())
	r.Backend = b
	list, err := r.Quality(ctx, req)
	if err != nil {
		t.Fatal(err)
	}
	if b.floats != 1 || b.plans != 1 || b.given != 2 {
		t.Errorf("%d float models and %d plans went to the backend, %d came back: want 1, 1 and both", b.floats, b.plans, b.given)
	}
	for i, rec := range list {
		if rec.Env.Backend != "elsewhere" || own[i].Env.Backend != "" {
			t.Errorf("%v: by %q, want elsewhere; without a backend by %q, want nothing", rec.Axes, rec.Env.Backend, own[i].Env.Backend)
		}
		if rec.Note != "windows computed by elsewhere" || own[i].Note != "" {
			t.Errorf("%v: note %q, without a backend %q", rec.Axes, rec.Note, own[i].Note)
		}
		if rec.Key != own[i].Key {
			t.Errorf("%v: another key than without a backend", rec.Axes)
		}
	}
	// what a backend has finished is not computed again, and the record still says so
	r.Backend, r.Force = nil, true
	if list, err = r.Quality(ctx, req); err != nil {
		t.Fatal(err)
	}
	for _, rec := range list {
		if rec.Note != "windows computed by elsewhere" || rec.Env.Backend != "" {
			t.Errorf("%v: finished windows give the note %q, backend %q", rec.Axes, rec.Note, rec.Env.Backend)
		}
	}
	r.Backend, r.Force = b, false
	for i, v := range []bench.Variant{{Recipe: "w8a8"}, {Recipe: "w4a4", Clip: "none of these", Arithmetic: bench.Simulated}} {
		plans := b.plans
		req.Variants = []bench.Variant{{Recipe: "w4a4", Arithmetic: bench.Simulated}, v}
		if _, err := r.Quality(ctx, req); err == nil || b.given != b.floats+b.plans || i == 0 && b.plans != plans {
			t.Errorf("a variant that cannot be (%v): %d float models and %d plans went to the backend, %d came back, error %v", v, b.floats, b.plans, b.given, err)
		}
	}
	if _, err := r.Speed(ctx, bench.SpeedRequest{Model: req.Model}); err == nil {
		t.Error("times of this program's own code were taken under a backend")
	}
	req.Variants = []bench.Variant{{Recipe: "w8a8"}}
	if _, err := r.Quality(ctx, req); err == nil || !strings.Contains(err.Error(), "in integers on elsewhere") {
		t.Errorf("the integer engine on a backend: error %v", err)
	}
}
