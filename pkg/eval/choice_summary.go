package eval

import (
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/stat/distuv"

	"github.com/illm-go/illm/pkg/eval/tasks"
	"github.com/illm-go/illm/pkg/record"
)

// TaskScore is a model's accuracy on the questions of one task.
//
// Standard errors are those of a mean over questions, s/√n with s² = Σ(x − mean)²/(n − 1).
type TaskScore struct {
	Task     string
	N        int
	Acc, Err float64 // share of questions whose right choice has the largest Σ ln p
	Normed   bool
	Norm     float64 // the same by Σ ln p / characters; only if Normed
	NormErr  float64

	Chance   float64 // expected of guessing: mean of 1/choices
	Constant float64 // reached by the best constant answer (always the first choice, always the second …)

	Right, RightNorm []bool // by question, in their order

	By []string // what computed answers in place of this program's own code (ChoiceOptions.By)
}

// ScoreTask compares answers with the questions' right choices; normed says that the task has acc_norm.
func ScoreTask(task string, questions []tasks.Question, answers []Answer, normed bool) (TaskScore, error) {
	s := TaskScore{Task: task, N: len(questions), Normed: normed}
	if len(answers) != len(questions) || len(questions) == 0 {
		return s, fmt.Errorf("eval: score %s: expected an answer to each of at least one question, found %d to %d", task, len(answers), len(questions))
	}
	constant := map[int]int{}
	for i, q := range questions {
		a := answers[i]
		if a.By != "" && !slices.Contains(s.By, a.By) {
			s.By = append(s.By, a.By)
		}
		if a.Row != q.Row || len(a.LL) != len(q.Choices) {
			return s, fmt.Errorf("eval: score %s: question %d with %d choices: expected its answer, found that of %d with %d", task, q.Row, len(q.Choices), a.Row, len(a.LL))
		}
		s.Right = append(s.Right, largest(a.LL) == q.Gold)
		if normed {
			per := make([]float64, len(a.LL))
			for j, v := range a.LL {
				per[j] = v / float64(q.Choices[j].Chars)
			}
			s.RightNorm = append(s.RightNorm, largest(per) == q.Gold)
		}
		s.Chance += 1 / float64(len(q.Choices)) / float64(s.N)
		constant[q.Gold]++
		s.Constant = max(s.Constant, float64(constant[q.Gold])/float64(s.N))
	}
	s.Acc, s.Err = meanErr(ones(s.Right))
	if normed {
		s.Norm, s.NormErr = meanErr(ones(s.RightNorm))
	}
	return s, nil
}

// largest returns the lowest index of the largest value.
func largest(x []float64) int {
	top := 0
	for i, v := range x {
		if v > x[top] {
			top = i
		}
	}
	return top
}

// ones turns truths into numbers.
func ones(b []bool) []float64 {
	x := make([]float64, len(b))
	for i, v := range b {
		if v {
			x[i] = 1
		}
	}
	return x
}

// ChanceLevel is the level of the tests of TaskScore.AtChance and TaskScore.Blind.
const ChanceLevel = 0.05

// PChance is the two-sided p-value of guessing: of so many answers, each right with probability Chance, the probability
// of such a count of right ones or a less likely side's, twice the smaller tail of the binomial distribution. Tasks whose
// questions have different numbers of choices count with the mean of 1/choices; the true distribution is a little
// narrower, so the value is never too small.
func (s TaskScore) PChance() float64 {
	d, right := distuv.Binomial{N: float64(s.N), P: s.Chance}, s.right()
	return min(1, 2*min(d.CDF(right), 1-d.CDF(right-1)))
}

// PConstant is the one-sided p-value of answering no better than the best constant answer: the probability of so many right
// answers or more, each right with probability Constant.
func (s TaskScore) PConstant() float64 {
	return 1 - distuv.Binomial{N: float64(s.N), P: s.Constant}.CDF(s.right()-1)
}

func (s TaskScore) right() float64 { return math.Round(s.Acc * float64(s.N)) }

// AtChance tells whether a binomial test cannot tell the accuracy from guessing, so that the task says nothing about this
// model and cannot separate what is done to it.
func (s TaskScore) AtChance() bool { return s.PChance() > ChanceLevel }

// Blind tells whether a binomial test cannot tell the accuracy from that of a constant answer: the model may have learned
// which answer is frequent, no more.
func (s TaskScore) Blind() bool { return s.PConstant() > ChanceLevel/2 }

// Difference is the accuracy of one model less that of another on the same questions.
type Difference struct {
	Diff, Err    float64 // mean and standard error of the paired difference
	Gained, Lost int     // questions that only the first, only the second model got right
	P            float64 // McNemar's exact test, two-sided: of Gained + Lost fair coins, such a split or a more uneven one
}

// Compare pairs the questions of a task scored with two models (right: TaskScore.Right or RightNorm of each).
func Compare(right, base []bool) (Difference, error) {
	if len(right) != len(base) || len(right) == 0 {
		return Difference{}, fmt.Errorf("eval: compare: expected the same questions, at least one, found %d and %d", len(right), len(base))
	}
	var d Difference
	diff := make([]float64, len(right))
	for i := range right {
		switch {
		case right[i] && !base[i]:
			diff[i], d.Gained = 1, d.Gained+1
		case !right[i] && base[i]:
			diff[i], d.Lost = -1, d.Lost+1
		}
	}
	d.Diff, d.Err = meanErr(diff)
	coins := distuv.Binomial{N: float64(d.Gained + d.Lost), P: 0.5}
	if d.P = 1; coins.N > 0 {
		d.P = min(1, 2*coins.CDF(float64(min(d.Gained, d.Lost))))
	}
	return d, nil
}

// MeanAccuracy is the plain mean of the tasks' acc, the questions being independent: its variance is the sum of theirs
// over the square of their number.
func MeanAccuracy(scores []TaskScore) (mean, err float64, n int) {
	for _, s := range scores {
		mean += s.Acc / float64(len(scores))
		err = math.Hypot(err, s.Err/float64(len(scores)))
		n += s.N
	}
	return mean, err, n
}

// ZeroShotMetrics returns the scores as metrics of a record: acc_TASK, acc_norm_TASK, p_chance_TASK and p_constant_TASK (the
// p-values of TaskScore.PChance and PConstant), and zero_shot_mean where all of the six tasks are there. With base, the scores of another model on the same questions in the same order, also the paired differences
// acc_diff_TASK and zero_shot_diff.
func ZeroShotMetrics(scores, base []TaskScore) ([]record.Metric, error) {
	var m []record.Metric
	add := func(name string, value, err float64, n int) {
		m = append(m, record.Metric{Name: name, Value: value, Stderr: err, N: n, Better: record.Higher})
	}
	all := len(scores) == len(tasks.All())
	for _, s := range scores {
		add("acc_"+s.Task, s.Acc, s.Err, s.N)
		if s.Normed {
			add("acc_norm_"+s.Task, s.Norm, s.NormErr, s.N)
		}
		m = append(m, record.Metric{Name: "p_chance_" + s.Task, Value: s.PChance(), N: s.N}, record.Metric{Name: "p_constant_" + s.Task, Value: s.PConstant(), N: s.N})
	}
	if all {
		mean, err, n := MeanAccuracy(scores)
		add("zero_shot_mean", mean, err, n)
	}
	if base == nil {
		return m, nil
	}
	if len(base) != len(scores) {
		return nil, fmt.Errorf("eval: zero-shot metrics: expected the same tasks twice, found %d and %d", len(scores), len(base))
	}
	var mean, err float64
	n := 0
	for i, s := range scores {
		if base[i].Task != s.Task {
			return nil, fmt.Errorf("eval: zero-shot metrics: expected the task %s, found %s", s.Task, base[i].Task)
		}
		d, e := Compare(s.Right, base[i].Right)
		if e != nil {
			return nil, e
		}
		add("acc_diff_"+s.Task, d.Diff, d.Err, s.N)
		mean += d.Diff / float64(len(scores))
		err = math.Hypot(err, d.Err/float64(len(scores)))
		n += s.N
	}
	if all {
		add("zero_shot_diff", mean, err, n)
	}
	return m, nil
}
