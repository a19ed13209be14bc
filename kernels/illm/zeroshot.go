package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/illm-go/illm/pkg/bench"
	"github.com/illm-go/illm/pkg/eval"
	"github.com/illm-go/illm/pkg/eval/tasks"
	"github.com/illm-go/illm/pkg/quant"
	"github.com/illm-go/illm/pkg/record"
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
	var variants []bench.Variant
	for _, recipe := range list(s.recipe) {
		variants = append(variants, bench.Variant{Recipe: recipe, Clip: s.clip, Mode: s.mode, Operators: s.operators, Arithmetic: s.arithmetic})
	}
	r.Force = z.force
	recs, err := r.ZeroShot(ctx, bench.ZeroShotRequest{Model: s.model, Tasks: chosen, Items: z.items, Variants: variants, Progress: a.questionDone()})
	if err != nil {
		return asUsage(err)
	}
	return a.showZeroShot(chosen, recs)
}

// questionDone returns a function that writes a line of progress every few seconds and behind the last question of a task.
func (a *app) questionDone() func(string, eval.ChoiceProgress) {
	last := time.Now()
	return func(recipe string, p eval.ChoiceProgress) {
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
func (a *app) showZeroShot(list []tasks.Task, recs []*record.Record) error {
	var metrics []string
	for _, t := range list {
		metrics = append(metrics, "acc_"+t.Name)
		if t.Normed {
			metrics = append(metrics, "acc_norm_"+t.Name)
		}
	}
	if err := a.show(recs, []string{"model", "recipe", "clip", "questions"}, append(metrics, "zero_shot_mean", "zero_shot_diff")); err != nil {
		return err
	}
	for _, r := range recs {
		if r.Note != "" {
			a.printf("%s: %s\n", r.Axes["recipe"], r.Note)
		}
	}
	return nil
}
