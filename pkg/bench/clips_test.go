package bench_test

import (
	"strings"
	"testing"

	"github.com/illm-go/illm/pkg/bench"
	"github.com/illm-go/illm/pkg/catalog"
	"github.com/illm-go/illm/pkg/model/modeltest"
	"github.com/illm-go/illm/pkg/quant"
	"github.com/illm-go/illm/pkg/smooth"
)

// Records of a recipe with clips by layer say so and never mix with those without, in integers and simulated.
func TestClipsInRecords(t *testing.T) {
	t.Setenv("ILLM_CACHE", t.TempDir())
	t.Setenv("ILLM_DATA", t.TempDir())
	t.Setenv(catalog.FactorsVariable, "")
	name := modeltest.Tiny(t)
	e, err := catalog.Open(ctx, name, catalog.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	source, err := e.Source()
	if err != nil {
		t.Fatal(err)
	}
	cfg, _, err := e.Weights()
	if err != nil {
		t.Fatal(err)
	}
	f := &smooth.Factors{Meta: map[string]string{smooth.MetaMethod: "fsbr", smooth.MetaSource: source, smooth.MetaRecipe: "w8a8"}}
	list := make(quant.Clips, cfg.Layers)
	list[0] = 8000
	write := func(f *smooth.Factors) { // under one name, so that nothing but the list differs
		t.Helper()
		r, err := quant.ParseRecipe("w8a8-fsbr")
		if err != nil {
			t.Fatal(err)
		}
		path, err := e.FactorsPath(r)
		if err == nil {
			err = f.Write(path)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	dir := t.TempDir()
	req := bench.QualityRequest{Model: name, Corpus: text(t), Window: 64, Windows: 2, Variants: []bench.Variant{{Recipe: "w8a8-fsbr"}, {Recipe: "w8a8-fsbr", Arithmetic: bench.Simulated}}}
	keys := map[string]bool{}
	for _, with := range []bool{false, true} {
		want := any(nil)
		if write(f); with {
			write(f.WithClips(list, nil))
			want = list.String()
		}
		recs, err := runner(t, dir).Quality(ctx, req)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range recs {
			keys[r.Key] = true
			if r.Config["clips"] != want || r.Axes["clip"] != "15" {
				t.Errorf("clips %v beside clip %s, want %v", r.Config["clips"], r.Axes["clip"], want)
			}
		}
	}
	if len(keys) != 4 {
		t.Errorf("%d keys, want 4: with and without the list, in integers and simulated", len(keys))
	}
	req.Variants = []bench.Variant{{Recipe: "w8a8-fsbr", Clip: "12"}}
	if _, err := runner(t, dir).Quality(ctx, req); err == nil || !strings.Contains(err.Error(), "clip 12 beside clips by layer") {
		t.Errorf("another clip beside the list: %v", err)
	}
	req.Variants = []bench.Variant{{Recipe: "w8a8-fsbr", Operators: "half"}}
	if _, err := runner(t, dir).Quality(ctx, req); err == nil || !strings.Contains(err.Error(), "expected the integer operators") {
		t.Errorf("a rival's operators beside the list: %v", err)
	}
}
