package nb

import (
	"fmt"
	"strings"
	"time"

	"github.com/illm-go/illm/pkg/ablation"
	"github.com/illm-go/illm/pkg/chart"
	"github.com/illm-go/illm/pkg/di"
	"github.com/illm-go/illm/pkg/engine"
	"github.com/illm-go/illm/pkg/quant"
)

// Scores runs the model in integers over the first n tokens of a text and returns
// how its attention scores lie below their row's maximum.
func (s *Session) Scores(model, recipe, text string, n int) (*ablation.Scores, error) {
	if s.err != nil {
		return nil, s.err
	}
	ctx, stop := interruptible()
	defer stop()
	entry, ids, err := tokens(ctx, s.runner, model, text)
	if err != nil {
		return nil, err
	}
	if n < 2 || n > min(len(ids), entry.MaxContext()) {
		return nil, fmt.Errorf("nb: scores over %d tokens of %s: expected 2 to %d", n, text, min(len(ids), entry.MaxContext()))
	}
	spec, err := quant.NewSpec(recipe, "none", "")
	if err != nil {
		return nil, err
	}
	m, err := entry.Integer(ctx, spec)
	if err != nil {
		return nil, err
	}
	scores := ablation.NewScores(di.Integer(spec), 0)
	watched, err := engine.New(m.Artifact(), engine.Options{Spec: &spec, Operators: scores, Threads: threads()})
	if err != nil {
		return nil, err
	}
	run, err := watched.NewSession(n)
	if err != nil {
		return nil, err
	}
	defer run.Close()
	if err := run.Append(ctx, ids[:n]); err != nil {
		return nil, err
	}
	return scores, nil
}

// Answer is one model's continuation of a prompt.
type Answer struct {
	Recipe  string
	Text    string
	IDs     []int32
	Prompt  int // tokens
	Prefill time.Duration
	Decode  time.Duration
}

// Complete continues a prompt greedily by n tokens with one recipe; "fp32" is the
// float model.
func (s *Session) Complete(model, recipe, prompt string, n int) (Answer, error) {
	a := Answer{Recipe: recipe}
	if s.err != nil {
		return a, s.err
	}
	if n < 1 || n > 4096 {
		return a, fmt.Errorf("nb: complete: expected 1 to 4096 tokens, found %d", n)
	}
	ctx, stop := interruptible()
	defer stop()
	entry, err := s.runner.Entry(ctx, model)
	if err != nil {
		return a, err
	}
	ids, err := entry.Encode(prompt)
	if err != nil {
		return a, err
	}
	if len(ids) == 0 || len(ids)+n > entry.MaxContext() {
		return a, fmt.Errorf("nb: complete: prompt of %d tokens and %d more: expected at least one token and at most the context of %d", len(ids), n, entry.MaxContext())
	}
	a.Prompt = len(ids)
	var next func(tokens []int32) (int32, error)
	if quant.IsFloat(recipe) {
		m, err := entry.Float()
		if err != nil {
			return a, err
		}
		run, err := m.NewSession(len(ids) + n)
		if err != nil {
			return a, err
		}
		next = func(tokens []int32) (int32, error) {
			logits, err := run.Append(tokens)
			return argmax(logits), err
		}
	} else {
		spec, err := quant.NewSpec(recipe, "", "")
		if err != nil {
			return a, err
		}
		m, err := entry.Integer(ctx, spec)
		if err != nil {
			return a, err
		}
		run, err := m.NewSession(len(ids) + n)
		if err != nil {
			return a, err
		}
		defer run.Close()
		next = func(tokens []int32) (int32, error) {
			logits, err := run.AppendLast(ctx, tokens)
			return int32(di.Argmax(logits.T)), err
		}
	}
	tok, err := entry.Tokenizer()
	if err != nil {
		return a, err
	}
	start := time.Now()
	id, err := next(ids)
	a.Prefill = time.Since(start)
	start = time.Now()
	for err == nil {
		a.IDs = append(a.IDs, id)
		if len(a.IDs) == n {
			break
		}
		id, err = next([]int32{id})
	}
	a.Decode = time.Since(start)
	a.Text = string(tok.Decode(a.IDs))
	return a, err
}

func argmax(x []float32) int32 {
	best := 0
	for i, v := range x {
		if v > x[best] {
			best = i
		}
	}
	return int32(best)
}

// SideBySide continues the prompt with each recipe and shows the answers next to
// each other, with speeds and the number of leading tokens equal to the first
// recipe's.
func (s *Session) SideBySide(model, prompt string, n int, recipes ...string) error {
	g := chart.Grid{Left: 2, Head: []string{"model", "continuation", "tokens as " + strings.Join(recipes[:min(1, len(recipes))], ""), "prefill tok/s", "decode tok/s"}}
	var first []int32
	for _, recipe := range recipes {
		a, err := s.Complete(model, recipe, prompt, n)
		if err != nil {
			return err
		}
		if first == nil {
			first = a.IDs
		}
		same := 0
		for same < len(a.IDs) && same < len(first) && a.IDs[same] == first[same] {
			same++
		}
		rate := func(tokens int, d time.Duration) string {
			if tokens == 0 || d <= 0 {
				return "–"
			}
			return fmt.Sprintf("%.0f", float64(tokens)/d.Seconds())
		}
		g.Rows = append(g.Rows, []string{recipe, strings.Join(strings.Fields(a.Text), " "), fmt.Sprintf("%d of %d", same, len(a.IDs)), rate(a.Prompt, a.Prefill), rate(len(a.IDs)-1, a.Decode)})
	}
	Show(g)
	return nil
}
