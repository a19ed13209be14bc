package eval

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/illm-go/illm/pkg/eval/tasks"
)

// Brancher is an LM that can run several continuations of one context without running the context again. The logits must
// be the bits that Logits gives for the whole sequence.
type Brancher interface {
	LM

	// Branch runs prefix from an empty cache and each of tails behind it, and calls fn for every position of a tail with
	// the tail's number, the position counted from the tail's first token, and the logits behind that token. What Logits
	// says of fn holds here; the tails follow one another. The prefix may be empty, no tail is.
	Branch(ctx context.Context, prefix []int32, tails [][]int32, fn func(tail, pos int, logits []float32) error) error
}

// Chooser is an LM that scores many questions at a time, where that is faster than one after the other.
type Chooser interface {
	LM

	// Choose calls done once for each question, in any order and from one goroutine, with its number in the list and
	// Σ ln p(continuation | context) of each choice. An error of done ends the run and is returned.
	Choose(ctx context.Context, questions []tasks.Question, done func(i int, ll []float64) error) error
}

// Answer is a model's scores on one question.
type Answer struct {
	Row int       // of the item in its file
	LL  []float64 // Σ ln p(continuation | context), one a choice
	By  string    // what computed it, as ChoiceOptions.By
}

// ChoiceOptions of Choose; the zero value keeps no journal.
type ChoiceOptions struct {
	Journal string // folder for finished questions; "": none
	Key     string // identifies the model as Variant.Key does; "": not journalled
	By      string // what computes in place of this program's own code, kept with every answer; "": nothing does

	// Progress is told of each finished question, from one goroutine.
	Progress func(ChoiceProgress)
}

// ChoiceProgress is one step of Choose.
type ChoiceProgress struct {
	Task        string // where ZeroShot reports
	Done, Total int
	Reused      int           // of Done, read from the journal
	Took        time.Duration // by the questions that were run
}

// Choose scores the choices of questions with lm.
//
// Choices that read the same tokens are one pass, and so are those that read the beginning of what another one reads: a
// position's logits depend on the tokens up to it alone. A Brancher runs the tokens that all passes of a question begin
// with once. Neither changes a bit of the scores where the model keeps its promise. A Chooser does all of it its own way.
//
// Finished questions are kept in the journal at least once a second and whenever Choose returns, so an interrupted run loses
// nothing that was finished; the journal knows questions by their tokens, so that runs on parts of a task share it.
//
// Errors: a token outside the vocabulary, a choice without context or target, logits that are not finite, a model that
// leaves a position out.
func Choose(ctx context.Context, lm LM, questions []tasks.Question, opt ChoiceOptions) ([]Answer, error) {
	for _, q := range questions {
		if err := checkQuestion(q, lm.Vocab()); err != nil {
			return nil, fmt.Errorf("eval: question %d: %w", q.Row, err)
		}
	}
	j, err := openChoiceJournal(opt)
	if err != nil {
		return nil, err
	}
	out, err := choose(ctx, lm, questions, j, opt.Progress)
	if err := errors.Join(err, j.flush()); err != nil {
		return nil, err
	}
	return out, nil
}

func choose(ctx context.Context, lm LM, questions []tasks.Question, j *choiceJournal, progress func(ChoiceProgress)) ([]Answer, error) {
	out := make([]Answer, len(questions))
	p := ChoiceProgress{Total: len(questions)}
	step := func() {
		if p.Done++; progress != nil {
			progress(p)
		}
	}
	many, batched := lm.(Chooser)
	var todo []int
	for i, q := range questions {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("eval: question %d: %w", q.Row, err)
		}
		hash := hashQuestion(q)
		if a, ok := j.old[hash]; ok && len(a.LL) == len(q.Choices) {
			out[i] = Answer{q.Row, a.LL, a.By}
			p.Reused++
			step()
			continue
		}
		if batched {
			todo = append(todo, i)
			continue
		}
		start := time.Now()
		ll, err := scoreQuestion(ctx, lm, q)
		if err != nil {
			return nil, fmt.Errorf("eval: question %d: %w", q.Row, err)
		}
		out[i] = Answer{q.Row, ll, j.by}
		p.Took += time.Since(start)
		if err := j.add(hash, q.Row, ll); err != nil {
			return nil, err
		}
		step()
	}
	if len(todo) == 0 {
		return out, nil
	}
	rest := make([]tasks.Question, len(todo))
	for k, i := range todo {
		rest[k] = questions[i]
	}
	start := time.Now()
	err := chooseMany(ctx, many, rest, func(k int, ll []float64) error {
		out[todo[k]] = Answer{rest[k].Row, ll, j.by}
		p.Took = time.Since(start)
		if err := j.add(hashQuestion(rest[k]), rest[k].Row, ll); err != nil {
			return err
		}
		step()
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("eval: %w", err)
	}
	return out, nil
}

// chooseMany holds a Chooser to its promise: done gets each question once, with Σ ln p of all its choices.
func chooseMany(ctx context.Context, lm Chooser, questions []tasks.Question, done func(i int, ll []float64) error) error {
	seen, left := make([]bool, len(questions)), len(questions)
	err := lm.Choose(ctx, questions, func(i int, ll []float64) error {
		if i < 0 || i >= len(questions) || seen[i] || len(ll) != len(questions[i].Choices) {
			return fmt.Errorf("expected each of %d questions once with its choices, found number %d with %d", len(questions), i, len(ll))
		}
		if !plausible(ll) {
			return fmt.Errorf("question %d: expected logarithms of probabilities, found %v", questions[i].Row, ll)
		}
		seen[i] = true
		left--
		return done(i, ll)
	})
	if err == nil && left > 0 {
		err = fmt.Errorf("expected answers to %d questions, found %d", len(questions), len(questions)-left)
	}
	return err
}

func checkQuestion(q tasks.Question, vocab int) error {
	if len(q.Choices) < 2 || q.Gold < 0 || q.Gold >= len(q.Choices) {
		return fmt.Errorf("expected at least 2 choices and the right one among them, found %d and number %d", len(q.Choices), q.Gold)
	}
	for j, c := range q.Choices {
		if len(c.Target) == 0 || len(c.Target) > len(c.Input) {
			return fmt.Errorf("choice %d: expected a target of 1 to %d tokens, found %d", j, len(c.Input), len(c.Target))
		}
		for _, list := range [2][]int32{c.Input, c.Target} {
			for _, t := range list {
				if t < 0 || int(t) >= vocab {
					return fmt.Errorf("choice %d: expected token ids below %d, found %d: the text was cut by another tokenizer", j, vocab, t)
				}
			}
		}
	}
	return nil
}
