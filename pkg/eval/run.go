package eval

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync/atomic"
	"time"

	"github.com/illm-go/illm/pkg/record"
)

// DefaultWindow is the window length of the paper's tables.
const DefaultWindow = 2048

// maxElements bounds the stored base distribution, 8 GiB of float32 less one.
const maxElements = math.MaxInt32

// Run scores base (nil: none) and the variants on whole windows of tokens.
//
// Each window runs the base once and then each variant; finished (window,
// variant) pairs found in the journal are not run again. An error, a cancelled
// context included, returns what was finished only through the journal.
func Run(ctx context.Context, base LM, variants []Variant, tokens []int32, opt Options) (*Report, error) {
	r, err := newRun(base, variants, tokens, opt)
	if err != nil {
		return nil, err
	}
	for w := r.opt.First; w < r.opt.First+r.opt.Windows; w++ {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("eval: window %d: %w", w, err)
		}
		if err := r.window(ctx, w); err != nil {
			return nil, err
		}
	}
	return r.report(), nil
}

// run is the state of one Run.
type run struct {
	opt      Options
	tokens   []int32
	base     *model // nil without one
	variants []*model
	vocab    int
	done     int

	prob    []float32  // base distribution of the window, [W−1, V]
	basePos []position // [W−1]
	pos     []position // [W−1]
	seen    []atomic.Bool
}

// model is one language model with what it has scored so far.
type model struct {
	name    string
	lm      LM
	journal *journal // nil: none
	old     map[int]entry
	result  Result
}

func newRun(base LM, variants []Variant, tokens []int32, opt Options) (*run, error) {
	if base == nil && len(variants) == 0 {
		return nil, errors.New("eval: expected a base model or a variant, found neither")
	}
	if opt.Window == 0 {
		opt.Window = DefaultWindow
	}
	if opt.Window < 2 {
		return nil, fmt.Errorf("eval: expected a window of at least 2 tokens, found %d", opt.Window)
	}
	have := len(tokens) / opt.Window
	if have == 0 {
		return nil, fmt.Errorf("eval: expected at least one window of %d tokens, found %d tokens: use a longer text or a shorter window", opt.Window, len(tokens))
	}
	if opt.First < 0 || opt.First >= have {
		return nil, fmt.Errorf("eval: expected a first window from 0 to %d, found %d", have-1, opt.First)
	}
	if opt.Windows == 0 {
		opt.Windows = have - opt.First
	}
	if opt.Windows < 0 || opt.Windows > have-opt.First {
		return nil, fmt.Errorf("eval: expected 1 to %d windows of %d tokens, found %d", have-opt.First, opt.Window, opt.Windows)
	}
	r := &run{opt: opt, tokens: tokens}
	id := runID{Window: opt.Window, Tokens: hashTokens(tokens[:have*opt.Window])}
	if base != nil {
		r.vocab = base.Vocab()
		id.Base = opt.BaseKey
		r.base = r.newModel("base", base)
	}
	for i, v := range variants {
		if v.LM == nil {
			return nil, fmt.Errorf("eval: variant %d %q: expected a model, found none", i, v.Name)
		}
		if r.vocab == 0 {
			r.vocab = v.LM.Vocab()
		}
		if got := v.LM.Vocab(); got != r.vocab {
			return nil, fmt.Errorf("eval: variant %q: expected a vocabulary of %d tokens as the others have, found %d", v.Name, r.vocab, got)
		}
		r.variants = append(r.variants, r.newModel(v.Name, v.LM))
	}
	for i, t := range tokens[:(opt.First+opt.Windows)*opt.Window] {
		if t < 0 || int(t) >= r.vocab {
			return nil, fmt.Errorf("eval: token %d of the text: expected an id below %d, found %d: the text was cut by another tokenizer", i, r.vocab, t)
		}
	}
	if base != nil && (opt.Window-1) > maxElements/max(r.vocab, 1) {
		return nil, fmt.Errorf("eval: window %d × vocabulary %d: expected at most %d probabilities: use a shorter window", opt.Window, r.vocab, maxElements)
	}
	if err := r.openJournals(id, variants); err != nil {
		return nil, err
	}
	r.pos = make([]position, opt.Window-1)
	r.seen = make([]atomic.Bool, opt.Window)
	if base != nil {
		r.basePos = make([]position, opt.Window-1)
	}
	return r, nil
}

func (r *run) newModel(name string, lm LM) *model {
	return &model{name: name, lm: lm, result: Result{Name: name, Window: r.opt.Window}}
}

// openJournals reads what earlier runs finished.
func (r *run) openJournals(id runID, variants []Variant) error {
	if r.opt.Journal == "" {
		return nil
	}
	open := func(m *model, key string) (err error) {
		m.journal, m.old, err = openJournal(r.opt.Journal, id, key, r.opt.Window-1, id.Base != "" && m != r.base, len(counts(m.lm)))
		return err
	}
	if r.base != nil {
		if r.opt.BaseKey == "" {
			return nil // nothing can be reused without knowing the base
		}
		if err := open(r.base, ""); err != nil {
			return err
		}
	}
	for i, v := range variants {
		if v.Key == "" {
			continue
		}
		if err := open(r.variants[i], v.Key); err != nil {
			return err
		}
	}
	return nil
}

// window scores window w with all models that have not done so.
func (r *run) window(ctx context.Context, w int) error {
	chunk := r.tokens[w*r.opt.Window:][:r.opt.Window]
	var todo []*model
	for _, m := range r.variants {
		if _, ok := m.old[w]; !ok {
			todo = append(todo, m)
		}
	}
	if r.base != nil {
		_, ok := r.base.old[w]
		if len(todo) > 0 || !ok {
			if err := r.pass(ctx, r.base, w, chunk, len(todo) > 0); err != nil {
				return err
			}
		} else {
			r.reuse(r.base, w)
		}
	}
	for _, m := range r.variants {
		if _, ok := m.old[w]; ok {
			r.reuse(m, w)
		} else if err := r.pass(ctx, m, w, chunk, false); err != nil {
			return err
		}
	}
	return nil
}

// reuse takes window w of model m from the journal.
func (r *run) reuse(m *model, w int) {
	e := m.old[w]
	m.result.Reused++
	r.add(m, e, 0, true)
}

// add files a finished window and reports it.
func (r *run) add(m *model, e entry, took time.Duration, reused bool) {
	m.result.Stats = append(m.result.Stats, e.WindowStat)
	m.result.KL = append(m.result.KL, e.KLs...)
	m.result.Wall += took
	if e.By != "" && !slices.Contains(m.result.By, e.By) {
		m.result.By = append(m.result.By, e.By)
	}
	if m.result.Counts == nil && e.Counts != nil {
		m.result.Counts = make([]int64, len(e.Counts))
	}
	for i, n := range e.Counts {
		m.result.Counts[i] += n
	}
	r.done++
	if r.opt.Progress != nil {
		models := len(r.variants)
		if r.base != nil {
			models++
		}
		r.opt.Progress(Progress{
			Done: r.done, Total: models * r.opt.Windows, Window: e.Index, Model: m.name,
			Reused: reused, Took: took, MeanNLL: e.NLL / float64(e.N),
		})
	}
}

// pass runs model m over the window. keep says that the base's distribution will
// be needed by variants.
func (r *run) pass(ctx context.Context, m *model, w int, chunk []int32, keep bool) error {
	start, before := time.Now(), counts(m.lm)
	n := len(chunk) - 1
	isBase, pos := m == r.base, r.pos
	if isBase {
		pos = r.basePos
		if keep && r.prob == nil {
			r.prob = make([]float32, n*r.vocab)
		}
	}
	for i := range r.seen {
		r.seen[i].Store(false)
	}
	err := m.lm.Logits(ctx, chunk, func(i int, x []float32) error {
		if i < 0 || i > n || len(x) != r.vocab {
			return fmt.Errorf("expected %d logits for a position from 0 to %d, found %d for position %d", r.vocab, n, len(x), i)
		}
		if r.seen[i].Swap(true) {
			return fmt.Errorf("expected each position once, found position %d twice", i)
		}
		if i == n {
			return nil // nothing follows the last token
		}
		var err error
		switch target := chunk[i+1]; {
		case isBase && keep:
			err = scoreBase(&pos[i], r.prob[i*r.vocab:][:r.vocab], x, target)
		case isBase || r.base == nil:
			err = scoreAlone(&pos[i], x, target)
		default:
			err = scoreVariant(&pos[i], &r.basePos[i], r.prob[i*r.vocab:][:r.vocab], x, target)
		}
		if err != nil {
			return fmt.Errorf("position %d: %w", i, err)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("eval: %s, window %d: %w", m.name, w, err)
	}
	for i := range n {
		if !r.seen[i].Load() {
			return fmt.Errorf("eval: %s, window %d: expected logits for positions 0 to %d, found none for position %d", m.name, w, n-1, i)
		}
	}
	e := r.sum(pos, w, !isBase && r.base != nil)
	e.Counts, e.By = counts(m.lm), r.opt.By
	for i := range e.Counts {
		e.Counts[i] -= before[i]
	}
	if m.journal != nil {
		if _, done := m.old[w]; !done {
			if err := m.journal.append(e); err != nil {
				return err
			}
		}
	}
	r.add(m, e, time.Since(start), false)
	return nil
}

// counts is what a Counter has counted so far; nil for another model.
func counts(lm LM) []int64 {
	if c, ok := lm.(Counter); ok {
		return slices.Clone(c.Counts())
	}
	return nil
}

// sum adds up the positions of one window, in their order.
func (r *run) sum(pos []position, w int, compare bool) entry {
	e := entry{WindowStat: record.WindowStat{Index: w, N: len(pos)}}
	if compare {
		e.KLs = make([]float32, len(pos))
	}
	for i := range pos {
		e.NLL += pos[i].nll
		if !compare {
			continue
		}
		b := &r.basePos[i]
		e.BaseNLL += b.nll
		e.KL += pos[i].kl
		e.KLs[i] = float32(pos[i].kl)
		d := pos[i].target - b.target
		e.DP2 += d * d
		if pos[i].top == b.top {
			e.Same++
		}
	}
	return e
}

func (r *run) report() *Report {
	rep := &Report{Window: r.opt.Window, First: r.opt.First, Windows: r.opt.Windows}
	finish := func(m *model) Result {
		m.result.Summary = Summarize(m.result.Stats, m.result.KL)
		if !r.opt.KeepPositions {
			m.result.KL = nil
		}
		return m.result
	}
	if r.base != nil {
		res := finish(r.base)
		rep.Base = &res
	}
	for _, m := range r.variants {
		rep.Results = append(rep.Results, finish(m))
	}
	return rep
}
