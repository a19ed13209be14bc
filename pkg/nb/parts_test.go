package nb

import (
	"slices"
	"testing"

	"github.com/illm-go/illm/pkg/ablation"
	"github.com/illm-go/illm/pkg/bench"
	"github.com/illm-go/illm/pkg/model/modeltest"
	"github.com/illm-go/illm/pkg/record"
)

func TestFit(t *testing.T) {
	for _, c := range []struct {
		sizes  []int64
		budget int64
		ends   []int
	}{
		{[]int64{4, 4, 4}, 12, []int{3}},
		{[]int64{4, 4, 4}, 11, []int{2, 3}},
		{[]int64{4, 4, 4}, -5, []int{1, 2, 3}},
		{[]int64{9, 1, 1, 9, 1}, 10, []int{2, 4, 5}},
		{nil, 10, []int{0}},
	} {
		if got := fit(c.sizes, c.budget); !slices.Equal(got, c.ends) {
			t.Errorf("sizes %d, budget %d: parts end at %d, expected %d", c.sizes, c.budget, got, c.ends)
		}
	}
}

// TestFewAtOnce: with memory for one model at a time a study has the results that it has with memory for all, and its records
// come one after the other instead of all at the end.
func TestFewAtOnce(t *testing.T) {
	t.Setenv("ILLM_CACHE", t.TempDir())
	t.Setenv("ILLM_DATA", t.TempDir())
	model := modeltest.TinyQwen2(t)
	results := func(free int64) (nll []float64, parts int) {
		t.Helper()
		old := availableMemory
		availableMemory = func() (int64, bool) { return free, true }
		defer func() { availableMemory = old }()
		store, err := record.Open(record.Options{Dir: t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		e := stored{&bench.Runner{Store: store}}
		var configs []ablation.Config
		for _, recipe := range []string{"w8a8", "w6a6", "w4a4"} {
			configs = append(configs, ablation.Config{"model": model, "recipe": recipe, "clip": "15", "corpus": "opticks", "window": "64", "windows": "2"})
		}
		err = e.Evaluate(t.Context(), configs, func(i int, r record.Record) error {
			if i != len(nll) {
				t.Errorf("result %d came as number %d", i, len(nll))
			}
			for _, m := range r.Metrics {
				if m.Name == "nll" {
					nll = append(nll, m.Value)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return nll, len(e.parts(t.Context(), configs))
	}
	all, one := results(1 << 40)
	few, three := results(1 << 10)
	if one != 1 || three != 3 {
		t.Errorf("%d parts with much memory and %d with little, expected 1 and 3", one, three)
	}
	if len(all) != 3 || !slices.Equal(all, few) {
		t.Errorf("%v with much memory, %v with little", all, few)
	}
}
