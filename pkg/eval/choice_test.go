package eval_test

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/illm-go/illm/pkg/eval"
	"github.com/illm-go/illm/pkg/eval/tasks"
)

const toyVocab = 11

// toy is a language model whose logits are a function of the whole text so far; it counts the positions it runs.
type toy struct {
	mu        sync.Mutex
	positions int
	fail      int   // after so many positions; 0: never
	err       error // what it fails with
	skip      bool  // leave the last position out
	twice     bool  // hand the last position over twice
	nan       bool
}

func (*toy) Vocab() int { return toyVocab }

// logits is the model: noise seeded by the tokens read.
func logits(tokens []int32) []float32 {
	h := uint64(14695981039346656037)
	for _, t := range tokens {
		h = (h ^ uint64(t)) * 1099511628211
	}
	rng := rand.New(rand.NewPCG(h, 1))
	x := make([]float32, toyVocab)
	for i := range x {
		x[i] = float32(3 * rng.NormFloat64())
	}
	return x
}

func (m *toy) run(ctx context.Context, tokens []int32, from int, fn func(pos int, x []float32) error) error {
	var wg sync.WaitGroup
	errs := make([]error, len(tokens))
	for pos := from; pos < len(tokens); pos++ {
		m.mu.Lock()
		m.positions++
		over := m.fail > 0 && m.positions > m.fail
		m.mu.Unlock()
		if err := ctx.Err(); err != nil {
			return err
		}
		if over {
			wg.Wait()
			return m.err
		}
		if m.skip && pos == len(tokens)-1 {
			continue
		}
		wg.Add(1)
		go func() {
			defer wg.Done()
			x := logits(tokens[:pos+1])
			if m.nan {
				x[3] = float32(math.NaN())
			}
			if errs[pos] = fn(pos, x); m.twice && errs[pos] == nil {
				errs[pos] = fn(pos, x)
			}
		}()
	}
	wg.Wait()
	return errors.Join(errs...)
}

func (m *toy) Logits(ctx context.Context, tokens []int32, fn func(pos int, x []float32) error) error {
	return m.run(ctx, tokens, 0, fn)
}

// branching is a toy that runs shared beginnings once.
type branching struct{ *toy }

func (m branching) Branch(ctx context.Context, prefix []int32, tails [][]int32, fn func(tail, pos int, x []float32) error) error {
	m.positions += len(prefix)
	for i, tail := range tails {
		if len(tail) == 0 {
			return errors.New("a tail is empty")
		}
		all := append(append([]int32{}, prefix...), tail...)
		if err := m.run(ctx, all, len(prefix), func(pos int, x []float32) error { return fn(i, pos-len(prefix), x) }); err != nil {
			return err
		}
	}
	return nil
}

// scored cuts a text of tokens of which the last n are scored.
func scored(n int, tokens ...int32) tasks.Scored {
	return tasks.Scored{Input: tokens[:len(tokens)-1], Target: tokens[len(tokens)-n:], Chars: n}
}

// someQuestions holds the shapes that matter: choices of one token behind one context (one pass), choices of which one begins
// another, contexts that differ early with the same continuation, equal choices, nothing shared.
func someQuestions() []tasks.Question {
	return []tasks.Question{
		{Row: 0, Gold: 1, Choices: []tasks.Scored{scored(1, 1, 2, 3, 4), scored(1, 1, 2, 3, 5)}},
		{Row: 2, Gold: 0, Choices: []tasks.Scored{scored(2, 1, 2, 3, 4, 5), scored(4, 1, 2, 3, 4, 5, 6, 7), scored(1, 1, 2, 3, 9)}},
		{Row: 5, Gold: 1, Choices: []tasks.Scored{scored(3, 1, 2, 8, 4, 5, 6), scored(3, 1, 2, 9, 10, 4, 5, 6)}},
		{Row: 6, Gold: 0, Choices: []tasks.Scored{scored(2, 7, 7, 7), scored(2, 7, 7, 7)}},
		{Row: 9, Gold: 1, Choices: []tasks.Scored{scored(2, 1, 2, 3), scored(2, 4, 5, 6), scored(2, 1, 2, 4), scored(1, 0, 1)}},
	}
}

// definition is Σ ln p of a choice, token by token in float64.
func definition(c tasks.Scored) (ll float64) {
	first := len(c.Input) - len(c.Target)
	for k, target := range c.Target {
		x := logits(c.Input[:first+k+1])
		sum := 0.0
		for _, v := range x {
			sum += math.Exp(float64(v))
		}
		ll += float64(x[target]) - math.Log(sum)
	}
	return ll
}

// TestChoose compares with the definition, with and without shared beginnings, which must give the same bits with less work.
func TestChoose(t *testing.T) {
	questions := someQuestions()
	plain, shared := &toy{}, &toy{}
	a, err := eval.Choose(context.Background(), plain, questions, eval.ChoiceOptions{})
	if err != nil {
		t.Fatal(err)
	}
	b, err := eval.Choose(context.Background(), branching{shared}, questions, eval.ChoiceOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(a, b) {
		t.Errorf("with shared beginnings %v, without %v", b, a)
	}
	for i, q := range questions {
		if a[i].Row != q.Row {
			t.Errorf("answer %d belongs to row %d, expected %d", i, a[i].Row, q.Row)
		}
		for j, c := range q.Choices {
			if want := definition(c); math.Abs(a[i].LL[j]-want) > 1e-12*math.Abs(want) {
				t.Errorf("question %d, choice %d: %v, expected %v", i, j, a[i].LL[j], want)
			}
		}
	}
	// Inputs, those that begin another one left out: 3; 6; 5+6; 2; 2+2 (of four: {1,2} twice, {4,5}, {0}) + 1.
	if want := 3 + 6 + 11 + 2 + 5; plain.positions != want {
		t.Errorf("%d positions without a Brancher, expected %d", plain.positions, want)
	}
	// The third question shares {1,2}: 2+3+4 positions; the fifth nothing.
	if want := 3 + 6 + 9 + 2 + 5; shared.positions != want {
		t.Errorf("%d positions with a Brancher, expected %d", shared.positions, want)
	}
}

// TestChooseJournal: what was finished before an interruption is not run again; other questions and other models are.
func TestChooseJournal(t *testing.T) {
	questions := someQuestions()
	want, err := eval.Choose(context.Background(), &toy{}, questions, eval.ChoiceOptions{})
	if err != nil {
		t.Fatal(err)
	}
	opt := eval.ChoiceOptions{Journal: filepath.Join(t.TempDir(), "journal"), Key: "toy"}
	ctx, cancel := context.WithCancel(context.Background())
	stopping := opt
	stopping.Progress = func(p eval.ChoiceProgress) {
		if p.Done == 3 {
			cancel()
		}
	}
	if _, err := eval.Choose(ctx, &toy{}, questions, stopping); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	broken := &toy{fail: 2, err: errors.New("broken")} // the fourth question needs 2 positions, the fifth fails
	if _, err := eval.Choose(context.Background(), broken, questions, opt); !errors.Is(err, broken.err) {
		t.Fatal(err)
	}
	rest := &toy{}
	var last eval.ChoiceProgress
	resumed := opt
	resumed.Progress = func(p eval.ChoiceProgress) { last = p }
	got, err := eval.Choose(context.Background(), rest, questions, resumed)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("resumed: %v, %v, expected %v", got, err, want)
	}
	if rest.positions != 5 || last.Reused != 4 || last.Done != 5 || last.Total != 5 {
		t.Errorf("resumed: %d positions, %+v, expected 5 and 4 of 5 reused", rest.positions, last)
	}
	other := opt
	other.Key = "another"
	again := &toy{}
	if _, err := eval.Choose(context.Background(), again, questions, other); err != nil || again.positions != 27 {
		t.Errorf("another model: %v, %d positions, expected all 27", err, again.positions)
	}
	changed := someQuestions()
	changed[0].Choices[0].Target = []int32{6}
	again = &toy{}
	if _, err := eval.Choose(context.Background(), again, changed, opt); err != nil || again.positions != 3 {
		t.Errorf("a changed question: %v, %d positions, expected its own 3", err, again.positions)
	}
}

// TestChooseJournalDamage: every cut of the file leaves a journal that can be read, and the same answers.
func TestChooseJournalDamage(t *testing.T) {
	questions := someQuestions()
	dir := t.TempDir()
	opt := eval.ChoiceOptions{Journal: dir, Key: "toy"}
	want, err := eval.Choose(context.Background(), &toy{}, questions, opt)
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.jsonl"))
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	whole, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	damaged := [][]byte{[]byte("{}\n"), []byte("null\n"), []byte(strings.Replace(string(whole), `"ll":[`, `"ll":[7,`, 1))}
	for n := 0; n < len(whole); n += 9 {
		damaged = append(damaged, whole[:n])
	}
	for _, b := range damaged {
		if err := os.WriteFile(files[0], b, 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := eval.Choose(context.Background(), &toy{}, questions, opt); err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("journal %q: %v, %v", b, got, err)
		}
	}
}

// TestChooseErrors: what a caller, a model or the data do wrong is said.
func TestChooseErrors(t *testing.T) {
	good := someQuestions()[0]
	for name, c := range map[string]struct {
		lm   eval.LM
		q    tasks.Question
		want string
	}{
		"one choice":         {&toy{}, tasks.Question{Choices: good.Choices[:1]}, "at least 2 choices"},
		"no right one":       {&toy{}, tasks.Question{Gold: 2, Choices: good.Choices}, "number 2"},
		"no target":          {&toy{}, tasks.Question{Choices: []tasks.Scored{{Input: []int32{1}}, {Input: []int32{1}}}}, "choice 0: expected a target of 1 to 1"},
		"no context":         {&toy{}, tasks.Question{Choices: []tasks.Scored{{Input: []int32{1}, Target: []int32{1, 2}}, scored(1, 1, 2)}}, "expected a target"},
		"another tokenizer":  {&toy{}, tasks.Question{Choices: []tasks.Scored{scored(1, 1, 2), scored(1, 1, 11)}}, "ids below 11, found 11"},
		"negative":           {&toy{}, tasks.Question{Choices: []tasks.Scored{scored(1, 1, 2), scored(1, -1, 2)}}, "found -1"},
		"a position missing": {&toy{skip: true}, good, "found none"},
		"a position twice":   {&toy{twice: true}, good, "twice"},
		"NaN":                {&toy{nan: true}, good, "finite"},
		"NaN, branching":     {branching{&toy{nan: true}}, good, "finite"},
	} {
		_, err := eval.Choose(context.Background(), c.lm, []tasks.Question{c.q}, eval.ChoiceOptions{})
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "eval: question") {
			t.Errorf("%s: error %v, expected %q in it", name, err, c.want)
		}
	}
}
