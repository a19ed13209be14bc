package bench_test

import (
	"bytes"
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/illm-go/illm/pkg/bench"
	"github.com/illm-go/illm/pkg/model/modeltest"
	"github.com/illm-go/illm/pkg/record"
)

var ctx = context.Background()

// text is a file of our own, 4 windows of 64 bytes and a rest.
func text(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "text.txt")
	if err := os.WriteFile(path, bytes.Repeat([]byte("integers all the way down; "), 10), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func runner(t *testing.T, dir string) *bench.Runner {
	t.Helper()
	store, err := record.Open(record.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	r := &bench.Runner{Store: store, Threads: 2}
	t.Cleanup(r.Close)
	return r
}

func metric(t *testing.T, r *record.Record, name string) float64 {
	t.Helper()
	m, ok := r.Metric(name)
	if !ok {
		t.Fatalf("record %v has no metric %s", r.Axes, name)
	}
	return m.Value
}

func TestQuality(t *testing.T) {
	t.Setenv("ILLM_CACHE", t.TempDir())
	t.Setenv("ILLM_DATA", t.TempDir())
	dir := t.TempDir()
	req := bench.QualityRequest{Model: modeltest.Tiny(t), Corpus: text(t), Window: 64,
		Variants: []bench.Variant{{Recipe: "fp32"}, {Recipe: "w8a8"}, {Recipe: "w4a4", Clip: "10"}}}

	r := runner(t, dir)
	first, err := r.Quality(ctx, req)
	if err != nil {
		t.Fatal(err)
	}
	if len(first) != 3 {
		t.Fatalf("%d records for 3 variants", len(first))
	}
	fp, w8, w4 := first[0], first[1], first[2]
	if len(w8.Windows) != 4 || w8.Artefact == "" || w8.Corpus == "" || w8.Semantics == 0 {
		t.Errorf("record %v: %d windows, artefact %q, corpus %q, semantics %d", w8.Axes, len(w8.Windows), w8.Artefact, w8.Corpus, w8.Semantics)
	}
	// the base that a variant was compared with is the float model of its own record
	for i := range fp.Windows {
		if fp.Windows[i].NLL != w8.Windows[i].BaseNLL {
			t.Errorf("window %d: float model %v, compared with %v", i, fp.Windows[i].NLL, w8.Windows[i].BaseNLL)
		}
	}
	if d := math.Abs(metric(t, w8, "ln_ppl_ratio")); !(d < 0.05) {
		t.Errorf("w8a8: ln PPL ratio %v, want below 0.05", d)
	}
	if a, b := metric(t, w8, "kld_mean"), metric(t, w4, "kld_mean"); !(0 < a && a < b) {
		t.Errorf("KL divergence %v at 8 bits, %v at 4: want 0 < first < second", a, b)
	}
	if w4.Axes["clip"] != "10" || fp.Axes["clip"] != "" {
		t.Errorf("clip axes %q and %q, want 10 and none for fp32", w4.Axes["clip"], fp.Axes["clip"])
	}
	if metric(t, w8, "saturated") != 0 {
		t.Error("the residual stream saturated")
	}

	// a new process finds the records and runs nothing
	again := runner(t, dir)
	steps := 0
	again.Progress = func(p bench.Progress) {
		if p.Took > 0 {
			steps++
		}
	}
	second, err := again.Quality(ctx, req)
	if err != nil {
		t.Fatal(err)
	}
	for i := range second {
		if second[i].Key != first[i].Key {
			t.Errorf("variant %d: key %s, first run %s", i, second[i].Key[:8], first[i].Key[:8])
		}
	}
	if steps != 0 {
		t.Errorf("%d windows were scored again", steps)
	}
}

// A run that is stopped keeps its finished windows, and the rest gives the same numbers.
func TestQualityResumes(t *testing.T) {
	t.Setenv("ILLM_CACHE", t.TempDir())
	t.Setenv("ILLM_DATA", t.TempDir())
	req := bench.QualityRequest{Model: modeltest.Tiny(t), Corpus: text(t), Window: 64, Variants: []bench.Variant{{Recipe: "w6a6"}}}
	whole, err := runner(t, t.TempDir()).Quality(ctx, req)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	stop, cancel := context.WithCancel(ctx)
	r := runner(t, dir)
	r.Progress = func(p bench.Progress) {
		if p.Took > 0 && p.Window == 1 {
			cancel()
		}
	}
	if _, err := r.Quality(stop, req); !errors.Is(err, context.Canceled) {
		t.Fatalf("stopped run: error %v", err)
	}
	r = runner(t, dir)
	var windows []int
	r.Progress = func(p bench.Progress) {
		if p.Took > 0 && !strings.Contains(p.What, "base") {
			windows = append(windows, p.Window)
		}
	}
	rest, err := r.Quality(ctx, req)
	if err != nil {
		t.Fatal(err)
	}
	if len(windows) == 0 || windows[0] == 0 {
		t.Errorf("the second run scored windows %v: window 0 was kept", windows)
	}
	if a, b := metric(t, whole[0], "ppl"), metric(t, rest[0], "ppl"); a != b {
		t.Errorf("perplexity %v in one run, %v in two", a, b)
	}
}

func TestSpeed(t *testing.T) {
	t.Setenv("ILLM_CACHE", t.TempDir())
	t.Setenv("ILLM_DATA", t.TempDir())
	recs, err := runner(t, t.TempDir()).Speed(ctx, bench.SpeedRequest{Model: modeltest.Tiny(t), Recipes: []string{"w8a8", "fp32"}, Prefill: 32, Decode: 8, Runs: 3})
	if err != nil {
		t.Fatal(err)
	}
	if len(recs) != 2 {
		t.Fatalf("%d records for 2 recipes", len(recs))
	}
	// 2 blocks of 64·(2·96 + 2·24 + 3·80) weights, norms and the shared embedding, in float32
	const parameters = 2*(64*(2*96+2*24+3*80)+2*64) + 64 + 256*64
	if got := metric(t, recs[1], "weight_bytes"); got != 4*parameters {
		t.Errorf("float weights: %v bytes, want %d", got, 4*parameters)
	}
	// keys and values of 40 tokens: a byte a code and 4 of parameters, in 2 blocks of 2 heads of 12
	if got := metric(t, recs[0], "kv_bytes"); got != 40*2*2*2*(12+4) {
		t.Errorf("integer cache: %v bytes, want %d", got, 40*2*2*2*(12+4))
	}
	// a session holds at least its cache, and less than a hundred times what rows of this size need
	for i, least := range []float64{40 * 2 * 2 * 2 * (12 + 4), 8 * 2 * 2 * 12 * 40} {
		session := metric(t, recs[i], "session_bytes")
		if session < least || session > 16<<20 || metric(t, recs[i], "running_bytes") != session+metric(t, recs[i], "weight_bytes") {
			t.Errorf("%v: session %v bytes, expected at least %v", recs[i].Axes, session, least)
		}
	}
	for _, r := range recs {
		if !(metric(t, r, "prefill_tok_s") > 0) || r.Commit == "" && r.Env.CPU == "" {
			t.Errorf("record %+v", r)
		}
	}
}

func TestBadRequests(t *testing.T) {
	t.Setenv("ILLM_CACHE", t.TempDir())
	t.Setenv("ILLM_DATA", t.TempDir())
	m, file := modeltest.Tiny(t), text(t)
	r := runner(t, t.TempDir())
	one := []bench.Variant{{Recipe: "w8a8"}}
	for want, req := range map[string]bench.QualityRequest{
		"variant":       {Model: m, Corpus: file},
		"context":       {Model: m, Corpus: file, Window: 1 << 20, Variants: one},
		"one window":    {Model: m, Corpus: file, Window: 512, Variants: one},
		"windows 0 to":  {Model: m, Corpus: file, Window: 64, Windows: 9, Variants: one},
		"did you mean":  {Model: m, Corpus: file, Window: 64, Variants: []bench.Variant{{Recipe: "w8a9"}}},
		"clip":          {Model: m, Corpus: file, Window: 64, Variants: []bench.Variant{{Recipe: "w8a8", Clip: "-1"}}},
		"unknown model": {Model: "nothing", Corpus: file, Variants: one},
	} {
		if _, err := r.Quality(ctx, req); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one that says %q", err, want)
		}
	}
	if _, err := r.Speed(ctx, bench.SpeedRequest{Model: m, Recipes: []string{"w8a8"}, Prefill: 600}); err == nil || !strings.Contains(err.Error(), "context") {
		t.Errorf("prompt beyond the context: error %v", err)
	}
}
