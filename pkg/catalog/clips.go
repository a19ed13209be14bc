package catalog

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"sync"

	"github.com/illm-go/illm/pkg/corpus"
	"github.com/illm-go/illm/pkg/engine"
	"github.com/illm-go/illm/pkg/eval"
	"github.com/illm-go/illm/pkg/ptq"
	"github.com/illm-go/illm/pkg/quant"
	"github.com/illm-go/illm/pkg/smooth"
)

// ClipSearch says how SearchClips searches; the zero value is 8 windows of up to 512 tokens, two passes, ClipCandidates.
type ClipSearch struct {
	Text            string // name or path of a text; "": the calibration text
	Windows, Window int    // windows begin where those of the calibration do, 2048 tokens or the model's context apart
	Passes          int
	Candidates      []quant.Clip
}

// Defaults of ClipSearch. A window is one chunk of the engine, which keeps it between two layers.
const (
	clipWindows = 8
	clipPasses  = 2
	mostPasses  = 8
)

// ClipCandidates are the clip values that are tried in each layer beside the default, in this order: of equals the
// earlier one is taken.
func ClipCandidates() []quant.Clip {
	return []quant.Clip{0, 20000, 15000, 12000, 10000, 8000, 6000, 5000, 4000}
}

// SearchClips returns from with clips by layer, on which the integer engine's next-token distribution is nearest to the
// float model's: the mean KL divergence over windows of the calibration text, never of a test text. The search goes
// through the layers in order, begins with the default clip everywhere, takes another value of a layer only where the
// divergence falls on either half of the windows, of several the best on both together, and ends early after a pass without
// a change. A value that fails on the first half is not tried on the second: a layer's values differ by little, and on few
// tokens some differ by chance. Codes are those of from; a list that it has is left out.
//
// What is found depends on weights, factors, recipe and settings, not on threads; the divergence is summed in float, so that
// another instruction set may decide a draw otherwise.
func (e *Entry) SearchClips(ctx context.Context, spec quant.Spec, from *smooth.Factors, where string, how ClipSearch) (*smooth.Factors, error) {
	if e.weights == nil {
		return nil, e.quantised()
	}
	fail := func(err error) (*smooth.Factors, error) {
		return nil, fmt.Errorf("catalog: search of clips for %s, %s: %w", e.Name, spec.Recipe.Name, err)
	}
	if spec.Recipe.Static != "" || spec.Mode == quant.Published {
		return fail(fmt.Errorf("recipe %s, mode %s: expected dynamic ranges: constant grids are made for one clip", spec.Recipe.Name, spec.Mode))
	}
	if spec.Clip != quant.DefaultClip {
		return fail(fmt.Errorf("clip %s: expected the default, %s, where the search begins and which the list stands in for", spec.Clip, quant.DefaultClip))
	}
	if err := how.settle(e.MaxContext()); err != nil {
		return fail(err)
	}
	if err := e.checkFactors(from, spec.Recipe, where); err != nil {
		return nil, err
	}
	from = from.WithoutClips()
	p, err := e.prepareWith(spec, from, where)
	if err != nil {
		return nil, err
	}
	path, err := e.codesOf(ctx, p)
	if err != nil {
		return nil, err
	}
	art, err := e.open(path)
	if err != nil {
		return nil, err
	}
	m, err := engine.New(art, engine.Options{Spec: &spec, Threads: e.opt.Threads})
	if err != nil {
		return nil, err
	}
	windows, err := e.textWindows(ctx, how.Text, how.Windows, min(ptq.CalibrationWindow, e.MaxContext()))
	if err != nil {
		return nil, err
	}
	for i := range windows {
		windows[i] = windows[i][:how.Window]
	}
	s := &clipSearch{vocab: m.Vocab()}
	defer s.close()
	if err := s.load(ctx, e, m, windows); err != nil {
		return fail(err)
	}
	began, passes, err := s.run(ctx, how, func(done, total int) { e.progress("clips", done, total) })
	if err != nil {
		return fail(err)
	}
	return from.WithClips(s.trials[0].Clips(), map[string]string{"text": how.Text, "windows": strconv.Itoa(len(windows)), "window": strconv.Itoa(how.Window),
		"sha256": ptq.Hash(windows), "passes": strconv.Itoa(passes), "kl": fmt.Sprintf("%.4g %.4g", began, s.mean(s.best))}), nil
}

// settle fills in the defaults and refuses what no search can be.
func (c *ClipSearch) settle(context int) error {
	fill := func(v *int, n int) {
		if *v == 0 {
			*v = n
		}
	}
	if c.Text == "" {
		c.Text = corpus.Calibration
	}
	fill(&c.Windows, clipWindows)
	fill(&c.Window, min(engine.MaxTrial, context))
	fill(&c.Passes, clipPasses)
	if c.Candidates == nil {
		c.Candidates = ClipCandidates()
	}
	most := min(engine.MaxTrial, context)
	if c.Windows < 1 || c.Windows > maxCalibrationWindows || c.Window < 2 || c.Window > most {
		return fmt.Errorf("expected 1 to %d windows of 2 to %d tokens, found %d of %d", maxCalibrationWindows, most, c.Windows, c.Window)
	}
	if c.Passes < 1 || c.Passes > mostPasses {
		return fmt.Errorf("expected 1 to %d passes, found %d", mostPasses, c.Passes)
	}
	for _, x := range c.Candidates {
		if err := x.Check(); err != nil {
			return err
		}
	}
	return nil
}

// clipSearch is a search in progress: every window with the float model's logits and a trial of its own.
type clipSearch struct {
	vocab   int
	windows [][]int32
	base    []*replay
	trials  []*engine.Trial
	rows    sync.Pool

	halves [2][]int   // numbers of the windows; the first has none where there is a single one
	best   [2]float64 // divergence of each half with what was kept, summed over its tokens
}

// mean is the divergence a token of sums over the halves.
func (s *clipSearch) mean(sums [2]float64) float64 {
	return (sums[0] + sums[1]) / float64(len(s.windows)*(len(s.windows[0])-1))
}

func (s *clipSearch) close() {
	for _, t := range s.trials {
		t.Close()
	}
}

// load runs the float model over the windows, once for the whole search, and begins the trials.
func (s *clipSearch) load(ctx context.Context, e *Entry, m *engine.Model, windows [][]int32) error {
	float, err := e.Float()
	if err != nil {
		return err
	}
	s.windows = windows
	for i, w := range windows {
		half := 2 * i / len(windows)
		if len(windows) == 1 {
			half = 1
		}
		s.halves[half] = append(s.halves[half], i)
		r := &replay{vocab: s.vocab, logits: make([]float32, len(w)*s.vocab)}
		if err := float.Logits(ctx, w, func(pos int, logits []float32) error {
			copy(r.logits[pos*s.vocab:], logits)
			return nil
		}); err != nil {
			return err
		}
		t, err := m.NewTrial(w)
		if err != nil {
			return err
		}
		s.base, s.trials = append(s.base, r), append(s.trials, t)
	}
	return nil
}

// run goes through the layers. It returns the mean divergence that it began with and the passes that it took.
func (s *clipSearch) run(ctx context.Context, how ClipSearch, progress func(done, total int)) (began float64, passes int, err error) {
	first := []quant.Clip{s.trials[0].Clips()[0]}
	for half := range s.halves {
		sums, err := s.score(ctx, half, first)
		if err != nil {
			return 0, 0, err
		}
		s.best[half] = sums[0]
	}
	began = s.mean(s.best)
	layers := len(s.trials[0].Clips())
	for passes = 1; ; passes++ {
		changed := false
		for layer := range layers {
			now := s.trials[0].Clips()[layer]
			c, err := s.layer(ctx, now, how.Candidates)
			if err != nil {
				return 0, 0, err
			}
			changed = changed || c != now
			for _, t := range s.trials {
				t.Keep(c)
			}
			progress((passes-1)*layers+layer+1, how.Passes*layers)
		}
		if !changed || passes == how.Passes {
			return began, passes, nil
		}
		for _, t := range s.trials {
			t.Restart()
		}
	}
}

// layer returns the best clip of the layer at hand, where now is the one it has.
func (s *clipSearch) layer(ctx context.Context, now quant.Clip, candidates []quant.Clip) (quant.Clip, error) {
	type attempt struct {
		clip quant.Clip
		sums [2]float64
	}
	var list []attempt
	for _, c := range candidates {
		if c != now {
			list = append(list, attempt{clip: c})
		}
	}
	for half, windows := range s.halves {
		if len(windows) == 0 {
			continue
		}
		clips := make([]quant.Clip, len(list))
		for i, a := range list {
			clips[i] = a.clip
		}
		sums, err := s.score(ctx, half, clips)
		if err != nil {
			return now, err
		}
		var left []attempt
		for i, a := range list {
			if a.sums[half] = sums[i]; sums[i] < s.best[half] {
				left = append(left, a)
			}
		}
		if list = left; len(list) == 0 {
			return now, nil
		}
	}
	best := slices.MinFunc(list, func(a, b attempt) int { return cmp.Compare(a.sums[0]+a.sums[1], b.sums[0]+b.sums[1]) }) // the first of equals
	s.best = best.sums
	return best.clip, nil
}

// score is the divergence with each clip in the layer at hand, summed over the tokens of half the windows.
func (s *clipSearch) score(ctx context.Context, half int, clips []quant.Clip) ([]float64, error) {
	sums := make([]float64, len(clips))
	for _, i := range s.halves[half] {
		list := make([]eval.Variant, len(clips))
		for j, c := range clips {
			list[j] = eval.Variant{Name: "clip " + c.String(), LM: &tried{s, s.trials[i], c}}
		}
		rep, err := eval.Run(ctx, s.base[i], list, s.windows[i], eval.Options{Window: len(s.windows[i])})
		if err != nil {
			return nil, err
		}
		for j, r := range rep.Results {
			sums[j] += r.Stats[0].KL
		}
	}
	return sums, nil
}

// replay is a language model whose logits over one text were kept.
type replay struct {
	vocab  int
	logits []float32
}

func (r *replay) Vocab() int { return r.vocab }

func (r *replay) Logits(_ context.Context, tokens []int32, fn func(pos int, logits []float32) error) error {
	n := runtime.GOMAXPROCS(0)
	errs := make([]error, n)
	var wg sync.WaitGroup
	for part := range n {
		wg.Go(func() {
			for i := part; i < len(tokens) && errs[part] == nil; i += n {
				errs[part] = fn(i, r.logits[i*r.vocab:][:r.vocab])
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// tried is a trial with one clip in the layer at hand, over its own text.
type tried struct {
	s *clipSearch
	t *engine.Trial
	c quant.Clip
}

func (m *tried) Vocab() int { return m.s.vocab }

func (m *tried) Logits(ctx context.Context, _ []int32, fn func(pos int, logits []float32) error) error {
	return m.t.Logits(ctx, m.c, func(i int, l engine.Logits) error {
		row, _ := m.s.rows.Get().(*[]float32)
		if row == nil {
			v := make([]float32, m.s.vocab)
			row = &v
		}
		defer m.s.rows.Put(row)
		l.Values(*row)
		return fn(i, *row)
	})
}
