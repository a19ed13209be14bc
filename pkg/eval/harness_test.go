package eval_test

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"math"
	"os"
	"testing"

	"github.com/illm-go/illm/pkg/eval"
	"github.com/illm-go/illm/pkg/eval/tasks"
	"github.com/illm-go/illm/pkg/floatref"
	"github.com/illm-go/illm/pkg/model"
)

// harness is what testdata/harness.py writes.
type harness struct {
	Oracle string
	Model  string `json:"model_sha256"`
	Window int
	Tasks  map[string]struct {
		Items  int
		SHA256 string
		Rows   []struct {
			Row     int
			LL      []float64
			Acc     int
			AccNorm *int `json:"acc_norm"`
		}
	}
}

func readHarness(t *testing.T) (h harness) {
	t.Helper()
	f, err := os.Open("testdata/harness.json.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err == nil {
		err = json.NewDecoder(z).Decode(&h)
	}
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// TestHarnessItems: the hash of every task's items, pinned in package tasks, is that of the requests that
// lm-evaluation-harness makes of the same files with its own templates.
func TestHarnessItems(t *testing.T) {
	h := readHarness(t)
	for _, task := range tasks.All() {
		want := h.Tasks[task.Name]
		if task.Items != want.Items || task.SHA256 != want.SHA256 {
			t.Errorf("%s: %d items with sha256 %s, expected %d with %s", task.Name, task.Items, task.SHA256, want.Items, want.SHA256)
		}
		if len(want.Rows) < 200 {
			t.Errorf("%s: %d items scored by the harness, expected at least 200", task.Name, len(want.Rows))
		}
		if (want.Rows[0].AccNorm != nil) != task.Normed {
			t.Errorf("%s: acc_norm is defined: %v, the harness says otherwise", task.Name, task.Normed)
		}
	}
}

// TestHarness compares log-likelihoods and predictions of the shipped model with those of lm-evaluation-harness on
// transformers in float32: a few items of each task, all of the fixture with ILLM_HARNESS=all.
func TestHarness(t *testing.T) {
	if testing.Short() {
		t.Skip("runs a model")
	}
	if os.Getenv("ILLM_DATA") == "" {
		t.Skip("set ILLM_DATA to the folder of evaluation data")
	}
	m, err := model.Open("../../data/models/tiny-llama")
	if errors.Is(err, fs.ErrNotExist) {
		t.Skip("the shipped model is not in this checkout")
	}
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	h := readHarness(t)
	if m.Config.MaxContext != h.Window {
		t.Fatalf("window of %d tokens, expected %d", m.Config.MaxContext, h.Window)
	}
	lm, err := floatref.New(m, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, task := range tasks.All() {
		set, err := tasks.Load(context.Background(), task, tasks.Options{})
		if err != nil {
			t.Error(err)
			continue
		}
		want := h.Tasks[task.Name].Rows
		if os.Getenv("ILLM_HARNESS") != "all" {
			want = want[:4]
		}
		var items []tasks.Item
		for _, w := range want {
			items = append(items, set.Items[w.Row])
		}
		questions, err := tasks.Encode(items, m.Tokenizer, m.Config.MaxContext)
		if err != nil {
			t.Fatal(err)
		}
		answers, err := eval.Choose(context.Background(), lm, questions, eval.ChoiceOptions{})
		if err != nil {
			t.Fatal(err)
		}
		score, err := eval.ScoreTask(task.Name, questions, answers, task.Normed)
		if err != nil {
			t.Fatal(err)
		}
		worst := 0.0
		for i, w := range want {
			for j, ll := range w.LL {
				worst = max(worst, math.Abs(ll-answers[i].LL[j]))
			}
			if score.Right[i] != (w.Acc == 1) || task.Normed && score.RightNorm[i] != (*w.AccNorm == 1) {
				t.Errorf("%s, item %d: another prediction than the harness: %v, expected %v", task.Name, w.Row, answers[i].LL, w.LL)
			}
		}
		if worst > 1e-3 {
			t.Errorf("%s: log-likelihoods differ by up to %.2g, expected at most 1e-3", task.Name, worst)
		}
		t.Logf("%-13s %d items, log-likelihoods within %.1e", task.Name, len(want), worst)
	}
}
