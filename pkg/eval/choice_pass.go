package eval

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sync/atomic"

	"github.com/illm-go/illm/pkg/eval/tasks"
)

// pass is one run of the model for all choices that read its tokens or the beginning of them.
type pass struct {
	tokens []int32
	from   int // first position whose logits are needed
	parts  []part
}

// part is a choice scored within a pass: the logits behind position first+i score target[i], whose ln p goes to ll[i].
type part struct {
	choice, first int
	target        []int32
	ll            []float64
	seen          []atomic.Bool
}

// plan cuts a question into passes: the longest inputs first, every other input that begins one of them joins it.
func plan(q tasks.Question) []*pass {
	order := make([]int, len(q.Choices))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return len(q.Choices[b].Input) - len(q.Choices[a].Input) })
	var passes []*pass
	for _, i := range order {
		c := q.Choices[i]
		first := len(c.Input) - len(c.Target)
		at := slices.IndexFunc(passes, func(p *pass) bool { return slices.Equal(p.tokens[:len(c.Input)], c.Input) })
		if at < 0 {
			at = len(passes)
			passes = append(passes, &pass{tokens: c.Input, from: first})
		}
		p := passes[at]
		p.from = min(p.from, first)
		p.parts = append(p.parts, part{i, first, c.Target, make([]float64, len(c.Target)), make([]atomic.Bool, len(c.Target))})
	}
	return passes
}

// shared is the number of tokens that all passes begin with and whose logits none needs.
func shared(passes []*pass) int {
	n := passes[0].from
	for _, p := range passes[1:] {
		n = min(n, p.from)
		for i := range n {
			if p.tokens[i] != passes[0].tokens[i] {
				n = i
				break
			}
		}
	}
	return n
}

// scoreQuestion returns Σ ln p of each choice.
func scoreQuestion(ctx context.Context, lm LM, q tasks.Question) ([]float64, error) {
	passes := plan(q)
	if b, ok := lm.(Brancher); ok {
		n := shared(passes)
		tails := make([][]int32, len(passes))
		for i, p := range passes {
			tails[i] = p.tokens[n:]
		}
		err := b.Branch(ctx, passes[0].tokens[:n], tails, func(tail, pos int, x []float32) error {
			if tail < 0 || tail >= len(passes) {
				return fmt.Errorf("expected a tail from 0 to %d, found %d", len(passes)-1, tail)
			}
			return passes[tail].row(n+pos, x, lm.Vocab())
		})
		if err != nil {
			return nil, err
		}
	} else {
		for _, p := range passes {
			if err := lm.Logits(ctx, p.tokens, func(pos int, x []float32) error { return p.row(pos, x, lm.Vocab()) }); err != nil {
				return nil, err
			}
		}
	}
	ll := make([]float64, len(q.Choices))
	for _, p := range passes {
		for i := range p.parts {
			s := &p.parts[i]
			for k, v := range s.ll { // in the order of the tokens, whoever computed them
				if !s.seen[k].Load() {
					return nil, fmt.Errorf("choice %d: expected logits for position %d, found none", s.choice, s.first+k)
				}
				ll[s.choice] += v
			}
		}
	}
	return ll, nil
}

// row files the logits behind position pos. Rows may come from several goroutines at once; each writes places of its own.
func (p *pass) row(pos int, x []float32, vocab int) error {
	if len(x) != vocab {
		return fmt.Errorf("position %d: expected %d logits, found %d", pos, vocab, len(x))
	}
	if pos < p.from {
		return nil
	}
	top, lse := -1, 0.0
	for i := range p.parts {
		s := &p.parts[i]
		k := pos - s.first
		if k < 0 || k >= len(s.target) {
			continue
		}
		if top < 0 {
			var err error
			if top, err = argmax(x); err != nil {
				return fmt.Errorf("position %d: %w", pos, err)
			}
			lse = math.Log(expSum(x, float64(x[top])))
		}
		if s.seen[k].Swap(true) {
			return fmt.Errorf("expected each position once, found position %d twice", pos)
		}
		s.ll[k] = float64(x[s.target[k]]) - float64(x[top]) - lse
	}
	return nil
}
