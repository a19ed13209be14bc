package readme

import (
	"testing"
	"time"

	"github.com/illm-go/illm/pkg/record"
)

// The tables of widths are of the engine as it ships: rows of studies with other operators, a simulation or other widths,
// newer and on the same windows, do not get in.
func TestWidestIsOfTheEngine(t *testing.T) {
	var list []*record.Record
	add := func(ppl float64, age int, more map[string]any) {
		r := &record.Record{V: record.Version, Kind: record.Quality, Config: map[string]any{"task": "ppl", "first": 0, "window": 64, "recipe": "w8a8", "source_sha256": "a"},
			Axes:    map[string]string{"model": "m", "corpus": "c4", "recipe": "w8a8", "clip": "15", "mode": "illm", "windows": "1"},
			Metrics: []record.Metric{{Name: "ppl", Value: ppl}}, Windows: []record.WindowStat{{N: 63}}, Time: time.Unix(int64(1e9-age), 0)}
		for k, v := range more {
			r.Config[k] = v
		}
		list = append(list, r)
	}
	add(20, 100, nil)
	for i, k := range []string{"operators", "arithmetic", "kinds", "layers"} {
		add(30, i, map[string]any{k: "other"})
	}
	add(30, 5, map[string]any{"multiplier": 8})
	add(30, 6, map[string]any{"bins": 8})
	store := shipped(t, list)
	r := widest(store, "m", "c4", "")["w8a8"]
	if r == nil {
		t.Fatal("no record")
	}
	if m, _ := r.Metric("ppl"); m.Value != 20 {
		t.Errorf("perplexity %g of %v, want 20, the engine's", m.Value, r.Config)
	}
}
