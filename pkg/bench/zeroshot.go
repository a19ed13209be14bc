package bench

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/illm-go/illm/pkg/catalog"
	"github.com/illm-go/illm/pkg/engine"
	"github.com/illm-go/illm/pkg/eval"
	"github.com/illm-go/illm/pkg/eval/tasks"
	"github.com/illm-go/illm/pkg/ptq"
	"github.com/illm-go/illm/pkg/quant"
	"github.com/illm-go/illm/pkg/record"
)

// ZeroShotRequest asks for the variants' answers to the same questions.
type ZeroShotRequest struct {
	Model    string
	Tasks    []tasks.Task
	Items    int  // of each task; 0: all
	NoRecord bool // only answer, in the journal: a shard
	Variants []Variant
	// Progress is told of finished questions; nil: the runner's is.
	Progress func(variant string, p eval.ChoiceProgress)
}

// zeroShotConfig is the configuration that a record's key covers. Base tells that the paired differences from the float
// model are there.
type zeroShotConfig struct {
	Task     string            `json:"task"`
	Protocol string            `json:"protocol"`
	Model    string            `json:"model"`
	Source   string            `json:"source_sha256"`
	Spec     *quant.Spec       `json:"spec,omitempty"`
	Recipe   string            `json:"recipe"`
	Tasks    []eval.AskedID    `json:"tasks"`
	Items    int               `json:"items"`
	Window   int               `json:"window"`
	Base     bool              `json:"base"`
	Injected *catalog.Outliers `json:"injected,omitempty"`

	Operators  string `json:"operators,omitempty"`      // a rival set of non-linear operators
	Arithmetic string `json:"arithmetic,omitempty"`     // Simulated, or none for the engine
	Factors    string `json:"factors_sha256,omitempty"` // of a simulation; an artefact holds them otherwise
	Clips      string `json:"clips,omitempty"`          // of the softmax by layer, in place of the spec's; none: the spec's
}

// answers is one variant on its way to a record.
type answers struct {
	variant Variant
	name    string
	spec    *quant.Spec // nil for the float model
	record  *record.Record
	found   *record.Record
	engine  *engine.Model // nil for what is computed in float
	scores  []eval.TaskScore
}

// ZeroShot returns one record a variant, in their order, running those that have none. With the float model among the
// variants each other one gets its paired difference from it.
func (r *Runner) ZeroShot(ctx context.Context, req ZeroShotRequest) ([]*record.Record, error) {
	entry, err := r.open(ctx, req.Model)
	if err != nil {
		return nil, err
	}
	tok, err := entry.Tokenizer()
	if err != nil {
		return nil, err
	}
	asked, err := eval.Ask(ctx, req.Tasks, req.Items, tok, entry.MaxContext(), tasks.Options{})
	if err != nil {
		return nil, err
	}
	rows, err := r.zeroShotRows(ctx, entry, req, asked)
	if err != nil {
		return nil, err
	}
	missing, err := r.unanswered(req, rows)
	if err != nil {
		return nil, err
	}
	if len(missing) > 0 {
		release, _, err := r.claim(ctx, missing)
		if err != nil {
			return nil, err
		}
		defer release()
		if missing, err = r.unanswered(req, rows); err != nil {
			return nil, err
		}
	}
	if len(missing) > 0 {
		if err := r.answer(ctx, entry, req, asked, rows); err != nil {
			return nil, err
		}
	}
	out := make([]*record.Record, len(rows))
	for i, p := range rows {
		out[i] = p.found
	}
	return out, nil
}

// unanswered fills in the rows that have a record and returns the keys of the others.
func (r *Runner) unanswered(req ZeroShotRequest, rows []*answers) (keys []string, err error) {
	for _, p := range rows {
		key, err := p.record.ComputeKey()
		if err != nil {
			return nil, err
		}
		if old, ok := r.Store.Find(key); ok && !r.Force && !req.NoRecord {
			p.found = old
		} else {
			keys = append(keys, key)
		}
	}
	return keys, nil
}

// zeroShotRows prepares the records of the variants.
func (r *Runner) zeroShotRows(ctx context.Context, e *catalog.Entry, req ZeroShotRequest, asked []eval.Asked) ([]*answers, error) {
	source, err := e.Source()
	if err != nil {
		return nil, err
	}
	float := false
	list := make([]Variant, len(req.Variants))
	for i, v := range req.Variants {
		if list[i], err = v.settled(); err != nil {
			return nil, &VariantError{i, err}
		}
		asked := list[i]
		asked.Arithmetic = "" // a simulation answers too
		if err := errors.Join(asked.shipsAsIs("zero-shot tasks"), r.elsewhere(list[i])); err != nil {
			return nil, &VariantError{i, err}
		}
		float = float || quant.IsFloat(v.Recipe)
	}
	ids, hash, questions, err := eval.Identify(asked)
	if err != nil {
		return nil, err
	}
	var rows []*answers
	for i, v := range list {
		cfg := zeroShotConfig{Task: "zero_shot", Protocol: "lm-eval", Model: e.Name, Source: source, Recipe: v.Recipe, Tasks: ids, Items: req.Items,
			Window: e.MaxContext(), Injected: e.Injected}
		p := &answers{variant: v, name: v.Recipe, record: &record.Record{Kind: record.Quality, Artefact: source, Corpus: hash, Seed: eval.ZeroShotSeed}}
		p.record.Axes = map[string]string{"model": e.Name, "recipe": v.Recipe, "corpus": "zeroshot", "questions": fmt.Sprint(questions)}
		if !quant.IsFloat(v.Recipe) {
			if err := p.prepare(ctx, e, &cfg); err != nil {
				return nil, &VariantError{i, err}
			}
			cfg.Base = float
		}
		if p.record.Config, err = record.ConfigOf(cfg); err != nil {
			return nil, err
		}
		rows = append(rows, p)
	}
	return rows, nil
}

// prepare says in a quantised row's configuration and record what will answer, and opens the engine, whose artefact is
// part of the record; a simulation opens when its turn comes.
func (p *answers) prepare(ctx context.Context, e *catalog.Entry, cfg *zeroShotConfig) error {
	v := p.variant
	spec, err := quant.NewSpec(v.Recipe, v.Clip, v.Mode)
	if err != nil {
		return err
	}
	p.spec, p.name, p.record.Semantics = &spec, spec.Recipe.Name, ptq.Semantics
	cfg.Spec, cfg.Recipe, cfg.Operators, cfg.Arithmetic = &spec, spec.Recipe.Name, v.Operators, v.Arithmetic
	p.record.Axes["recipe"], p.record.Axes["clip"], p.record.Axes["mode"] = spec.Recipe.Name, spec.Clip.String(), string(spec.Mode)
	for _, part := range []struct{ axis, level string }{{"operators", v.Operators}, {"arithmetic", v.Arithmetic}} {
		if part.level != "" {
			p.name += " " + part.level
			p.record.Axes[part.axis] = part.level
		}
	}
	var clips quant.Clips
	if v.Arithmetic == Simulated {
		if err := e.Simulates(spec); err != nil {
			return err
		}
		if cfg.Factors, clips, err = simulated(e, spec, v.Kinds); err != nil {
			return err
		}
	} else {
		ops, err := Operators(spec, v.Operators)
		if err != nil {
			return err
		}
		if p.engine, err = e.IntegerWith(ctx, spec, ops); err != nil {
			return err
		}
		p.record.Artefact, clips = p.engine.Artifact().ID, p.engine.Clips()
	}
	cfg.Clips, p.name = clips.String(), named(p.name, clips)
	return nil
}

// model is what answers a row.
func (r *Runner) model(ctx context.Context, p *answers, e *catalog.Entry) (lm eval.LM, done func(), err error) {
	switch {
	case p.spec == nil:
		return r.float(e)
	case p.engine == nil:
		return r.simulation(ctx, e, *p.spec, "")
	}
	scored := &engine.Scored{M: p.engine}
	return scored, scored.Close, nil
}

// answer scores the rows without a record, the float model before them where they are compared with it.
func (r *Runner) answer(ctx context.Context, e *catalog.Entry, req ZeroShotRequest, asked []eval.Asked, rows []*answers) error {
	var base *answers
	for _, p := range rows {
		if p.spec == nil && base == nil {
			base = p
			if err := r.answerOne(ctx, e, req, asked, p, nil); err != nil {
				return err
			}
		}
	}
	for _, p := range rows {
		if p == base || p.found != nil {
			continue
		}
		if err := r.answerOne(ctx, e, req, asked, p, base); err != nil {
			return err
		}
	}
	return nil
}

// by lists what computed answers in place of this program's own code.
func by(scores []eval.TaskScore) (names []string) {
	for _, s := range scores {
		for _, name := range s.By {
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	return names
}

// answerOne scores one row on all tasks and files its record.
func (r *Runner) answerOne(ctx context.Context, e *catalog.Entry, req ZeroShotRequest, asked []eval.Asked, p, base *answers) error {
	lm, done, err := r.model(ctx, p, e)
	if err != nil {
		return fmt.Errorf("%s: %w", p.name, err)
	}
	defer done()
	model := map[string]any{"artefact": p.record.Artefact, "spec": p.spec, "semantics": p.record.Semantics}
	if p.variant.Operators != "" {
		model["operators"] = p.variant.Operators
	}
	if p.variant.Arithmetic != "" { // the model's source stands in for an artefact
		model["arithmetic"], model["factors_sha256"], model["injected"] = p.variant.Arithmetic, p.record.Config["factors_sha256"], e.Injected
	}
	key, err := record.Hash(model)
	if err != nil {
		return err
	}
	opt := eval.ChoiceOptions{Journal: filepath.Join(r.Store.Dir(), "journal"), Key: key, By: r.backend()}
	switch {
	case req.Progress != nil:
		opt.Progress = func(c eval.ChoiceProgress) { req.Progress(p.name, c) }
	case r.Progress != nil:
		opt.Progress = func(c eval.ChoiceProgress) {
			left := c.Took / time.Duration(max(c.Done-c.Reused, 1)) * time.Duration(c.Total-c.Done)
			r.Progress(Progress{What: p.name + " " + c.Task, Done: c.Done, Total: c.Total, Left: left})
		}
	}
	scores, took, err := eval.ZeroShot(ctx, lm, asked, opt)
	if err != nil {
		return fmt.Errorf("%s: %w", p.name, err)
	}
	if p.scores = scores; p.found != nil || req.NoRecord {
		return nil // it ran for the others' sake, or the journal's
	}
	var against []eval.TaskScore
	if base != nil && p.spec != nil {
		against = base.scores
	}
	if p.record.Metrics, err = eval.ZeroShotMetrics(scores, against); err != nil {
		return err
	}
	p.record.Note, p.record.WallS = eval.ZeroShotNote(scores), took.Seconds()
	p.record.Note = computed(p.record.Note, "answered", by(scores))
	p.record.Note = computed(p.record.Note, "the float model that it is compared with answered", by(against))
	r.provenance(p.record)
	r.computedBy(p.record, by(scores))
	if err := r.Store.Append(p.record); err != nil {
		return err
	}
	p.found = p.record
	return nil
}
