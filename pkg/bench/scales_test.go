package bench_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/illm-go/illm/pkg/bench"
	"github.com/illm-go/illm/pkg/model/modeltest"
	"github.com/illm-go/illm/pkg/record"
)

// The settings of the scales leave the key of a record alone where they say what the engine does anyway, and nothing else
// does: mantissa 16 and multiplier 24 are the plain record, a plan of the recipe's own width has its bits under another key.
func TestScaleKeys(t *testing.T) {
	t.Setenv("ILLM_CACHE", t.TempDir())
	t.Setenv("ILLM_DATA", t.TempDir())
	r, m, file := runner(t, t.TempDir()), modeltest.Tiny(t), text(t)
	ask := func(v bench.Variant) *record.Record {
		t.Helper()
		list, err := r.Quality(ctx, bench.QualityRequest{Model: m, Corpus: file, Window: 64, Windows: 2, Variants: []bench.Variant{v}})
		if err != nil {
			t.Fatal(err)
		}
		return list[0]
	}
	plain := ask(bench.Variant{Recipe: "w8a8"})
	for _, key := range []string{"multiplier", "layers", "bins"} {
		if _, ok := plain.Config[key]; ok {
			t.Errorf("the plain record's configuration has %q", key)
		}
	}
	spelt := ask(bench.Variant{Recipe: "w8a8", Mantissa: "16", Multiplier: "24"})
	if spelt.Key != plain.Key || !slices.Equal(spelt.Metrics, plain.Metrics) || spelt.Axes["mantissa"] != "" || spelt.Axes["multiplier"] != "" {
		t.Errorf("mantissa 16, multiplier 24: key %.8s, axes %v; plain %.8s", spelt.Key, spelt.Axes, plain.Key)
	}
	layers := strings.Repeat("8", layersOf(t, r, m))
	mixed := ask(bench.Variant{Recipe: "w8a8", Layers: layers})
	if mixed.Key == plain.Key || !slices.Equal(mixed.Windows, plain.Windows) {
		t.Errorf("layers %s: windows %v, plain %v; keys %.8s and %.8s should differ", layers, mixed.Windows, plain.Windows, mixed.Key, plain.Key)
	}
	// every layer from the artefact of 4 bits is the recipe w4a8
	all, w4a8 := ask(bench.Variant{Recipe: "w8a8", Layers: strings.ReplaceAll(layers, "8", "4")}), ask(bench.Variant{Recipe: "w4a8"})
	if !slices.Equal(all.Windows, w4a8.Windows) {
		t.Errorf("all layers at 4 bits: windows %v, w4a8 %v", all.Windows, w4a8.Windows)
	}
	if a, b := metric(t, mixed, "weight_bytes"), metric(t, all, "weight_bytes"); !(b < a) {
		t.Errorf("weights of %v bytes at 4 bits, %v at 8", b, a)
	}
	// few bits are worse, and 8 of 16 hardly: a gain within 2^−8 a row
	near, far := ask(bench.Variant{Recipe: "w8a8", Mantissa: "8"}), ask(bench.Variant{Recipe: "w8a8", Mantissa: "4"})
	if near.Key == plain.Key || near.Axes["mantissa"] != "8" {
		t.Errorf("mantissa 8: key %.8s, axes %v", near.Key, near.Axes)
	}
	if a, b := metric(t, near, "kld_mean"), metric(t, far, "kld_mean"); !(a < b) {
		t.Errorf("divergence %v with 8 bits, %v with 4", a, b)
	}
	if coarse := ask(bench.Variant{Recipe: "w8a8", Multiplier: "4"}); coarse.Config["multiplier"] == nil || slices.Equal(coarse.Windows, plain.Windows) {
		t.Errorf("multiplier 4: configuration %v", coarse.Config)
	}
}

func layersOf(t *testing.T, r *bench.Runner, name string) int {
	t.Helper()
	entry, err := r.Entry(ctx, name)
	if err != nil {
		t.Fatal(err)
	}
	m, err := bench.Variant{Recipe: "w8a8"}.Engine(ctx, entry)
	if err != nil {
		t.Fatal(err)
	}
	return m.Artifact().Header.Layers
}

func TestScalesRefused(t *testing.T) {
	t.Setenv("ILLM_CACHE", t.TempDir())
	t.Setenv("ILLM_DATA", t.TempDir())
	r, m, file := runner(t, t.TempDir()), modeltest.Tiny(t), text(t)
	for want, v := range map[string]bench.Variant{
		"mantissa of 3 bits":      {Recipe: "w8a8", Mantissa: "3"},
		"mantissa \"x\"":          {Recipe: "w8a8", Mantissa: "x"},
		"multipliers of 25 bits":  {Recipe: "w8a8", Multiplier: "25"},
		"multiplier \"x\"":        {Recipe: "w8a8", Multiplier: "x"},
		"digits of 2 … 8":         {Recipe: "w8a8", Layers: "9"},
		"without a method":        {Recipe: "w8a8-fsbr", Layers: "4"},
		"in the float simulation": {Recipe: "w8a8", Mantissa: "8", Arithmetic: bench.Simulated},
	} {
		_, err := r.Quality(ctx, bench.QualityRequest{Model: m, Corpus: file, Window: 64, Windows: 1, Variants: []bench.Variant{v}})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want an error that says %q", v, err, want)
		}
	}
	if _, err := r.Speed(ctx, bench.SpeedRequest{Model: m, Prefill: 8, Decode: 4, Runs: 10, Variants: []bench.Variant{{Recipe: "w8a8", Mantissa: "8"}}}); err == nil || !strings.Contains(err.Error(), "texts only") {
		t.Errorf("speed with mantissa 8: %v, want a refusal", err)
	}
}

// The bins' means, weighted by their predictions, are the mean over all predictions.
func TestPositionBins(t *testing.T) {
	t.Setenv("ILLM_CACHE", t.TempDir())
	t.Setenv("ILLM_DATA", t.TempDir())
	r := runner(t, t.TempDir())
	list, err := r.Quality(ctx, bench.QualityRequest{Model: modeltest.Tiny(t), Corpus: text(t), Window: 64, Windows: 3, Bins: 8, Variants: []bench.Variant{{Recipe: "fp32"}, {Recipe: "w4a4"}}})
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := list[0].Config["bins"]; ok {
		t.Errorf("fp32 has bins in its configuration: %v", list[0].Config)
	}
	sizes := make([]int, 8)
	for i := range 63 {
		sizes[i*8/63]++
	}
	sum := 0.0
	for b, n := range sizes {
		sum += float64(n) * metric(t, list[1], fmt.Sprintf("kld_bin%d", b+1))
	}
	if mean := metric(t, list[1], "kld_mean"); math.Abs(sum/63-mean) > 1e-6*mean {
		t.Errorf("mean of the bins %v, of the record %v", sum/63, mean)
	}
}
