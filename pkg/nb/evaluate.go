package nb

import (
	"context"
	"fmt"
	"slices"

	"github.com/illm-go/illm/pkg/ablation"
	"github.com/illm-go/illm/pkg/bench"
	"github.com/illm-go/illm/pkg/catalog"
	"github.com/illm-go/illm/pkg/corpus"
	"github.com/illm-go/illm/pkg/engine"
	"github.com/illm-go/illm/pkg/eval"
	"github.com/illm-go/illm/pkg/ptq"
	"github.com/illm-go/illm/pkg/quant"
	"github.com/illm-go/illm/pkg/record"
)

// stored answers a study through package bench: every result is a record with
// its divergence from the float model.
type stored struct{ runner *bench.Runner }

// Stands accepts a record of the present integer semantics. A model given by its
// path may have changed under its name, so its weights are compared too; the
// catalogue's own models cannot.
func (e stored) Stands(ctx context.Context, c ablation.Config, r *record.Record) bool {
	if !quant.IsFloat(c["recipe"]) && r.Semantics != ptq.Semantics {
		return false
	}
	if slices.Contains(catalog.Names(), c["model"]) {
		return true
	}
	entry, err := e.runner.Entry(ctx, c["model"])
	if err != nil {
		return true // nothing to compare with; the record is all there is
	}
	source, err := entry.Source()
	return err != nil || fmt.Sprint(r.Config["source_sha256"]) == source
}

// Evaluate runs the batch against one pass of the float model.
func (e stored) Evaluate(ctx context.Context, configs []ablation.Config, done func(int, record.Record) error) error {
	if len(configs) == 0 {
		return nil
	}
	req, err := request(configs[0])
	if err != nil {
		return err
	}
	for _, c := range configs {
		req.Variants = append(req.Variants, variant(c))
	}
	records, err := e.runner.Quality(ctx, req)
	if err != nil {
		return err
	}
	for i, r := range records {
		if err := done(i, *r); err != nil {
			return err
		}
	}
	return nil
}

// shippedOnly takes shipped records and no others.
type shippedOnly struct{ stored }

func (e shippedOnly) Stands(ctx context.Context, c ablation.Config, r *record.Record) bool {
	return r.Shipped && e.stored.Stands(ctx, c, r)
}

func variant(c ablation.Config) bench.Variant {
	return bench.Variant{Recipe: c["recipe"], Clip: c["clip"], Mode: c["mode"]}
}

// request turns what a batch shares into bench's form.
func request(c ablation.Config) (bench.QualityRequest, error) {
	req := bench.QualityRequest{Model: c["model"], Corpus: c["corpus"]}
	for name, at := range map[string]*int{"window": &req.Window, "windows": &req.Windows, "first": &req.First} {
		if c[name] == "" {
			continue
		}
		n, err := c.Int(name)
		if err != nil {
			return req, err
		}
		*at = n
	}
	return req, nil
}

// live scores the integer engine alone on windows of a text: no float model, no
// journal, no record.
type live struct{ runner *bench.Runner }

// Stands is not asked: live results are compared with records, not replaced by them.
func (e *live) Stands(context.Context, ablation.Config, *record.Record) bool { return false }

// Evaluate runs one configuration after the other.
func (e *live) Evaluate(ctx context.Context, configs []ablation.Config, done func(int, record.Record) error) error {
	for i, c := range configs {
		req, err := request(c)
		if err != nil {
			return err
		}
		entry, ids, err := tokens(ctx, e.runner, req.Model, req.Corpus)
		if err != nil {
			return err
		}
		spec, err := quant.NewSpec(c["recipe"], c["clip"], c["mode"])
		if err != nil {
			return err
		}
		m, err := entry.Integer(ctx, spec)
		if err != nil {
			return err
		}
		scored := &engine.Scored{M: m}
		rep, err := eval.Run(ctx, nil, []eval.Variant{{Name: c["recipe"] + " clip " + c["clip"], LM: scored}}, ids,
			eval.Options{Window: req.Window, First: req.First, Windows: req.Windows, Progress: func(p eval.Progress) {
				progressLine(bench.Progress{What: p.Model, Done: i*req.Windows + p.Done, Total: len(configs) * req.Windows})
			}})
		scored.Close()
		if err != nil {
			return err
		}
		r := c.Record()
		r.Artefact, r.Semantics = m.Artifact().ID, ptq.Semantics
		r.Metrics = rep.Results[0].Summary.Metrics(eval.Coverage{})
		r.Windows = rep.Results[0].Stats
		r.WallS = rep.Results[0].Wall.Seconds()
		if err := done(i, r); err != nil {
			return err
		}
	}
	return nil
}

// tokens opens the model and cuts a text with its tokenizer.
func tokens(ctx context.Context, runner *bench.Runner, model, text string) (*catalog.Entry, []int32, error) {
	entry, err := runner.Entry(ctx, model)
	if err != nil {
		return nil, nil, err
	}
	t, err := corpus.Load(ctx, text)
	if err != nil {
		return nil, nil, err
	}
	ids, err := entry.Encode(string(t.Bytes))
	return entry, ids, err
}
