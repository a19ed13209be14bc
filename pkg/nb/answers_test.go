package nb

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/illm-go/illm/pkg/catalog"
	"github.com/illm-go/illm/pkg/chart"
	"github.com/illm-go/illm/pkg/record"
)

// Every question and every difference has a text, and of the shipped models one that stands on records.
func TestAnswers(t *testing.T) {
	if testing.Short() {
		t.Skip("quantises a model and reads all records")
	}
	if catalog.Here(catalog.TinyLlama) != nil {
		t.Skip("the model is not in this checkout")
	}
	s := Open()
	defer s.Close()
	answers, err := s.Answers(catalog.TinyLlama, catalog.TinyOPT, "opticks", 16)
	if err != nil {
		t.Fatal(err)
	}
	if len(answers) != 13 {
		t.Errorf("%d answers, expected one to each of 13 questions", len(answers))
	}
	for _, a := range answers {
		first, _, _ := strings.Cut(a.Text, "\n") // of the shipped model
		if !strings.HasSuffix(a.Question, "?") || first == "" || strings.Contains(first, "ecords yet") && !strings.Contains(a.Question, "chance") {
			t.Errorf("an answer without a record: %q", a.String())
		}
	}
	differences, err := s.Differences()
	if err != nil || len(differences) == 0 {
		t.Fatalf("%d differences, %v", len(differences), err)
	}
	for _, d := range differences {
		if first, _, _ := strings.Cut(d.Text, "\n"); first == "" || strings.Contains(d.Text, "ecords yet") || !strings.HasPrefix(d.Command, "illm study show ") {
			t.Errorf("a difference without a record or a command: %q", d.String())
		}
	}
	// of SmolLM2's simulated rows each of OmniQuant's part that FSBR has too is one comparison
	simulated := map[string]bool{}
	for _, r := range s.all.Filter(func(r *record.Record) bool {
		return r.Axes["model"] == smollm2 && r.Axes["arithmetic"] == "simulated" && (r.Axes["corpus"] == "wikitext2" || r.Axes["corpus"] == "c4")
	}) {
		simulated[r.Axes["recipe"]+" "+r.Axes["corpus"]] = true
	}
	pairs := 0
	for name := range simulated {
		if strings.Contains(name, "-omniquant ") && simulated[strings.Replace(name, "-omniquant ", "-fsbr ", 1)] {
			pairs++
		}
	}
	at := slices.IndexFunc(differences, func(d Finding) bool { return strings.HasPrefix(d.Question, "FSBR beside") })
	if want := fmt.Sprintf("of %d comparisons", pairs); at < 0 || pairs == 0 || !strings.Contains(differences[at].Text[strings.LastIndex(differences[at].Text, "\n"):], want) {
		t.Errorf("FSBR on %s: want %q, found %v", smollm2, want, differences)
	}
}

func TestLargest(t *testing.T) {
	g := chart.Grid{Head: []string{"what", "k"}, Rows: [][]string{{"9", "3"}, {"a", "12"}, {"b", "–"}, {"c"}}}
	if n := largest(g, "k"); n != 12 {
		t.Errorf("largest k %d, expected 12", n)
	}
	if n := largest(g, "m"); n != 0 {
		t.Errorf("a column that is not there: %d", n)
	}
}

// A model on this machine is counted itself, another one by its records, and a name of nothing is an error.
func TestBlocks(t *testing.T) {
	s := Open()
	defer s.Close()
	if catalog.Here(catalog.TinyLlama) == nil {
		if n, err := s.Blocks(catalog.TinyLlama); n != 9 || err != nil {
			t.Errorf("tiny-llama: %d blocks, %v; it has 9", n, err)
		}
	}
	t.Setenv("ILLM_CACHE", t.TempDir())
	t.Setenv("ILLM_DATA", t.TempDir())
	if _, err := s.Blocks("no-such-model"); err == nil {
		t.Error("a model that is nowhere has blocks")
	}
}
