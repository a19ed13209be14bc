package eval

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/illm-go/illm/pkg/eval/tasks"
	"github.com/illm-go/illm/pkg/record"
)

// ZeroShotSeed chooses the items where not all are scored, so that every row of every table has the same.
const ZeroShotSeed = 1

// GridItems is the number of items a task in studies with many rows; final tables take all.
const GridItems = 500

// Asked is the questions of one task, for models of one tokenizer and one window.
type Asked struct {
	Task      tasks.Task
	Questions []tasks.Question
}

// Ask loads tasks and turns the chosen items of each (0: all) into tokens.
func Ask(ctx context.Context, list []tasks.Task, items int, enc tasks.Encoder, window int, opt tasks.Options) ([]Asked, error) {
	var out []Asked
	for _, t := range list {
		set, err := tasks.Load(ctx, t, opt)
		if err != nil {
			return nil, err
		}
		q, err := tasks.Encode(set.Choose(items, ZeroShotSeed), enc, window)
		if err != nil {
			return nil, fmt.Errorf("eval: %s: %w", t.Name, err)
		}
		out = append(out, Asked{t, q})
	}
	return out, nil
}

// AskedID is what of the questions belongs to the configuration of a record.
type AskedID struct {
	Name    string `json:"name"`
	Version int    `json:"version"`
	SHA256  string `json:"sha256"`
	Items   int    `json:"items"` // chosen of them
}

// Identify describes the questions for a record: a list for its configuration, the hash of the list for its corpus, the
// number of questions in all.
func Identify(asked []Asked) (ids []AskedID, hash string, questions int, err error) {
	for _, a := range asked {
		ids = append(ids, AskedID{a.Task.Name, a.Task.Version, a.Task.SHA256, len(a.Questions)})
		questions += len(a.Questions)
	}
	hash, err = record.Hash(ids)
	return ids, hash, questions, err
}

// ZeroShot scores lm on the questions of each task. took is the time spent on questions that were not in the journal.
func ZeroShot(ctx context.Context, lm LM, asked []Asked, opt ChoiceOptions) (scores []TaskScore, took time.Duration, err error) {
	for _, a := range asked {
		var spent time.Duration
		each := opt
		each.Progress = func(p ChoiceProgress) {
			spent, p.Task = p.Took, a.Task.Name
			if opt.Progress != nil {
				opt.Progress(p)
			}
		}
		answers, err := Choose(ctx, lm, a.Questions, each)
		took += spent
		if err != nil {
			return nil, took, fmt.Errorf("%s: %w", a.Task.Name, err)
		}
		s, err := ScoreTask(a.Task.Name, a.Questions, answers, a.Task.Normed)
		if err != nil {
			return nil, took, err
		}
		scores = append(scores, s)
	}
	return scores, took, nil
}

// ZeroShotNote says which tasks tell nothing of the model (TaskScore.AtChance, TaskScore.Blind), with their acc and in brackets
// what guessing or a constant answer reaches; "" for none.
func ZeroShotNote(scores []TaskScore) string {
	var chance, blind, notes []string
	for _, s := range scores {
		switch {
		case s.AtChance():
			chance = append(chance, fmt.Sprintf("%s %.3f (%.3f)", s.Task, s.Acc, s.Chance))
		case s.Blind():
			blind = append(blind, fmt.Sprintf("%s %.3f (%.3f)", s.Task, s.Acc, s.Constant))
		}
	}
	if len(chance) > 0 {
		notes = append(notes, "at chance, not told from guessing by a binomial test at 5 %: "+strings.Join(chance, ", "))
	}
	if len(blind) > 0 {
		notes = append(notes, "no better than a constant answer: "+strings.Join(blind, ", "))
	}
	return strings.Join(notes, "; ")
}
