package bench

import (
	"context"
	"fmt"
	"path/filepath"
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

	Operators string `json:"operators,omitempty"` // a rival set of non-linear operators
	Clips     string `json:"clips,omitempty"`     // of the softmax by layer, in place of the spec's; none: the spec's
}

// answers is one variant on its way to a record.
type answers struct {
	variant Variant
	name    string
	spec    *quant.Spec // nil for the float model
	record  *record.Record
	found   *record.Record
	engine  *engine.Model
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
	for i, v := range req.Variants {
		if err := v.shipsAsIs("zero-shot tasks"); err != nil {
			return nil, &VariantError{i, err}
		}
		float = float || quant.IsFloat(v.Recipe)
	}
	ids, hash, questions, err := eval.Identify(asked)
	if err != nil {
		return nil, err
	}
	var rows []*answers
	for i, v := range req.Variants {
		cfg := zeroShotConfig{Task: "zero_shot", Protocol: "lm-eval", Model: e.Name, Source: source, Recipe: v.Recipe, Tasks: ids, Items: req.Items,
			Window: e.MaxContext(), Injected: e.Injected}
		p := &answers{variant: v, name: v.Recipe, record: &record.Record{Kind: record.Quality, Artefact: source, Corpus: hash, Seed: eval.ZeroShotSeed}}
		p.record.Axes = map[string]string{"model": e.Name, "recipe": v.Recipe, "corpus": "zeroshot", "questions": fmt.Sprint(questions)}
		if !quant.IsFloat(v.Recipe) {
			spec, err := quant.NewSpec(v.Recipe, v.Clip, v.Mode)
			if err != nil {
				return nil, &VariantError{i, err}
			}
			ops, err := Operators(spec, v.Operators)
			if err != nil {
				return nil, &VariantError{i, err}
			}
			if p.engine, err = e.IntegerWith(ctx, spec, ops); err != nil {
				return nil, &VariantError{i, err}
			}
			p.spec, p.name, cfg.Spec, cfg.Recipe, cfg.Base, cfg.Operators = &spec, spec.Recipe.Name, &spec, spec.Recipe.Name, float, v.Operators
			cfg.Clips, p.name = p.engine.Clips().String(), named(p.name, p.engine.Clips())
			p.record.Artefact, p.record.Semantics = p.engine.Artifact().ID, ptq.Semantics
			p.record.Axes["recipe"], p.record.Axes["clip"], p.record.Axes["mode"] = spec.Recipe.Name, spec.Clip.String(), string(spec.Mode)
			if v.Operators != "" {
				p.name += " " + v.Operators
				p.record.Axes["operators"] = v.Operators
			}
		}
		if p.record.Config, err = record.ConfigOf(cfg); err != nil {
			return nil, err
		}
		rows = append(rows, p)
	}
	return rows, nil
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

// answerOne scores one row on all tasks and files its record.
func (r *Runner) answerOne(ctx context.Context, e *catalog.Entry, req ZeroShotRequest, asked []eval.Asked, p, base *answers) error {
	var lm eval.LM
	if p.spec == nil {
		float, err := e.Float()
		if err != nil {
			return err
		}
		lm = float
	} else {
		scored := &engine.Scored{M: p.engine}
		defer scored.Close()
		lm = scored
	}
	model := map[string]any{"artefact": p.record.Artefact, "spec": p.spec, "semantics": p.record.Semantics}
	if p.variant.Operators != "" {
		model["operators"] = p.variant.Operators
	}
	key, err := record.Hash(model)
	if err != nil {
		return err
	}
	opt := eval.ChoiceOptions{Journal: filepath.Join(r.Store.Dir(), "journal"), Key: key}
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
	r.provenance(p.record)
	if err := r.Store.Append(p.record); err != nil {
		return err
	}
	p.found = p.record
	return nil
}
