package main

import (
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/illm-go/illm/pkg/bench"
	"github.com/illm-go/illm/pkg/record"
)

// The float rows of a study on a backend: records that name it, with the scores of this program's own code.
func TestStudy(t *testing.T) {
	if testing.Short() {
		t.Skip("unpacks a model and compiles its programs")
	}
	text := filepath.Join(t.TempDir(), "text.txt")
	if err := os.WriteFile(text, []byte(strings.Repeat("The kettle was on the stove before the guests had come. ", 40)), 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"study", "methods", "-m", "tiny-opt", "-s", "corpus=" + text, "-s", "window=64", "-s", "windows=2", "-s", "width=w8a8", "-s", "method=fsbr"}
	dir := t.TempDir()
	out, err := run(t, append(args, "-s", "arithmetic=simulated", "--records", dir)...)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if !strings.Contains(out, "2 rows computed, 0 had a record, 0 have none") {
		t.Errorf("the command prints\n%s", out)
	}
	store, err := record.Open(record.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	mine, err := record.Open(record.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	r := &bench.Runner{Store: mine, Threads: 1}
	defer r.Close()
	own, err := r.Quality(t.Context(), bench.QualityRequest{Model: "tiny-opt", Corpus: text, Window: 64, Windows: 2, Variants: []bench.Variant{
		{Recipe: "fp32"}, {Recipe: "w8a8-fsbr", Arithmetic: bench.Simulated}}})
	if err != nil {
		t.Fatal(err)
	}
	for i, tolerance := range []float64{1e-5, 2e-3} { // the simulation's few ties that fall elsewhere, in 126 tokens
		found, ok := store.Find(own[i].Key)
		if !ok {
			t.Errorf("%s: no record under the key of this program's own", own[i].Axes["recipe"])
			continue
		}
		if found.Env.Backend != "go" {
			t.Errorf("%s: computed by %q", own[i].Axes["recipe"], found.Env.Backend)
		}
		a, _ := own[i].Metric("ppl")
		b, _ := found.Metric("ppl")
		if d := math.Abs(math.Log(b.Value / a.Value)); !(d < tolerance) {
			t.Errorf("%s: perplexity %v on the backend, %v here", own[i].Axes["recipe"], b.Value, a.Value)
		}
	}
	out, err = run(t, append(args, "-s", "arithmetic=integer", "--records", dir)...)
	if !errors.Is(err, errHoles) || !strings.Contains(err.Error(), "the integer engine runs on this processor") {
		t.Errorf("integers on a backend: error %v\n%s", err, out)
	}
	for kind, split := range map[string]bool{"": false, "go": false, "xla:cpu": false, "xla:cuda": true} {
		t.Setenv(backendVariable, kind)
		if _, got, err := floats(); err != nil || got != split {
			t.Errorf("backend %q: products are split: %v, %v", kind, got, err)
		}
	}
	for _, kind := range []string{"xla", "xla:/some/plugin.so", "stablehlo:cuda"} {
		t.Setenv(backendVariable, kind)
		if _, _, err := floats(); !errors.Is(err, errUsage) {
			t.Errorf("backend %q, of which it is not known how it multiplies: %v", kind, err)
		}
	}
	for _, bad := range [][]string{{"study", "metods"}, {"study", "methods", "-s", "corpus"}, {"study", "methods", "--batch-tokens", "-1"},
		{"study", "methods", "--threads", "-1"}, {"study", "methods", "-s", "width=w99"}, {"study", "methods", "-s", "nothing=1"}} {
		if out, err := run(t, bad...); !errors.Is(err, errUsage) {
			t.Errorf("%v: error %v, want wrong usage\n%s", bad, err, out)
		}
	}
}
