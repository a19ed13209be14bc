package bench_test

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/illm-go/illm/pkg/bench"
	"github.com/illm-go/illm/pkg/model/modeltest"
	"github.com/illm-go/illm/pkg/record"
)

// The key of an integer record covers what it covered before a record could be of anything else: the settings written
// down here, by hand. Simulations have keys of their own, and both spellings of the engine have one.
func TestArithmetic(t *testing.T) {
	t.Setenv("ILLM_CACHE", t.TempDir())
	t.Setenv("ILLM_DATA", t.TempDir())
	req := bench.QualityRequest{Model: modeltest.Tiny(t), Corpus: text(t), Window: 64, Windows: 2, Variants: []bench.Variant{
		{Recipe: "w8a8"}, {Recipe: "w8a8", Arithmetic: bench.Integer, Kinds: "all"}, {Recipe: "w8a8", Arithmetic: bench.Simulated}}}
	list, err := runner(t, t.TempDir()).Quality(ctx, req)
	if err != nil {
		t.Fatal(err)
	}
	plain, spelt, simulated := list[0], list[1], list[2]
	by := map[string]any{"task": "ppl", "protocol": "gptq", "model": req.Model, "source_sha256": plain.Config["source_sha256"], "spec": plain.Config["spec"],
		"recipe": "w8a8", "corpus": plain.Config["corpus"], "window": 64, "first": 0, "windows": 2, "base": true}
	hand := *plain
	if hand.Config, err = record.ConfigOf(by); err != nil {
		t.Fatal(err)
	}
	key, err := hand.ComputeKey()
	if err != nil {
		t.Fatal(err)
	}
	if have, _ := json.Marshal(plain.Config); plain.Key != key {
		t.Errorf("the key of an integer record covers %s", have)
	}
	if spelt.Key != plain.Key || simulated.Key == plain.Key {
		t.Errorf("keys %.8s (engine), %.8s (engine, spelt out), %.8s (simulation): want the first two equal, the third another", plain.Key, spelt.Key, simulated.Key)
	}
	if simulated.Axes["arithmetic"] != bench.Simulated || simulated.Config["arithmetic"] != bench.Simulated || plain.Axes["arithmetic"] != "" {
		t.Errorf("axes %v of the simulation, %v of the engine", simulated.Axes, plain.Axes)
	}
	// two ways to compute the same quantised model: near each other, and not the same
	a, b := metric(t, plain, "ppl"), metric(t, simulated, "ppl")
	if d := math.Abs(math.Log(a / b)); !(d > 0 && d < 0.02) {
		t.Errorf("perplexity %v in integers, %v simulated", a, b)
	}
}

func TestVariantRefuses(t *testing.T) {
	t.Setenv("ILLM_CACHE", t.TempDir())
	t.Setenv("ILLM_DATA", t.TempDir())
	r, m, file := runner(t, t.TempDir()), modeltest.Tiny(t), text(t)
	for want, v := range map[string]bench.Variant{
		"expected integer or simulated":   {Recipe: "w8a8", Arithmetic: "float"},
		"in the float simulation":         {Recipe: "w8a8", Arithmetic: bench.Simulated, Operators: "half"},
		"expected a recipe with a method": {Recipe: "w8a8", Kinds: "-qk"},
	} {
		_, err := r.Quality(ctx, bench.QualityRequest{Model: m, Corpus: file, Window: 64, Variants: []bench.Variant{v}})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want an error that says %q", v, err, want)
		}
	}
	for _, v := range []bench.Variant{{Recipe: "w8a8", Arithmetic: bench.Simulated}, {Recipe: "w8a8-fsbr", Kinds: "-qk"}} {
		if _, err := r.Speed(ctx, bench.SpeedRequest{Model: m, Prefill: 8, Decode: 4, Runs: 10, Variants: []bench.Variant{v}}); err == nil || !strings.Contains(err.Error(), "texts only") {
			t.Errorf("speed of %+v: %v, want a refusal", v, err)
		}
	}
}
