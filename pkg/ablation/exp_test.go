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
