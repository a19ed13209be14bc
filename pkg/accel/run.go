package accel

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/gomlx/gomlx/backends"

	"github.com/illm-go/illm/pkg/eval/tasks"
	"github.com/illm-go/illm/pkg/tape"
)

// hidden runs all blocks over batch sequences of length tokens and returns the residual stream behind them.
func (m *Model) hidden(ctx context.Context, tokens []int32, batch, length int) (backends.Buffer, error) {
	if m.blocks == nil {
		return nil, errors.New("accel: the model is closed")
	}
	embed, err := m.program("embed", batch, length, 0, m.buildEmbed(batch, length))
	if err != nil {
		return nil, err
	}
	block, err := m.program("block", batch, length, 0, m.buildBlock(batch, length))
	if err != nil {
		return nil, err
	}
	in, err := m.b.dev.Put(tokens, tape.I32, len(tokens))
	if err != nil {
		return nil, err
	}
	defer m.b.dev.Free(in)
	x, err := m.execute(embed, append(slices.Clone(m.embed), in))
	if err != nil {
		return nil, err
	}
	for _, weights := range m.blocks {
		if err := ctx.Err(); err != nil {
			m.b.dev.Free(x)
			return nil, err
		}
		y, err := m.execute(block, append(slices.Clone(weights), x))
		m.b.dev.Free(x)
		if err != nil {
			return nil, err
		}
		x = y
	}
	return x, nil
}

// execute runs a program with one output.
func (m *Model) execute(e backends.Executable, in []backends.Buffer) (backends.Buffer, error) {
	outs, err := e.Execute(in, nil, 0)
	if err != nil {
		return nil, fmt.Errorf("accel: run: %w", err)
	}
	return outs[0], nil
}

// check refuses what the tables of the model do not have.
func (m *Model) check(tokens []int32) error {
	c := m.s.cfg
	if len(tokens) == 0 {
		return errors.New("accel: run: expected at least 1 token, found none")
	}
	if c.MaxContext > 0 && len(tokens) > c.MaxContext {
		return fmt.Errorf("accel: run: expected at most %d tokens, the context of the model, found %d", c.MaxContext, len(tokens))
	}
	for i, t := range tokens {
		if t < 0 || int(t) >= c.Vocab {
			return fmt.Errorf("accel: run: token %d: expected an id in 0…%d, found %d: was the text encoded with another model's tokenizer?", i, c.Vocab-1, t)
		}
	}
	return nil
}

// Logits runs tokens from an empty cache and calls fn once per position, from several goroutines; the row is valid during
// the call.
func (m *Model) Logits(ctx context.Context, tokens []int32, fn func(pos int, logits []float32) error) error {
	if err := m.check(tokens); err != nil {
		return err
	}
	m.b.mu.Lock()
	defer m.b.mu.Unlock()
	n, vocab := len(tokens), m.s.cfg.Vocab
	x, err := m.hidden(ctx, tokens, 1, n)
	if err != nil {
		return err
	}
	defer m.b.dev.Free(x)
	head, err := m.program("head", 1, n, 0, m.buildHead(n))
	if err != nil {
		return err
	}
	y, err := m.execute(head, append(slices.Clone(m.head), x))
	if err != nil {
		return err
	}
	defer m.b.dev.Free(y)
	if len(m.host) < n*vocab {
		m.host = make([]float32, n*vocab)
	}
	if err := m.b.dev.Get(y, m.host[:n*vocab]); err != nil {
		return err
	}
	return share(ctx, m.b.opt.Threads, n, func(_, pos int) error { return fn(pos, m.host[pos*vocab:][:vocab]) })
}

// sequence is one choice of a question on its way through a batch.
type sequence struct {
	question, choice int
	tasks.Scored
}

// lengths that sequences are padded to, and multiples of the last.
var lengths = []int{64, 128, 256, 512, 1024}

func (m *Model) padded(n int) int {
	last := lengths[len(lengths)-1]
	to := (n + last - 1) / last * last
	for _, l := range lengths {
		if n <= l {
			to = l
			break
		}
	}
	if c := m.s.cfg.MaxContext; c > 0 {
		to = min(to, c)
	}
	return to
}

// Choose scores the choices of questions, the shortest first, and calls done with Σ ln p of each choice when all of a
// question are known. Every choice is a sequence of its own, whatever it shares with others.
func (m *Model) Choose(ctx context.Context, questions []tasks.Question, done func(i int, ll []float64) error) error {
	var all []sequence
	sums, left := make([][]float64, len(questions)), make([]int, len(questions))
	for i, q := range questions {
		sums[i], left[i] = make([]float64, len(q.Choices)), len(q.Choices)
		if len(q.Choices) == 0 {
			return fmt.Errorf("accel: question %d: expected choices, found none", q.Row)
		}
		for j, c := range q.Choices {
			err := m.check(c.Input)
			if err == nil {
				err = m.check(c.Target)
			}
			if err == nil && len(c.Target) > len(c.Input) {
				err = fmt.Errorf("accel: run: expected a target of 1 to %d tokens, found %d", len(c.Input), len(c.Target))
			}
			if err != nil {
				return fmt.Errorf("question %d, choice %d: %w", q.Row, j, err)
			}
			all = append(all, sequence{i, j, c})
		}
	}
	slices.SortStableFunc(all, func(a, b sequence) int { return m.padded(len(a.Input)) - m.padded(len(b.Input)) })
	m.b.mu.Lock()
	defer m.b.mu.Unlock()
	for len(all) > 0 {
		length := m.padded(len(all[0].Input))
		batch := max(1, m.b.opt.Tokens/length)
		n := 0
		for n < len(all) && n < batch && m.padded(len(all[n].Input)) == length {
			n++
		}
		scores, err := m.scoreBatch(ctx, all[:n], batch, length)
		if err != nil {
			return err
		}
		for i, s := range all[:n] {
			sums[s.question][s.choice] = scores[i]
			if left[s.question]--; left[s.question] == 0 {
				if err := done(s.question, sums[s.question]); err != nil {
					return err
				}
			}
		}
		all = all[n:]
	}
	return nil
}

// scoreBatch returns Σ ln p of sequences padded to length, in batches of one size so that one program does them all.
func (m *Model) scoreBatch(ctx context.Context, seqs []sequence, batch, length int) ([]float64, error) {
	tokens := make([]int32, batch*length)
	var rows, targets []int32
	var of []int
	for i, s := range seqs {
		copy(tokens[i*length:], s.Input)
		first := len(s.Input) - len(s.Target)
		for k, t := range s.Target {
			rows, targets, of = append(rows, int32(i*length+first+k)), append(targets, t), append(of, i)
		}
	}
	x, err := m.hidden(ctx, tokens, batch, length)
	if err != nil {
		return nil, err
	}
	defer m.b.dev.Free(x)
	score, err := m.program("score", batch, length, m.b.rows, m.buildScore(batch*length, m.b.rows))
	if err != nil {
		return nil, err
	}
	sums, lp := make([]float64, len(seqs)), make([]float32, m.b.rows)
	for at := 0; at < len(rows); at += m.b.rows {
		n := min(m.b.rows, len(rows)-at)
		r, g := make([]int32, m.b.rows), make([]int32, m.b.rows)
		copy(r, rows[at:at+n])
		copy(g, targets[at:at+n])
		if err := m.scoreRows(score, x, r, g, lp); err != nil {
			return nil, err
		}
		for i := range n {
			sums[of[at+i]] += float64(lp[i])
		}
	}
	return sums, nil
}

// scoreRows puts ln p of targets behind rows of x into lp.
func (m *Model) scoreRows(e backends.Executable, x backends.Buffer, rows, targets []int32, lp []float32) error {
	r, err := m.b.dev.Put(rows, tape.I32, len(rows))
	if err != nil {
		return err
	}
	defer m.b.dev.Free(r)
	g, err := m.b.dev.Put(targets, tape.I32, len(targets))
	if err != nil {
		return err
	}
	defer m.b.dev.Free(g)
	y, err := m.execute(e, append(slices.Clone(m.head), x, r, g))
	if err != nil {
		return err
	}
	defer m.b.dev.Free(y)
	return m.b.dev.Get(y, lp)
}
