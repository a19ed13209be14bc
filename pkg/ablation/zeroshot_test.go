package ablation

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/illm-go/illm/pkg/eval"
	"github.com/illm-go/illm/pkg/eval/tasks"
	"github.com/illm-go/illm/pkg/record"
)

// answered is a record of made-up answers: piqa well above guessing, arc_easy at chance, boolq at the constant answer.
func answered(t *testing.T, base []eval.TaskScore) (*record.Record, []eval.TaskScore) {
	t.Helper()
	var scores []eval.TaskScore
	for _, task := range tasks.All() {
		n := 400
		s := eval.TaskScore{Task: task.Name, N: n, Acc: 0.8, Err: 0.02, Normed: task.Normed, Norm: 0.7, NormErr: 0.03, Chance: 0.5, Constant: 0.5, Right: make([]bool, n)}
		switch task.Name {
		case "arc_easy":
			s.Acc, s.Chance = 0.26, 0.25
		case "boolq":
			s.Acc, s.Chance, s.Constant = 0.6, 0.5, 0.62
		}
		for i := range int(s.Acc * float64(n)) {
			s.Right[i] = true
		}
		scores = append(scores, s)
	}
	m, err := eval.ZeroShotMetrics(scores, base)
	if err != nil {
		t.Fatal(err)
	}
	return &record.Record{Kind: record.Quality, Metrics: m, Note: eval.ZeroShotNote(scores)}, scores
}

// The marks are those of the package that wrote the note, and a table has the float model's row and its differences.
func TestZeroShotTable(t *testing.T) {
	fp, scores := answered(t, nil)
	chance, fixed := zeroShotMarks(fp.Note)
	if !maps.Equal(chance, map[string]bool{"arc_easy": true}) || !maps.Equal(fixed, map[string]bool{"boolq": true}) {
		t.Errorf("marks %v and %v of %q", chance, fixed, fp.Note)
	}
	store, err := record.Open(record.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	runs, err := ZeroShots.Run(context.Background(), store, Each(func(_ context.Context, c Config) (record.Record, error) {
		r, _ := answered(t, nil)
		if c["width"] != "fp32" {
			r, _ = answered(t, scores)
		}
		r.Config = c.Record().Config
		return *r, nil
	}), Set("width", "w4a4"), Set("method", "rtn", "fsbr"), Set("arithmetic", Integer))
	if err != nil {
		t.Fatal(err)
	}
	g, missing := runs.ZeroShotTable()
	if missing != 0 || len(g.Rows) != 3 {
		t.Fatalf("%d rows missing of\n%s", missing, g)
	}
	if row := strings.Join(g.Rows[0], "|"); row != "fp32|FP32|80.0 ± 2.0|26.0 ± 2.0°|80.0 ± 2.0|60.0 ± 2.0*|80.0 ± 2.0|80.0 ± 2.0|67.7 ± 0.8|–" {
		t.Errorf("float row %s", row)
	}
	if row := g.Rows[2]; row[1] != "FSBR" || !strings.HasPrefix(row[len(row)-1], "0.0 ± ") {
		t.Errorf("row %v", row)
	}
	// BoolQ and WinoGrande have no accuracy by length in the harness.
	norm, missing := runs.ZeroShotNormTable()
	if head := strings.Join(norm.Head, "|"); missing != 0 || head != "width|method|PIQA, acc_norm (%)|ARC-e, acc_norm (%)|ARC-c, acc_norm (%)|HellaSwag, acc_norm (%)" {
		t.Errorf("%d rows missing under %s", missing, head)
	}
	if row := strings.Join(norm.Rows[0], "|"); len(norm.Rows) != 3 || row != "fp32|FP32|70.0 ± 3.0|70.0 ± 3.0|70.0 ± 3.0|70.0 ± 3.0" {
		t.Errorf("float row of %d by length: %s", len(norm.Rows), row)
	}
	if s := runs.ZeroShotSentence(); !strings.Contains(s, "2 of 6 tasks say nothing") || !strings.Contains(s, "ARC-e, BoolQ") {
		t.Error(s)
	}
}

// A shipped record of the zero-shot tasks answers the study at its own number of questions and at no other.
func TestZeroShotMatches(t *testing.T) {
	r := &record.Record{Kind: record.Quality, Axes: map[string]string{"corpus": ZeroShot, "model": "tiny-llama", "recipe": "w4a4-fsbr", "clip": "15", "mode": "illm"},
		Config: map[string]any{"items": 500}}
	p := plan{study: ZeroShots, only: map[string][]string{}, fixed: map[string]string{"items": "500"}}
	configs, err := p.configs()
	if err != nil {
		t.Fatal(err)
	}
	if len(configs) != 1+4*5*2 {
		t.Errorf("%d configurations", len(configs))
	}
	at := slices.IndexFunc(configs, func(c Config) bool { return matches(r, c) })
	if at < 0 || configs[at]["arithmetic"] != Integer || configs[at]["width"] != "w4a4" || configs[at]["method"] != "fsbr" {
		t.Errorf("the record answers %d", at)
	}
	r.Config["items"] = 100
	if slices.ContainsFunc(configs, func(c Config) bool { return matches(r, c) }) {
		t.Error("a record of 100 questions a task answers a study of 500")
	}
}

// The final table stands on every question however many rows have fewer, and on its five rows alone; what computed a row in the
// engine's place stands in its note and marks no task.
func TestEveryQuestion(t *testing.T) {
	store, err := record.Open(record.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	file := func(items string, options ...Option) {
		t.Helper()
		_, err := ZeroShots.Run(context.Background(), store, Each(func(_ context.Context, c Config) (record.Record, error) {
			r, _ := answered(t, nil)
			r.Config, r.Note = c.Record().Config, r.Note+"; answered by xla:cuda"
			if c["items"] != items {
				t.Errorf("%v asks for %s questions, want %s", c, c["items"], items)
			}
			if err := store.Append(r); err != nil {
				t.Fatal(err)
			}
			return *r, nil
		}), options...)
		if err != nil {
			t.Fatal(err)
		}
	}
	file("500", Set("items", 500))
	file("0", EveryQuestion()...)
	runs, err := ZeroShots.Run(context.Background(), store, nil, append(EveryQuestion(), Stored())...)
	if err != nil {
		t.Fatal(err)
	}
	g, missing := runs.ZeroShotTable()
	var rows []string
	for _, row := range g.Rows {
		rows = append(rows, row[0]+" "+row[1])
	}
	if want := []string{"fp32 FP32", "w8a8 FSBR, simulated", "w8a8 FSBR", "w4a4 FSBR, simulated", "w4a4 FSBR"}; missing != 0 || !slices.Equal(rows, want) {
		t.Errorf("%d missing, rows %q, want %q", missing, rows, want)
	}
	for _, r := range runs.Records() {
		if r.Config["items"] != "0" {
			t.Errorf("a row on %v questions a task", r.Config["items"])
		}
		if chance, fixed := zeroShotMarks(r.Note); !maps.Equal(chance, map[string]bool{"arc_easy": true}) || !maps.Equal(fixed, map[string]bool{"boolq": true}) {
			t.Errorf("marks %v and %v of %q", chance, fixed, r.Note)
		}
	}
}

// Rows that were asked fewer questions than the float model stand in the table with their number, where rows may have their own.
func TestZeroShotOwnItems(t *testing.T) {
	store, err := record.Open(record.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	for items, methods := range map[string][]string{"500": {"rtn"}, "100": {"rtn", "fsbr"}, "0": {"rtn"}} {
		_, err := ZeroShots.Run(context.Background(), store, Each(func(_ context.Context, c Config) (record.Record, error) {
			r, _ := answered(t, nil)
			r.Config = c.Record().Config
			if err := store.Append(r); err != nil {
				t.Fatal(err)
			}
			return *r, nil
		}), Set("items", items), Set("width", "w4a4"), Set("method", methods), Set("arithmetic", Integer))
		if err != nil {
			t.Fatal(err)
		}
	}
	runs, err := ZeroShots.Run(context.Background(), store, nil, Set("width", "w4a4"), Set("method", "rtn", "fsbr"), Set("arithmetic", Integer), OwnWindows(), Stored())
	if err != nil {
		t.Fatal(err)
	}
	g, missing := runs.ZeroShotTable()
	var names []string
	for _, row := range g.Rows {
		names = append(names, row[1])
	}
	if want := []string{"FP32", "RTN", "FSBR (100)"}; missing != 0 || !slices.Equal(names, want) {
		t.Errorf("rows %q, %d missing; want %q", names, missing, want)
	}
}
