package readme

import (
	"strings"
	"testing"
	"time"

	"github.com/illm-go/illm/pkg/record"
)

// A model's row has its questions, its float mean and the paired differences of what is on record at every question; answers to
// fewer are no part of it.
func TestQuestions(t *testing.T) {
	var list []*record.Record
	for i, c := range []struct {
		recipe, arithmetic string
		items              int
		mean, diff         float64
	}{{"fp32", "", 0, 0.44, 0}, {"w8a8-fsbr", "", 0, 0.435, -0.005}, {"w4a4-fsbr", "simulated", 0, 0.4, -0.04}, {"w8a8-fsbr", "simulated", 500, 0.9, 0.46}} {
		r := &record.Record{V: record.Version, Kind: record.Quality, Time: time.Unix(1e9+int64(i), 0),
			Config: map[string]any{"task": "zero_shot", "items": c.items, "recipe": c.recipe, "source_sha256": "a"},
			Axes:   map[string]string{"model": "smollm2", "corpus": "zeroshot", "recipe": c.recipe, "questions": "19965"},
			Metrics: []record.Metric{{Name: "zero_shot_mean", Value: c.mean, Stderr: 0.004, N: 19965},
				{Name: "zero_shot_diff", Value: c.diff, Stderr: 0.002, N: 19965}}}
		if c.recipe == "fp32" {
			r.Metrics = r.Metrics[:1]
		} else {
			r.Axes["clip"], r.Axes["mode"] = "15", "illm"
		}
		if c.arithmetic != "" {
			r.Axes["arithmetic"] = c.arithmetic
		}
		list = append(list, r)
	}
	store := shipped(t, list)
	table, err := questions(store)
	if err != nil {
		t.Fatal(err)
	}
	want := "| smollm2 | 19965 | 44.0 ± 0.4 | – | 43.5 ± 0.4 (-0.5 ± 0.2) | 40.0 ± 0.4 (-4.0 ± 0.2) | – |\n"
	if rows := strings.SplitAfter(table, "\n"); len(rows) != 4 || rows[2] != want {
		t.Errorf("table\n%swant the row\n%s", table, want)
	}
}
