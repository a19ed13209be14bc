package ablation

import (
	"context"
	"strings"
	"testing"

	"github.com/illm-go/illm/pkg/baseline"
	"github.com/illm-go/illm/pkg/quant"
	"github.com/illm-go/illm/pkg/record"
)

// TestExpSpells: every point of the study names operators that exist, and no two points the same ones.
func TestExpSpells(t *testing.T) {
	store, err := record.Open(record.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	ev := Each(func(_ context.Context, c Config) (record.Record, error) {
		r := c.Record()
		r.Metrics = []record.Metric{{Name: "ppl", Value: 1}}
		if c["recipe"] == "fp32" {
			return r, nil
		}
		spec, err := quant.NewSpec(c["recipe"], c["clip"], c["mode"])
		if err != nil {
			return r, err
		}
		name, ok := strings.CutPrefix(c["operators"], "exp:")
		if !ok {
			t.Errorf("%s: operators %q", c, c["operators"])
		}
		if _, err := baseline.WithExp(spec, name); err != nil {
			t.Errorf("%s: %v", c, err)
		}
		if seen[name] {
			t.Errorf("%s twice", name)
		}
		seen[name] = true
		return r, nil
	})
	runs, err := Exp.Run(context.Background(), store, ev, Set("corpus", "c4"), Set("score", 4, 8, 16), Set("prob", 15, 7), Set("sites", "softmax", "softmax+sigmoid"))
	if err != nil || runs.Err() != nil {
		t.Fatal(err, runs.Err())
	}
	if want := 12 * len(baseline.Exponentials()); len(seen) != want {
		t.Errorf("%d points, want %d", len(seen), want)
	}
}

func TestExpRefuses(t *testing.T) {
	for name, level := range map[string]any{"exp": "taylor9", "score": 17, "prob": 16, "sites": "sigmoid"} {
		if _, err := Exp.Run(context.Background(), nil, nil, Set(name, level)); err == nil || !strings.Contains(err.Error(), "not allowed") {
			t.Errorf("%s = %v: %v", name, level, err)
		}
	}
}

func TestExpTables(t *testing.T) {
	g, err := ExpErrors(quant.DefaultClip)
	if err != nil || len(g.Rows) != len(baseline.Exponentials()) {
		t.Fatalf("%d rows, %v", len(g.Rows), err)
	}
	if _, err := ExpErrors(0); err == nil || !strings.Contains(err.Error(), "above 0") {
		t.Errorf("no clip: %v", err)
	}
}

// TestExpFront: of made-up times, the front has what nothing beats in both: the quickest and each more exact one.
func TestExpFront(t *testing.T) {
	store, err := record.Open(record.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ExpFront(store, quant.DefaultClip, baseline.FormDirect, 16, 64); err == nil || !strings.Contains(err.Error(), "no timing record") {
		t.Errorf("without records: %v", err)
	}
	for name, ns := range map[string]float64{"di-exp": 0.1, "di-exp+": 0.2, "lut8": 0.15, "taylor2": 0.3, "lut64i": 0.4} {
		r := record.Record{Kind: record.Timing, Config: map[string]any{"task": "exp", "exp": name}, Metrics: []record.Metric{{Name: "ns_elem", Value: ns}},
			Axes: map[string]string{"study": "exp", "exp": name, "form": baseline.FormDirect, "score": "16", "row": "64"}}
		if err := store.Append(&r); err != nil {
			t.Fatal(err)
		}
	}
	c, err := ExpFront(store, quant.DefaultClip, baseline.FormDirect, 16, 64)
	if err != nil {
		t.Fatal(err)
	}
	var front []string
	for _, p := range c.Series[0].Points {
		front = append(front, p.Label)
	}
	// taylor2 (0.047) is slower and less exact than di-exp+ (0.002)
	if got := strings.Join(front, " "); got != "di-exp di-exp+ lut8 lut64i" {
		t.Errorf("front %q", got)
	}
	if len(c.Series[1].Points) != 1 || c.Series[1].Points[0].Label != "taylor2" {
		t.Errorf("behind: %v", c.Series[1].Points)
	}
	if err := c.Validate(); err != nil {
		t.Error(err)
	}
	if g := ExpTimes(store, baseline.FormDirect, 16); len(g.Rows) != 5 || g.Head[1] != "64 keys" || g.Rows[0][1] != "0.10" {
		t.Errorf("times: %v", g)
	}
}
