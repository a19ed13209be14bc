package readme

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/illm-go/illm/pkg/record"
)

// shipped is a store that ships the records.
func shipped(t *testing.T, list []*record.Record) *record.Store {
	t.Helper()
	var lines []byte
	for _, r := range list {
		var err error
		if r.Key, err = r.ComputeKey(); err != nil {
			t.Fatal(err)
		}
		line, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		lines = append(append(lines, line...), '\n')
	}
	store, err := record.Open(record.Options{Shipped: fstest.MapFS{"a.jsonl": {Data: lines}}, Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	return store
}

// stored is a store of one quality record of tiny-llama on WikiText-2 for each recipe, with the perplexity given.
func stored(t *testing.T, ppl map[string]float64) *record.Store {
	t.Helper()
	var list []*record.Record
	for recipe, v := range ppl {
		r := &record.Record{V: record.Version, Kind: record.Quality, Config: map[string]any{"task": "ppl", "first": 0, "window": 1024, "recipe": recipe, "source_sha256": "a"},
			Axes:    map[string]string{"model": "tiny-llama", "corpus": "wikitext2", "recipe": recipe, "clip": "15", "mode": "illm", "windows": "1"},
			Metrics: []record.Metric{{Name: "ppl", Value: v}}, Windows: []record.WindowStat{{N: 1023}}, Time: time.Unix(1e9, 0)}
		list = append(list, r)
	}
	return shipped(t, list)
}

// A row's changes are against its own first column, in percent or, where they are large, as a ratio; a value that nothing
// answers is a dash, and a row of dashes is none.
func TestCrossed(t *testing.T) {
	store := stored(t, map[string]float64{"fp32": 20, "w8a8": 25, "w8a8-static": 30, "w8a8-static999": 2500, "w8a8-fsbr": 24})
	table, err := crossed(crossings["static"], store)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(table), "\n")
	want := []string{
		"| tiny-llama | 1 × 1024 | w8a8 | rtn | 25.00 | 30.00 (+20.0 %) | 2500 (× 100) | – | – |",
		"| tiny-llama | 1 × 1024 | w8a8 | fsbr | 24.00 | – | – | – | – |",
	}
	if got := lines[2:]; !slices.Equal(got, want) {
		t.Errorf("rows\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if table, err := crossed(crossings["nonlinear"], store); err != nil || !strings.Contains(table, "| tiny-llama | 1 × 1024 | w8a8 | 25.00 | – |") {
		t.Errorf("the integer row alone: %v\n%s", err, table)
	}
	if table, err := crossed(crossings["cumulative"], store); err != nil || table != "No records yet.\n" {
		t.Errorf("without a record: %v\n%s", err, table)
	}
}

func TestCombinations(t *testing.T) {
	got := combinations([]axis{{"a", []string{"1", "2"}}, {"b", []string{"x", "y"}}})
	want := [][]string{{"1", "x"}, {"1", "y"}, {"2", "x"}, {"2", "y"}}
	if !slices.EqualFunc(got, want, slices.Equal[[]string]) {
		t.Errorf("%v, want %v", got, want)
	}
}
