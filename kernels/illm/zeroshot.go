package main

import (
	"context"
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/illm-go/illm/pkg/catalog"
	"github.com/illm-go/illm/pkg/engine"
	"github.com/illm-go/illm/pkg/eval"
	"github.com/illm-go/illm/pkg/eval/tasks"
	"github.com/illm-go/illm/pkg/ptq"
	"github.com/illm-go/illm/pkg/quant"
	"github.com/illm-go/illm/pkg/record"
	"github.com/illm-go/illm/pkg/simd/cpu"
)

const zeroShotLong = `
With --tasks eval scores multiple-choice questions instead, without examples before
them, by the prompts of lm-evaluation-harness: the choice with the largest log
probability counts as the answer (acc), or the largest per character (acc_norm).
--items picks that many of each task, the same for every model and recipe; with fp32
among the recipes each other one gets its paired difference from it. Tasks: all, or
some of `

// zeroShot is what the flags of eval ask of the tasks.
type zeroShot struct {
	tasks string
	items int
	force bool
}

func (z *zeroShot) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&z.tasks, "tasks", "", "zero-shot tasks instead of a text: all, or some of "+strings.Join(tasks.Names(), ","))
	f.IntVar(&z.items, "items", 0, "items of each task; 0: all")
}

// check refuses flags that contradict one another.
func (z *zeroShot) check(cmd *cobra.Command) error {
	if z.tasks == "" {
		if cmd.Flags().Changed("items") {
			return usageError(fmt.Errorf("eval: --items counts the items of zero-shot tasks: name them with --tasks"))
		}
		return nil
	}
	for _, name := range []string{"corpus", "window", "first", "windows", "no-kl"} {
		if cmd.Flags().Changed(name) {
			return usageError(fmt.Errorf("eval: --%s belongs to texts: leave it out with --tasks", name))
		}
	}
	if z.items < 0 {
		return usageError(fmt.Errorf("eval: --items %d: expected 0 for all, or a number from 1", z.items))
	}
	return nil
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
	Window   int               `json:"window"`
	Base     bool              `json:"base"`
	Injected *catalog.Outliers `json:"injected,omitempty"`
}

// row is one recipe on its way to a record.
type row struct {
	name   string
	spec   *quant.Spec // nil for the float model
	record *record.Record
	found  *record.Record
	engine *engine.Model
	scores []eval.TaskScore
}

// zeroShot scores the recipes on the tasks and shows their records.
func (a *app) zeroShot(ctx context.Context, s *settings, z *zeroShot) error {
	chosen, err := tasks.Find(z.tasks)
	if err != nil {
		return usageError(err)
	}
	for _, recipe := range list(s.recipe) {
		if !quant.IsFloat(recipe) {
			if _, err := s.spec(recipe); err != nil {
				return err
			}
		}
	}
	r, err := a.runner(s)
	if err != nil {
		return err
	}
	defer r.Close()
	entry, err := r.Entry(ctx, s.model)
	if err != nil {
		return asUsage(err)
	}
	tok, err := entry.Tokenizer()
	if err != nil {
		return err
	}
	asked, err := eval.Ask(ctx, chosen, z.items, tok, entry.MaxContext(), tasks.Options{})
	if err != nil {
		return err
	}
	rows, err := zeroShotRows(ctx, s, entry, asked)
	if err != nil {
		return err
	}
	missing := false
	for _, row := range rows {
		key, err := row.record.ComputeKey()
		if err != nil {
			return err
		}
		if old, ok := r.Store.Find(key); ok && !z.force {
			row.found = old
		} else {
			missing = true
		}
	}
	if missing {
		if err := a.runRows(ctx, s, entry, r.Store, asked, rows); err != nil {
			return err
		}
	}
	return a.showZeroShot(chosen, rows)
}

// zeroShotRows prepares the records of the recipes, in their order.
func zeroShotRows(ctx context.Context, s *settings, e *catalog.Entry, asked []eval.Asked) ([]*row, error) {
	source, err := e.Source()
	if err != nil {
		return nil, err
	}
	recipes := list(s.recipe)
	float := false
	for _, name := range recipes {
		float = float || quant.IsFloat(name)
	}
	ids, hash, questions, err := eval.Identify(asked)
	if err != nil {
		return nil, err
	}
	var rows []*row
	for _, name := range recipes {
		cfg := zeroShotConfig{Task: "zero_shot", Protocol: "lm-eval", Model: e.Name, Source: source, Recipe: name, Tasks: ids, Window: e.MaxContext(), Injected: e.Injected}
		p := &row{name: name, record: &record.Record{Kind: record.Quality, Artefact: source, Corpus: hash, Seed: eval.ZeroShotSeed}}
		p.record.Axes = map[string]string{"model": e.Name, "recipe": name, "items": fmt.Sprint(questions)}
		if !quant.IsFloat(name) {
			spec, err := s.spec(name)
			if err != nil {
				return nil, err
			}
			if p.engine, err = e.Integer(ctx, spec); err != nil {
				return nil, err
			}
			p.spec, p.name, cfg.Spec, cfg.Recipe, cfg.Base = &spec, spec.Recipe.Name, &spec, spec.Recipe.Name, float
			p.record.Artefact, p.record.Semantics = p.engine.Artifact().ID, ptq.Semantics
			p.record.Axes["recipe"], p.record.Axes["clip"], p.record.Axes["mode"] = spec.Recipe.Name, spec.Clip.String(), string(spec.Mode)
		}
		if p.record.Config, err = record.ConfigOf(cfg); err != nil {
			return nil, err
		}
		rows = append(rows, p)
	}
	return rows, nil
}

// modelKey identifies a row's model for the journal of finished questions.
func (p *row) modelKey() (string, error) {
	return record.Hash(map[string]any{"artefact": p.record.Artefact, "spec": p.spec, "semantics": p.record.Semantics})
}

// runRows scores the rows without a record, the float model before them where they are compared with it.
func (a *app) runRows(ctx context.Context, s *settings, e *catalog.Entry, store *record.Store, asked []eval.Asked, rows []*row) error {
	var base *row
	for _, p := range rows {
		if p.spec == nil && base == nil {
			base = p
			if err := a.runRow(ctx, e, store, asked, p, nil, s.threads); err != nil {
				return err
			}
		}
	}
	for _, p := range rows {
		if p == base || p.found != nil {
			continue
		}
		if err := a.runRow(ctx, e, store, asked, p, base, s.threads); err != nil {
			return err
		}
	}
	return nil
}

// runRow scores one row on all tasks and files its record.
func (a *app) runRow(ctx context.Context, e *catalog.Entry, store *record.Store, asked []eval.Asked, p, base *row, threads int) error {
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
	key, err := p.modelKey()
	if err != nil {
		return err
	}
	scores, took, err := eval.ZeroShot(ctx, lm, asked, eval.ChoiceOptions{Journal: filepath.Join(store.Dir(), "journal"), Key: key, Progress: a.questionDone(p.name)})
	if err != nil {
		return fmt.Errorf("%s: %w", p.name, err)
	}
	if p.scores = scores; p.found != nil {
		return nil // it ran for the others' sake
	}
	var against []eval.TaskScore
	if base != nil && p.spec != nil {
		against = base.scores
	}
	if p.record.Metrics, err = eval.ZeroShotMetrics(scores, against); err != nil {
		return err
	}
	p.record.Note, p.record.WallS = eval.ZeroShotNote(scores), took.Seconds()
	p.record.Env = record.Environment()
	if p.record.Env.Threads = threads; threads == 0 {
		p.record.Env.Threads = runtime.GOMAXPROCS(0)
	}
	p.record.Env.Paths = []string{cpu.Active()}
	_, file, _, _ := runtime.Caller(0)
	p.record.Commit, p.record.Dirty = record.Revision(filepath.Dir(file))
	if err := store.Append(p.record); err != nil {
		return err
	}
	p.found = p.record
	return nil
}

// questionDone returns a function that writes a line of progress every few seconds and behind the last question of a task.
func (a *app) questionDone(recipe string) func(eval.ChoiceProgress) {
	last := time.Now()
	return func(p eval.ChoiceProgress) {
		ran := p.Done - p.Reused
		if p.Done < p.Total && time.Since(last) < 5*time.Second || ran == 0 {
			return
		}
		last = time.Now()
		each := p.Took / time.Duration(ran)
		left := time.Duration(p.Total-p.Done) * each
		a.logf("  %s, %s: %d/%d, %.1f ms an item, %s left", recipe, p.Task, p.Done, p.Total, each.Seconds()*1e3, left.Round(time.Second))
	}
}

// showZeroShot prints one row a recipe, and what the numbers cannot tell.
func (a *app) showZeroShot(list []tasks.Task, rows []*row) error {
	var recs []*record.Record
	for _, p := range rows {
		recs = append(recs, p.found)
	}
	var metrics []string
	for _, t := range list {
		metrics = append(metrics, "acc_"+t.Name)
		if t.Normed {
			metrics = append(metrics, "acc_norm_"+t.Name)
		}
	}
	if err := a.show(recs, []string{"model", "recipe", "clip", "items"}, append(metrics, "zero_shot_mean", "zero_shot_diff")); err != nil {
		return err
	}
	for _, r := range recs {
		if r.Note != "" {
			a.printf("%s: %s\n", r.Axes["recipe"], r.Note)
		}
	}
	return nil
}
