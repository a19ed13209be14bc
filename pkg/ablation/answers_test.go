package ablation

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/illm-go/illm/pkg/artifact"
	"github.com/illm-go/illm/pkg/chart"
	"github.com/illm-go/illm/pkg/record"
)

// withMetrics answers a study with one window and the metrics that of gives for a configuration.
func withMetrics(t *testing.T, s Study, of func(Config) []record.Metric, options ...Option) *Runs {
	t.Helper()
	store, err := record.Open(record.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	runs, err := s.Run(context.Background(), store, Each(func(_ context.Context, c Config) (record.Record, error) {
		r := c.Record()
		r.Metrics = of(c)
		return r, nil
	}), options...)
	if err != nil {
		t.Fatal(err)
	}
	return runs
}

// The slope over the eighths of the longest windows decides, whatever the shorter ones do.
func TestRises(t *testing.T) {
	run := func(slope float64) *Runs {
		return withMetrics(t, Context, func(c Config) []record.Metric {
			out := []record.Metric{{Name: "kld_mean", Value: 0.5}}
			for b := range PositionBins {
				v := 0.5 + 0.01*float64(1-2*(b%2))
				if c["window"] == "1024" {
					v += slope * float64(b)
				} else {
					v -= float64(b)
				}
				out = append(out, record.Metric{Name: fmt.Sprintf("kld_bin%d", b+1), Value: v})
			}
			return out
		}, Set("corpus", "c4"), Set("recipe", "w4a4"))
	}
	expect(t, run(0.1).Rises("w4a4", "c4"), "in windows of 128 tokens", "in windows of 1024", "there 0.51 in the first eighth and 1.19 in the last: it rises.")
	expect(t, run(-0.1).Rises("w4a4", "c4"), "it falls.")
	expect(t, run(0).Rises("w4a4", "c4"), "not told to rise or fall.")
	if s := run(0).Rises("w8a8", "c4"); s != "w8a8: no records yet." {
		t.Error(s)
	}
	if slope, se := line([]float64{0, 1, 2, 3}, []float64{1, 3, 3, 5}); math.Abs(slope-1.2) > 1e-12 || math.Abs(se-math.Sqrt(0.8/2/5)) > 1e-12 {
		t.Errorf("slope %v ± %v, expected 1.2 ± √(0.4/5)", slope, se) // residuals −0.2, 0.6, −0.6, 0.2
	}
}

// The factor is between what the blocks add, not between the divergences.
func TestMostSensitive(t *testing.T) {
	runs := withMetrics(t, Layers, func(c Config) []record.Metric {
		kl := 0.01
		if at := alone(c["layers"], "8", "4"); at >= 0 {
			kl += []float64{0.03, 0.01, 0.02}[at]
		}
		return []record.Metric{{Name: "kld_mean", Value: kl}}
	}, Set("corpus", "c4"), Set("layers", OneLayer(3)))
	if s := runs.MostSensitive("c4"); s != "tiny-llama, 4 bits in one block of 3: block 0 adds most to the divergence, block 1 least, by a factor of 3.0." {
		t.Error(s)
	}
	if got := fmt.Sprint(runs.Sensitivity("c4")); got != "[1 2 0]" {
		t.Errorf("order %s", got)
	}
	// without records every form says what is missing and what makes it
	expect(t, runs.MostSensitive("wikitext2"), "tiny-llama: the order of its blocks is not known", "illm reproduce questions --full")
	expect(t, fmt.Sprint(runs.Sensitivity("wikitext2")), "not known, a block has no record")
	var lack *chart.Lack
	if err := runs.SensitivityChart("wikitext2").Validate(); !errors.As(err, &lack) {
		t.Errorf("a chart without records: %v", err)
	} else {
		expect(t, lack.Reason, "no record of tiny-llama on WikiText-2", "illm reproduce questions --full")
	}
}

func TestSaturationSentence(t *testing.T) {
	runs := func(n float64) *Runs {
		return withMetrics(t, Layers, func(Config) []record.Metric { return []record.Metric{{Name: "saturated", Value: n}} }, Set("corpus", "c4"), Set("layers", "888", "444"), WithoutBase())
	}
	twice := runs(0)
	expect(t, SaturationSentence(twice, twice), "No addition", "any of 2 records") // a record counts once
	expect(t, SaturationSentence(twice, runs(3)), "6 additions", "in 4 records")
	expect(t, SaturationSentence(), "No records yet.")
}

func TestStorageSentence(t *testing.T) {
	s := Storage{Header: &artifact.Header{}, Linear: 800, Table: 100, Parts: []StoragePart{{"codes", 400, 800}, {"z", 10, 800}, {"M", 40, 800}, {"table", 90, 100}, {"its headers", 10, 100}, {"norms", 50, 0}}}
	expect(t, s.Sentence(), "add 0.50 bits a weight to the 4 of its code", "are 17 % of the file")
	if s := (Storage{Header: &artifact.Header{}}).Sentence(); !strings.Contains(s, "no linears") {
		t.Error(s)
	}
}
