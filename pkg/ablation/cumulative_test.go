package ablation

import (
	"testing"

	"github.com/illm-go/illm/pkg/record"
)

// The rows of T5 are found among records that other studies made, each under its own spelling.
func TestCumulative(t *testing.T) {
	store, err := record.Open(record.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range []struct{ recipe, arithmetic, operators string }{
		{"fp32", "", ""},
		{"w4a4-smoothquant", "simulated", ""},
		{"w4a4-omniquant", "simulated", ""},
		{"w4a4-fsbr", "simulated", ""},
		{"w4a4-fsbr", "", "float32"},
		{"w4a4-fsbr", "", "float32:activation+norm"},
		{"w4a4-fsbr", "", "float32:norm"},
		{"w4a4-fsbr", "", ""},
	} {
		rec := &record.Record{Kind: record.Quality, Axes: map[string]string{"model": "tiny-llama", "recipe": r.recipe, "corpus": "c4", "windows": "3"},
			Config: map[string]any{"window": 2048, "i": i}, Metrics: []record.Metric{{Name: "ppl", Value: float64(10 + i)}}}
		for name, v := range map[string]string{"arithmetic": r.arithmetic, "operators": r.operators} {
			if v != "" {
				rec.Axes[name] = v
			}
		}
		if err := store.Append(rec); err != nil {
			t.Fatal(err)
		}
	}
	runs, err := Cumulative.Run(t.Context(), store, nil, Set("width", "w4a4"), Set("corpus", "c4"))
	if err != nil {
		t.Fatal(err)
	}
	if runs.Len() != 8 || runs.Count()[Missing] != 0 {
		t.Fatalf("%d rows, %d missing: %v", runs.Len(), runs.Count()[Missing], runs.Err())
	}
	for i := range runs.Len() {
		if v, ok := runs.Number(i, "ppl_c4"); !ok || v.Y != float64(10+i) {
			name, _ := runs.Text(i, "method")
			t.Errorf("row %d (%s): %v, want %d", i, name, v.Y, 10+i)
		}
	}
}
