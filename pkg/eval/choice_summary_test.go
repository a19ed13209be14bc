package eval_test

import (
	"fmt"
	"math"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/illm-go/illm/pkg/eval"
	"github.com/illm-go/illm/pkg/eval/tasks"
	"github.com/illm-go/illm/pkg/record"
)

// question has a right choice and as many characters a choice as given.
func question(row, gold int, chars ...int) tasks.Question {
	q := tasks.Question{Row: row, Gold: gold}
	for _, n := range chars {
		q.Choices = append(q.Choices, tasks.Scored{Input: []int32{1}, Target: []int32{1}, Chars: n})
	}
	return q
}

// TestScoreTask counts by hand.
func TestScoreTask(t *testing.T) {
	questions := []tasks.Question{
		question(0, 1, 2, 8),       // −4 < −3 right; −2 < −0.375 right
		question(3, 0, 2, 8),       // −4 < −5 wrong way round: right; by character −2 < −0.625: wrong
		question(4, 0, 1, 1),       // a tie: the first choice
		question(5, 1, 1, 1, 1, 1), // a tie: wrong
	}
	answers := []eval.Answer{{Row: 0, LL: []float64{-4, -3}}, {Row: 3, LL: []float64{-4, -5}}, {Row: 4, LL: []float64{-1, -1}}, {Row: 5, LL: []float64{-1, -1, -1, -1}}}
	s, err := eval.ScoreTask("x", questions, answers, true)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(s.Right, []bool{true, true, true, false}) || !slices.Equal(s.RightNorm, []bool{true, false, true, false}) {
		t.Errorf("right %v, by character %v", s.Right, s.RightNorm)
	}
	// 3 of 4: s² = (3·(1/4)² + (3/4)²)/3 = 1/4, error √(1/4)/√4 = 1/4. 2 of 4: s² = 4·(1/2)²/3 = 1/3.
	for what, v := range map[string][2]float64{
		"acc": {s.Acc, 0.75}, "its error": {s.Err, 0.25}, "acc_norm": {s.Norm, 0.5}, "its error ": {s.NormErr, math.Sqrt(1.0 / 12)},
		"chance": {s.Chance, (3*0.5 + 0.25) / 4}, "constant": {s.Constant, 0.5},
	} {
		if math.Abs(v[0]-v[1]) > 1e-15 {
			t.Errorf("%s %v, expected %v", what, v[0], v[1])
		}
	}
	if !s.AtChance() || !s.Blind() {
		t.Error("3 of 4 is told from guessing (0.4375) or from a constant answer (0.5)")
	}
	s, err = eval.ScoreTask("x", questions, answers, false)
	if err != nil || s.RightNorm != nil || s.Norm != 0 {
		t.Errorf("%+v, %v: expected no acc_norm", s, err)
	}
	for _, bad := range [][]eval.Answer{answers[:3], {answers[1], answers[0], answers[2], answers[3]}, nil} {
		if _, err := eval.ScoreTask("x", questions, bad, true); err == nil || !strings.Contains(err.Error(), "eval: score x") {
			t.Errorf("%v: error %v", bad, err)
		}
	}
}

// TestChance: the p-values against sums over the binomial distribution by math/big.
func TestChance(t *testing.T) {
	tail := func(n, from, to int, p *big.Rat) float64 { // probability of from … to right answers of n
		sum, q := new(big.Rat), new(big.Rat).Sub(big.NewRat(1, 1), p)
		for k := max(from, 0); k <= to; k++ {
			term := new(big.Rat).SetInt(new(big.Int).Binomial(int64(n), int64(k)))
			for i := range n {
				if i < k {
					term.Mul(term, p)
				} else {
					term.Mul(term, q)
				}
			}
			sum.Add(sum, term)
		}
		v, _ := sum.Float64()
		return v
	}
	for _, n := range []int{1, 4, 25, 60} {
		for right := 0; right <= n; right += max(1, n/12) {
			for _, p := range []*big.Rat{big.NewRat(1, 2), big.NewRat(1, 4), big.NewRat(7, 16)} {
				level, _ := p.Float64()
				s := eval.TaskScore{N: n, Acc: float64(right) / float64(n), Chance: level, Constant: level}
				above := tail(n, right, n, p)
				two := min(1, 2*min(above, tail(n, 0, right, p)))
				if math.Abs(s.PChance()-two) > 1e-9 || math.Abs(s.PConstant()-above) > 1e-9 {
					t.Errorf("%d of %d at %v: p %v, %v, expected %v, %v", right, n, level, s.PChance(), s.PConstant(), two, above)
				}
				if s.AtChance() != (two > 0.05) || s.Blind() != (above > 0.025) {
					t.Errorf("%d of %d at %v: at chance %v, blind %v", right, n, level, s.AtChance(), s.Blind())
				}
			}
		}
	}
}

// TestCompare: exact McNemar tests from the binomial distribution by integers, and the paired error by hand.
func TestCompare(t *testing.T) {
	pairs := func(both, gained, lost, none int) (a, b []bool) {
		add := func(n int, x, y bool) {
			for range n {
				a, b = append(a, x), append(b, y)
			}
		}
		add(both, true, true)
		add(gained, true, false)
		add(lost, false, true)
		add(none, false, false)
		return a, b
	}
	for _, c := range []struct{ both, gained, lost, none int }{{10, 0, 0, 5}, {3, 1, 0, 2}, {5, 8, 2, 5}, {50, 2, 8, 40}, {0, 7, 7, 1}, {100, 30, 12, 58}} {
		a, b := pairs(c.both, c.gained, c.lost, c.none)
		d, err := eval.Compare(a, b)
		if err != nil {
			t.Fatal(err)
		}
		n := float64(len(a))
		mean := float64(c.gained-c.lost) / n
		variance := (float64(c.gained+c.lost) - n*mean*mean) / (n - 1)
		m, tail := c.gained+c.lost, 0.0
		for k := 0; k <= min(c.gained, c.lost); k++ { // Σ C(m, k)/2^m
			p := math.Exp2(-float64(m))
			for i := range k {
				p *= float64(m-i) / float64(i+1)
			}
			tail += p
		}
		want := eval.Difference{Diff: mean, Err: math.Sqrt(variance / n), Gained: c.gained, Lost: c.lost, P: min(1, 2*tail)}
		if d.Gained != want.Gained || d.Lost != want.Lost || math.Abs(d.Diff-want.Diff) > 1e-14 || math.Abs(d.Err-want.Err) > 1e-14 || math.Abs(d.P-want.P) > 1e-12 {
			t.Errorf("%+v: %+v, expected %+v", c, d, want)
		}
	}
	if _, err := eval.Compare([]bool{true}, nil); err == nil {
		t.Error("unequal numbers of questions: expected an error")
	}
}

// sixScores is scores on all tasks with the given questions right.
func sixScores(t *testing.T, right func(task, i int) bool) (out []eval.TaskScore) {
	t.Helper()
	for n, task := range tasks.All() {
		var questions []tasks.Question
		var answers []eval.Answer
		for i := range 10 {
			questions = append(questions, question(i, 1, 1, 1))
			ll := []float64{-1, -2}
			if right(n, i) {
				ll = []float64{-2, -1}
			}
			answers = append(answers, eval.Answer{Row: i, LL: ll})
		}
		s, err := eval.ScoreTask(task.Name, questions, answers, task.Normed)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, s)
	}
	return out
}

// TestZeroShotMetrics: names, the plain mean and its error, paired differences; no mean of fewer than six tasks.
func TestZeroShotMetrics(t *testing.T) {
	a := sixScores(t, func(task, i int) bool { return i < 3+task })
	b := sixScores(t, func(task, i int) bool { return i < 4+task })
	metrics, err := eval.ZeroShotMetrics(a, b)
	if err != nil {
		t.Fatal(err)
	}
	rec := record.Record{Metrics: metrics}
	get := func(name string) record.Metric {
		m, ok := rec.Metric(name)
		if !ok || m.Better != record.Higher {
			t.Errorf("metric %s: %+v", name, m)
		}
		return m
	}
	variance := 0.0
	for n, task := range tasks.All() {
		acc := float64(3+n) / 10
		variance += acc * (1 - acc) / 9 / 36
		if m := get("acc_" + task.Name); math.Abs(m.Value-acc) > 1e-15 || math.Abs(m.Stderr-math.Sqrt(acc*(1-acc)/9)) > 1e-15 || m.N != 10 {
			t.Errorf("%+v, expected %v", m, acc)
		}
		if m, ok := rec.Metric("p_chance_" + task.Name); !ok || m.Value != a[n].PChance() || m.Better != "" {
			t.Errorf("p_chance_%s: %+v", task.Name, m)
		}
		if _, ok := rec.Metric("acc_norm_" + task.Name); ok != task.Normed {
			t.Errorf("acc_norm_%s: %v, expected %v", task.Name, ok, task.Normed)
		}
		if m := get("acc_diff_" + task.Name); math.Abs(m.Value+0.1) > 1e-15 || math.Abs(m.Stderr-0.1) > 1e-15 {
			t.Errorf("%+v, expected −0.1 ± 0.1", m)
		}
	}
	if m := get("zero_shot_mean"); math.Abs(m.Value-0.55) > 1e-15 || math.Abs(m.Stderr-math.Sqrt(variance)) > 1e-15 || m.N != 60 {
		t.Errorf("%+v, expected 0.55 ± %v", m, math.Sqrt(variance))
	}
	if m := get("zero_shot_diff"); math.Abs(m.Value+0.1) > 1e-15 || math.Abs(m.Stderr-0.1/math.Sqrt(6)) > 1e-15 {
		t.Errorf("%+v, expected −0.1 ± %v", m, 0.1/math.Sqrt(6))
	}
	if metrics, err = eval.ZeroShotMetrics(a[:5], nil); err != nil {
		t.Fatal(err)
	}
	rec.Metrics = metrics
	if _, ok := rec.Metric("zero_shot_mean"); ok {
		t.Error("a mean of five tasks is no zero_shot_mean")
	}
	for _, base := range [][]eval.TaskScore{a[:4], {a[1], a[0], a[2], a[3], a[4], a[5]}} {
		if _, err := eval.ZeroShotMetrics(a, base); err == nil {
			t.Error("other tasks in the base: expected an error")
		}
	}
	if note := eval.ZeroShotNote(a); !strings.Contains(note, "at chance") || !strings.Contains(note, "piqa 0.300 (0.500)") || !strings.Contains(note, "winogrande 0.800 (0.500)") {
		t.Errorf("note %q", note)
	}
	if note := eval.ZeroShotNote([]eval.TaskScore{{Task: "x", N: 1000, Acc: 0.8, Chance: 0.5, Constant: 0.8}}); note != "no better than a constant answer: x 0.800 (0.800)" {
		t.Errorf("note %q", note)
	}
}

// Two models on the same four questions: what one got right and the other not counts, the rest tells nothing.
func ExampleCompare() {
	d, err := eval.Compare([]bool{true, true, false, true}, []bool{true, false, false, false})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%+.2f ± %.2f, gained %d, lost %d, p = %.1f\n", d.Diff, d.Err, d.Gained, d.Lost, d.P)
	// Output:
	// +0.50 ± 0.29, gained 2, lost 0, p = 0.5
}
