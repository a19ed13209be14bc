package eval_test

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/illm-go/illm/pkg/eval"
	"github.com/illm-go/illm/pkg/eval/tasks"
)

// batched is a toy that scores all questions at a time, the last first, with what a test breaks.
type batched struct {
	*toy
	asked  int
	answer func(k int, ll []float64, done func(int, []float64) error) error // nil: as it should be
}

func (m *batched) Choose(_ context.Context, questions []tasks.Question, done func(i int, ll []float64) error) error {
	m.asked += len(questions)
	for k := len(questions) - 1; k >= 0; k-- {
		var ll []float64
		for _, c := range questions[k].Choices {
			ll = append(ll, definition(c))
		}
		answer := m.answer
		if answer == nil {
			answer = func(k int, ll []float64, done func(int, []float64) error) error { return done(k, ll) }
		}
		if err := answer(k, ll, done); err != nil {
			return err
		}
	}
	return nil
}

// A model that scores by the batch has its answers filed under their questions, keeps those that it finished, and says what
// computed them.
func TestChooser(t *testing.T) {
	questions := someQuestions()
	opt := eval.ChoiceOptions{Journal: t.TempDir(), Key: "toy", By: "a batch"}
	stop := errors.New("the machine is taken back")
	left := 2
	broken := &batched{toy: &toy{}, answer: func(k int, ll []float64, done func(int, []float64) error) error {
		if left--; left < 0 {
			return stop
		}
		return done(k, ll)
	}}
	if _, err := eval.Choose(context.Background(), broken, questions, opt); !errors.Is(err, stop) {
		t.Fatalf("error %v, want the model's own", err)
	}
	m := &batched{toy: &toy{}}
	opt.By = "another"
	var last eval.ChoiceProgress
	opt.Progress = func(p eval.ChoiceProgress) { last = p }
	answers, err := eval.Choose(context.Background(), m, questions, opt)
	if err != nil {
		t.Fatal(err)
	}
	if m.asked != len(questions)-2 || last.Reused != 2 || last.Done != len(questions) {
		t.Errorf("asked %d questions anew, progress %+v: want all but the 2 that were finished", m.asked, last)
	}
	for i, q := range questions {
		by := "another"
		if i >= len(questions)-2 {
			by = "a batch"
		}
		if answers[i].Row != q.Row || answers[i].By != by {
			t.Errorf("question %d: row %d by %q, want %d by %q", i, answers[i].Row, answers[i].By, q.Row, by)
		}
		for j, c := range q.Choices {
			if d := math.Abs(answers[i].LL[j] - definition(c)); d > 1e-12 {
				t.Errorf("question %d, choice %d: off by %.2g", i, j, d)
			}
		}
	}
	scores, err := eval.ScoreTask("toy", questions, answers, false)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(scores.By, ", "); got != "another, a batch" {
		t.Errorf("scores are by %q", got)
	}
}

// Answers that a batch cannot have are errors and no scores.
func TestChooserRefused(t *testing.T) {
	for name, answer := range map[string]func(k int, ll []float64, done func(int, []float64) error) error{
		"twice": func(k int, ll []float64, done func(int, []float64) error) error {
			return errors.Join(done(k, ll), done(k, ll))
		},
		"never":           func(int, []float64, func(int, []float64) error) error { return nil },
		"a choice less":   func(k int, ll []float64, done func(int, []float64) error) error { return done(k, ll[1:]) },
		"beyond the list": func(_ int, ll []float64, done func(int, []float64) error) error { return done(99, ll) },
		"no probability": func(k int, ll []float64, done func(int, []float64) error) error {
			ll[0] = 1
			return done(k, ll)
		},
		"not a number": func(k int, ll []float64, done func(int, []float64) error) error {
			ll[0] = math.NaN()
			return done(k, ll)
		},
	} {
		if _, err := eval.Choose(context.Background(), &batched{toy: &toy{}, answer: answer}, someQuestions(), eval.ChoiceOptions{}); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
