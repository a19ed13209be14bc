package nb

import (
	"testing"

	"github.com/illm-go/illm/pkg/ablation"
	"github.com/illm-go/illm/pkg/record"
)

// With FullEnv a cell that shows records computes them, keeps the result, and a second run goes on from there.
func TestFullComputes(t *testing.T) {
	if testing.Short() {
		t.Skip("runs a model")
	}
	t.Setenv(FullEnv, "1")
	t.Setenv("ILLM_RECORDS", t.TempDir())
	options := []ablation.Option{ablation.Set("recipe", "w8a8"), ablation.Set("clip", 15), ablation.Set("corpus", "opticks"), ablation.Set("window", 64), ablation.Set("windows", 1),
		ablation.WithoutBase(), ablation.Stored()}
	for i, want := range []string{ablation.Computed, ablation.Found} {
		s := Open()
		runs, err := s.Run(ablation.Clip, options...)
		if err != nil || runs.Err() != nil {
			t.Fatal(err, runs.Err())
		}
		if n := runs.Count(); n[want] != 1 {
			t.Errorf("run %d: origins %v, want one %s", i, n, want)
		}
		s.Close()
	}
	for _, r := range Open().store.Filter(func(*record.Record) bool { return true }) {
		if r.Shipped {
			t.Fatal("a shipped record counts")
		}
	}
}
