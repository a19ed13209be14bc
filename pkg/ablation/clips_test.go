package ablation

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/illm-go/illm/pkg/quant"
	"github.com/illm-go/illm/pkg/record"
)

// clipRuns answers Methods on two windows; best@clips has clips by layer and a likelihood better by 0.01 nats.
func clipRuns(t *testing.T) *Runs {
	t.Helper()
	store, err := record.Open(record.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	ev := Each(func(_ context.Context, c Config) (record.Record, error) {
		r := c.Record()
		r.Axes = map[string]string{"clip": c["clip"]}
		nll := 3.0
		if strings.HasSuffix(c["recipe"], "best@clips") {
			r.Config["clips"], nll = "none,12,8,12", 2.99
		}
		r.Metrics = []record.Metric{{Name: "ppl", Value: 20 + nll}, {Name: "kld_mean", Value: 0.1 * nll}}
		for w := range 2 {
			r.Windows = append(r.Windows, record.WindowStat{Index: w, N: 100, NLL: 100 * (nll + float64(w))})
		}
		return r, nil
	})
	runs, err := Methods.Run(context.Background(), store, ev, Set("width", "w4a4"), Set("method", "rtn", "fsbr", "fsbr@clips", "best", "best@clips"), Set("arithmetic", Integer), Set("corpus", "wikitext2"), Set("windows", 2))
	if err != nil || runs.Err() != nil {
		t.Fatal(err, runs.Err())
	}
	return runs
}

// Rows with clips by layer stand beside those without; a variant of that name without a list is none.
func TestClipsTable(t *testing.T) {
	runs := clipRuns(t)
	g := runs.ClipsTable(map[string]string{"best": "best@clips", "fsbr": "fsbr@clips", "rtn": "gptq"})
	if len(g.Rows) != 1 {
		t.Fatalf("rows %v, want one", g.Rows)
	}
	if row := g.Rows[0]; len(row) != len(g.Head) || row[0] != "w4a4" || row[2] != "best" || row[3] != "none×1 12×2 8×1" || row[4] != "23.00" || row[5] != "22.99" || !strings.HasPrefix(row[6], "-0.995") {
		t.Errorf("row %q", row)
	}
	for i := range runs.Len() {
		method, _ := runs.Text(i, "method")
		if text, ok := runs.Text(i, "clips"); ok != (method == "best@clips") || ok && text != "none×1 12×2 8×1" {
			t.Errorf("method %q: clips %q, %v", method, text, ok)
		}
	}
	settings := runs.Settings(func(recipe string) map[string]string {
		if recipe != "w4a4-best@clips" {
			return nil
		}
		return map[string]string{"rounding": "gptq", "rounding_text": "calibration", "rounding_windows": "32", "rounding_window": "1024",
			"clips_text": "calibration", "clips_windows": "8", "clips_window": "512"}
	})
	at, on := slices.Index(settings.Head, "clip"), slices.Index(settings.Head, "trained on")
	for _, row := range settings.Rows {
		if want := map[bool]string{true: "none×1 12×2 8×1", false: "15"}[row[1] == "best@clips"]; row[at] != want {
			t.Errorf("settings of %s: clip %q, want %q", row[1], row[at], want)
		}
		if want := "rounding: calibration, 32 × 1024 tokens; clips: calibration, 8 × 512 tokens"; row[1] == "best@clips" && row[on] != want {
			t.Errorf("trained on %q, want %q", row[on], want)
		}
	}
}

func TestClipOf(t *testing.T) {
	for want, r := range map[string]*record.Record{
		"12":          {Axes: map[string]string{"clip": "12"}},
		"":            {},
		"none×1 15×2": {Axes: map[string]string{"clip": "15"}, Config: map[string]any{"clips": "15,none,15"}},
		"15":          {Axes: map[string]string{"clip": "15"}, Config: map[string]any{"clips": "by ear"}},
	} {
		if ClipOf(r) != want {
			t.Errorf("%v: %q, want %q", r, ClipOf(r), want)
		}
	}
}

// A bar a layer and list, none where there is no clip.
func TestClipsChart(t *testing.T) {
	c := ClipsChart(map[string]quant.Clips{"b": {15000, 0, 8500}, "a": {4000, 15000, 15000}})
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	if len(c.Series) != 2 || c.Series[0].Name != "a" || len(c.Series[1].Points) != 3 || c.Series[1].Points[1].Y != 0 || c.Series[1].Points[2].Y != 8.5 || c.Series[1].Points[2].Label != "2" || len(c.Baselines) != 1 || c.Baselines[0].Value != 15 {
		t.Errorf("series %+v, baselines %+v", c.Series, c.Baselines)
	}
}
