package eval

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
)

// bigram is a language model whose probabilities are a table, so that every
// statistic has a value to be had without a softmax.
type bigram struct {
	p       [][]float64 // p[previous][next]
	threads int         // goroutines that call back; 0: one
	calls   int         // windows run so far
	fail    func(pos int, logits []float32) error
}

// newBigram draws a table; sharp > 0 moves its rows away from those of sharp 0.
func newBigram(seed uint64, vocab int, sharp float64) *bigram {
	rng := rand.New(rand.NewPCG(seed, 1))
	noise := rand.New(rand.NewPCG(seed, 2))
	b := &bigram{p: make([][]float64, vocab)}
	for i := range b.p {
		row, sum := make([]float64, vocab), 0.0
		for j := range row {
			row[j] = math.Exp(3*rng.NormFloat64() + sharp*noise.NormFloat64())
			sum += row[j]
		}
		for j := range row {
			row[j] /= sum
		}
		b.p[i] = row
	}
	return b
}

func (b *bigram) Vocab() int { return len(b.p) }

func (b *bigram) Logits(ctx context.Context, tokens []int32, fn func(int, []float32) error) error {
	b.calls++
	n := max(b.threads, 1)
	errs := make([]error, n)
	var wg sync.WaitGroup
	for g := range n {
		wg.Go(func() {
			logits := make([]float32, len(b.p))
			for pos := len(tokens) - 1 - g; pos >= 0; pos -= n { // backwards: no order is promised
				if err := ctx.Err(); err != nil {
					errs[g] = err
					return
				}
				for v, p := range b.p[tokens[pos]] {
					logits[v] = float32(math.Log(p)) + 7 // any constant
				}
				if b.fail != nil {
					if err := b.fail(pos, logits); err != nil {
						errs[g] = err
						return
					}
				}
				if err := fn(pos, logits); err != nil {
					errs[g] = err
					return
				}
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

func someTokens(n, vocab int) []int32 {
	rng := rand.New(rand.NewPCG(5, 6))
	t := make([]int32, n)
	for i := range t {
		t[i] = int32(rng.IntN(vocab))
	}
	return t
}

func near(t *testing.T, what string, got, want, tol float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tol*max(1, math.Abs(want))) {
		t.Errorf("%s: %v, expected %v", what, got, want)
	}
}

// TestStatistics compares every statistic with its definition, computed from the
// tables of two bigram models.
func TestStatistics(t *testing.T) {
	const vocab, window, windows = 61, 40, 7
	base, other := newBigram(1, vocab, 0), newBigram(1, vocab, 0.4)
	tokens := someTokens(window*windows+window-1, vocab) // the rest is dropped
	rep, err := Run(context.Background(), base, []Variant{{Name: "other", LM: other}, {Name: "itself", LM: base}}, tokens, Options{Window: window, KeepPositions: true})
	if err != nil {
		t.Fatal(err)
	}
	if rep.Windows != windows || len(rep.Results) != 2 {
		t.Fatalf("%d windows of %d results, expected %d and 2", rep.Windows, len(rep.Results), windows)
	}
	var nllB, nllV, kl, ratio, same, dp2 []float64 // by window
	var kls []float64
	for w := range windows {
		var b, v, k, s, d float64
		for i := range window - 1 {
			prev, next := tokens[w*window+i], tokens[w*window+i+1]
			p, q := base.p[prev], other.p[prev]
			b -= math.Log(p[next])
			v -= math.Log(q[next])
			one := 0.0
			for j := range p {
				one += p[j] * math.Log(p[j]/q[j])
			}
			k += one
			kls = append(kls, one)
			d += (q[next] - p[next]) * (q[next] - p[next])
			if slices.Index(p, slices.Max(p)) == slices.Index(q, slices.Max(q)) {
				s++
			}
		}
		n := float64(window - 1)
		nllB, nllV, kl = append(nllB, b/n), append(nllV, v/n), append(kl, k/n)
		ratio, same, dp2 = append(ratio, (v-b)/n), append(same, s/n), append(dp2, d/n)
	}
	s := rep.Results[0].Summary
	mb, eb := meanAndError(nllB)
	near(t, "base PPL", rep.Base.Summary.PPL, math.Exp(mb), 1e-6)
	near(t, "base PPL error", rep.Base.Summary.PPLErr, math.Exp(mb)*eb, 1e-6)
	mv, ev := meanAndError(nllV)
	near(t, "PPL", s.PPL, math.Exp(mv), 1e-6)
	near(t, "PPL error", s.PPLErr, math.Exp(mv)*ev, 1e-6)
	mr, er := meanAndError(ratio)
	near(t, "ln ratio", s.LnRatio, mr, 1e-6)
	near(t, "ln ratio error", s.LnErr, er, 1e-6)
	mk, ek := meanAndError(kl)
	near(t, "KL", s.KL, mk, 1e-6)
	near(t, "KL error", s.KLErr, ek, 1e-6)
	ms, es := meanAndError(same)
	near(t, "same top", s.SameTop, 100*ms, 1e-12)
	near(t, "same top error", s.SameTopSE, 100*es, 1e-12)
	md, ed := meanAndError(dp2)
	near(t, "rms Δp", s.RMSDP, math.Sqrt(md), 1e-6)
	near(t, "rms Δp error", s.RMSDPErr, ed/(2*math.Sqrt(md)), 1e-6)
	for i, k := range kls {
		near(t, fmt.Sprintf("KL of position %d", i), float64(rep.Results[0].KL[i]), k, 1e-6)
	}
	slices.Sort(kls)
	near(t, "median", s.KLMedian, kls[(len(kls)+1)/2-1], 1e-6)
	near(t, "99 %", s.KLP99, kls[int(math.Ceil(0.99*float64(len(kls))))-1], 1e-6)

	itself := rep.Results[1].Summary
	if math.Abs(itself.KL) > 1e-15 || itself.LnRatio != 0 || itself.RMSDP != 0 || itself.SameTop != 100 || itself.PPL != rep.Base.Summary.PPL {
		t.Errorf("the base against itself: %+v, expected no difference", itself)
	}
}

// meanAndError is the textbook form, to be compared with the library's.
func meanAndError(x []float64) (mean, err float64) {
	for _, v := range x {
		mean += v / float64(len(x))
	}
	for _, v := range x {
		err += (v - mean) * (v - mean)
	}
	n := float64(len(x))
	return mean, math.Sqrt(err / (n - 1) / n)
}

// TestUniform checks the one case that needs no table: all tokens equal.
func TestUniform(t *testing.T) {
	flat := &bigram{p: make([][]float64, 32)}
	for i := range flat.p {
		flat.p[i] = slices.Repeat([]float64{1.0 / 32}, 32)
	}
	rep, err := Run(context.Background(), nil, []Variant{{Name: "flat", LM: flat}}, someTokens(64, 32), Options{Window: 16})
	if err != nil {
		t.Fatal(err)
	}
	near(t, "PPL", rep.Results[0].Summary.PPL, 32, 1e-13)
	if s := rep.Results[0].Summary; s.Compared || rep.Base != nil {
		t.Errorf("compared with a base that is not there: %+v", s)
	}
}

// TestThreads asks for equal bits however many goroutines call back.
func TestThreads(t *testing.T) {
	tokens := someTokens(5*128, 300)
	var first *Report
	for _, threads := range []int{1, 2, 7} {
		base, other := newBigram(1, 300, 0), newBigram(1, 300, 0.3)
		base.threads, other.threads = threads, threads
		rep, err := Run(context.Background(), base, []Variant{{Name: "v", LM: other}}, tokens, Options{Window: 128, KeepPositions: true})
		if err != nil {
			t.Fatal(err)
		}
		rep.Base.Wall, rep.Results[0].Wall = 0, 0
		if first == nil {
			first = rep
		} else if !reflect.DeepEqual(first, rep) {
			t.Errorf("%d threads: results differ from those of one", threads)
		}
	}
}

// TestJournal stops a run in the middle, tears the last line of a file and
// starts again: the numbers must be those of an undisturbed run, and nothing
// that was finished may run twice.
func TestJournal(t *testing.T) {
	const vocab, window, windows = 50, 32, 6
	tokens := someTokens(window*windows, vocab)
	opt := Options{Window: window, KeepPositions: true, BaseKey: "base"}
	start := func(stopAt int, opt Options) (*Report, *bigram, *bigram, error) {
		base, other := newBigram(1, vocab, 0), newBigram(1, vocab, 0.4)
		if stopAt > 0 {
			other.fail = func(pos int, _ []float32) error {
				if other.calls == stopAt && pos == 3 {
					return errors.New("power cut")
				}
				return nil
			}
		}
		rep, err := Run(context.Background(), base, []Variant{{Name: "v", LM: other, Key: "v1"}, {Name: "w", LM: other, Key: "w1"}}, tokens, opt)
		return rep, base, other, err
	}
	want, _, _, err := start(0, opt)
	if err != nil {
		t.Fatal(err)
	}
	opt.Journal = t.TempDir()
	if _, _, _, err = start(8, opt); err == nil || !strings.Contains(err.Error(), "power cut") || !strings.Contains(err.Error(), "window 3") {
		t.Fatalf("expected the failure of window 3, found %v", err)
	}
	files, err := filepath.Glob(filepath.Join(opt.Journal, "*.jsonl"))
	if err != nil || len(files) != 3 {
		t.Fatalf("journal: %v files, expected 3 (base, v, w): %v", files, err)
	}
	for _, f := range files { // as if the writer had been killed in its last line
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(f, b[:len(b)-9], 0o666); err != nil {
			t.Fatal(err)
		}
	}
	// base had windows 0–3, v 0–3, w 0–2; each lost its last one.
	got, base, other, err := start(0, opt)
	if err != nil {
		t.Fatal(err)
	}
	if base.calls != 4 || other.calls != 3+4 {
		t.Errorf("%d and %d windows ran again, expected 4 (2–5, for w) and 3+4", base.calls, other.calls)
	}
	if got.Base.Reused != 3-1 || got.Results[0].Reused != 3 || got.Results[1].Reused != 2 {
		t.Errorf("reused %d, %d, %d windows, expected 2, 3, 2", got.Base.Reused, got.Results[0].Reused, got.Results[1].Reused)
	}
	same := func(a, b *Report) {
		t.Helper()
		for i := range a.Results {
			if !reflect.DeepEqual(a.Results[i].Stats, b.Results[i].Stats) || !reflect.DeepEqual(a.Results[i].KL, b.Results[i].KL) || a.Results[i].Summary != b.Results[i].Summary {
				t.Errorf("%s: a resumed run differs from an undisturbed one", a.Results[i].Name)
			}
		}
		if a.Base.Summary != b.Base.Summary {
			t.Error("base: a resumed run differs from an undisturbed one")
		}
	}
	same(want, got)
	again, base, other, err := start(0, opt)
	if err != nil {
		t.Fatal(err)
	}
	if base.calls != 0 || other.calls != 0 {
		t.Errorf("a finished run ran %d and %d windows again", base.calls, other.calls)
	}
	same(want, again)

	// Another base, other tokens or another window are another question.
	opt.BaseKey = "other base"
	if _, base, _, err = start(0, opt); err != nil || base.calls != windows {
		t.Errorf("another base: %d windows, expected %d: %v", base.calls, windows, err)
	}
}

// TestBadInput asks for an error that says what was wrong.
func TestBadInput(t *testing.T) {
	ok := func() *bigram { return newBigram(1, 20, 0) }
	tokens := someTokens(64, 20)
	nan := ok()
	nan.fail = func(pos int, x []float32) error {
		if pos == 5 {
			x[7] = float32(math.NaN())
		}
		return nil
	}
	inf := ok()
	inf.fail = func(pos int, x []float32) error { x[2] = float32(math.Inf(1)); return nil }
	for _, c := range []struct {
		name, want string
		base       LM
		variants   []Variant
		tokens     []int32
		opt        Options
	}{
		{"nothing", "found neither", nil, nil, tokens, Options{}},
		{"short", "found 64 tokens", ok(), nil, tokens, Options{}},
		{"windows", "1 to 4 windows of 16 tokens, found 5", ok(), nil, tokens, Options{Window: 16, Windows: 5}},
		{"first", "from 0 to 3, found 4", ok(), nil, tokens, Options{Window: 16, First: 4}},
		{"window", "at least 2 tokens, found 1", ok(), nil, tokens, Options{Window: 1}},
		{"vocabulary", "20 tokens as the others have, found 21", ok(), []Variant{{Name: "v", LM: newBigram(1, 21, 0)}}, tokens, Options{Window: 16}},
		{"no model", `variant 0 "v": expected a model`, ok(), []Variant{{Name: "v"}}, tokens, Options{Window: 16}},
		{"id", "token 3 of the text: expected an id below 20, found 20", ok(), nil, []int32{1, 2, 3, 20}, Options{Window: 4}},
		{"nan", "position 5: expected finite logits, found NaN for token 7", nan, nil, tokens, Options{Window: 16}},
		{"inf", "found +Inf for token 2", nil, []Variant{{Name: "v", LM: inf}}, tokens, Options{Window: 16}},
		{"missing", "found none for position 0", lazy{ok(), 1}, nil, tokens, Options{Window: 16}},
		{"twice", "found position 15 twice", lazy{ok(), -1}, nil, tokens, Options{Window: 16}},
	} {
		_, err := Run(context.Background(), c.base, c.variants, c.tokens, c.opt)
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "eval: ") {
			t.Errorf("%s: %v, expected an error with %q", c.name, err, c.want)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Run(ctx, ok(), nil, tokens, Options{Window: 16}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v, expected context.Canceled", err)
	}
}

// lazy leaves out the first positions of a window, or repeats the last one.
type lazy struct {
	*bigram
	skip int
}

func (l lazy) Logits(ctx context.Context, tokens []int32, fn func(int, []float32) error) error {
	return l.bigram.Logits(ctx, tokens, func(pos int, x []float32) error {
		if pos < l.skip {
			return nil
		}
		if l.skip < 0 && pos == len(tokens)-1 {
			if err := fn(pos, x); err != nil {
				return err
			}
		}
		return fn(pos, x)
	})
}

// TestCover counts words and bytes of the predicted part by hand.
func TestCover(t *testing.T) {
	pieces := []string{"I n", "vent", " two", "\n\n", "words", " é", "té", " ", "x", "yz "}
	decode := func(ids []int32) []byte {
		var b []byte
		for _, id := range ids {
			b = append(b, pieces[id]...)
		}
		return b
	}
	tokens := []int32{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}
	// Window 0: "I n|vent two\n\nwords": two, words. Window 1: " é|té xyz ": xyz.
	got := Cover(tokens, 5, 0, 2, decode)
	want := Coverage{Tokens: 8, Bytes: 4 + 4 + 2 + 5 + 3 + 1 + 1 + 3, Words: 3}
	if got != want {
		t.Errorf("%+v, expected %+v", got, want)
	}
	s := Summary{Windows: 2, NLL: math.Ln2, NLLErr: 0.1, PPL: 2, PPLErr: 0.2}
	for _, m := range s.Metrics(got) {
		switch m.Name {
		case "ppl_word": // 8 tokens of ln 2 over 3 words
			near(t, m.Name, m.Value, math.Exp2(8.0/3), 1e-12)
		case "bits_per_byte": // 8 bits over 23 bytes
			near(t, m.Name, m.Value, 8.0/23, 1e-12)
			near(t, "its error", m.Stderr, 0.1/math.Ln2*8/23, 1e-12)
		}
	}
}
