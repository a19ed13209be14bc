package nb

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/illm-go/illm/pkg/ablation"
	"github.com/illm-go/illm/pkg/bench"
	"github.com/illm-go/illm/pkg/catalog"
	"github.com/illm-go/illm/pkg/model/modeltest"
	"github.com/illm-go/illm/pkg/ptq"
	"github.com/illm-go/illm/pkg/record"
)

// TestStale: a record answers as long as the arithmetic and the model's weights are those it was made with; the page says how
// many do not.
func TestStale(t *testing.T) {
	t.Setenv("ILLM_CACHE", t.TempDir())
	t.Setenv("ILLM_DATA", t.TempDir())
	model := modeltest.TinyQwen2(t)
	source := func() string {
		t.Helper()
		e, err := catalog.Open(t.Context(), model, catalog.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer e.Close()
		hash, err := e.Source()
		if err != nil {
			t.Fatal(err)
		}
		return hash
	}
	made := source()
	store, err := record.Open(record.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	for recipe, semantics := range map[string]int{"fp32": 0, "w8a8": ptq.Semantics, "w4a4": ptq.Semantics - 1} {
		r := record.Record{Kind: record.Quality, Semantics: semantics, Metrics: []record.Metric{{Name: "ppl", Value: 20}},
			Axes:   map[string]string{"model": model, "recipe": recipe, "corpus": "opticks"},
			Config: map[string]any{"window": 64, "windows": 1, "source_sha256": made}}
		if recipe != "fp32" {
			r.Config["clip"], r.Config["mode"] = "15", "illm"
		}
		if err := store.Append(&r); err != nil {
			t.Fatal(err)
		}
	}
	const sentence = "records of another version of the arithmetic or of other weights were left out"
	answered := func() (recipes []string, shown string, stale int) {
		t.Helper()
		b := capture(t)
		s := &Session{all: store, store: store, runner: &bench.Runner{Store: store}} // a cell: a process of its own
		defer s.Close()
		runs, err := s.Run(ablation.Models, ablation.Set("model", model), ablation.Set("recipe", "w8a8", "w4a4"), ablation.Set("corpus", "opticks"),
			ablation.Set("window", 64), ablation.Set("windows", 1), ablation.Stored())
		if err != nil {
			t.Fatal(err)
		}
		for i := range runs.Len() {
			if _, ok := runs.Number(i, "ppl_opticks"); ok {
				recipe, _ := runs.Text(i, "recipe")
				recipes = append(recipes, recipe)
			}
		}
		return recipes, b.String(), runs.Stale
	}
	if got, shown, stale := answered(); strings.Join(got, " ") != "fp32 w8a8" || stale != 1 || !strings.Contains(shown, "1 "+sentence) {
		t.Errorf("the weights as they were: answered %q, %d stale, shown %q; want fp32 and w8a8, and w4a4 of older arithmetic left out", got, stale, shown)
	}

	// The same name, other weights: one bit of the last tensor.
	path := filepath.Join(model, "model.safetensors")
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	raw[len(raw)-1] ^= 1
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	if source() == made {
		t.Fatal("the changed weights have the same hash")
	}
	if got, shown, stale := answered(); len(got) != 0 || stale != 3 || !strings.Contains(shown, "3 "+sentence) {
		t.Errorf("other weights: answered %q, %d stale, shown %q; want no row and all three records left out", got, stale, shown)
	}
	raw[len(raw)-1] ^= 1
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	if got, shown, _ := answered(); len(got) != 2 || strings.Contains(shown, "3 "+sentence) {
		t.Errorf("the weights back: answered %q, shown %q", got, shown)
	}
}
