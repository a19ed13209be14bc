package ablation

import (
	"slices"
	"strings"
	"testing"
)

// TestSettings: widths are the recipe's, the words those of the header, and rows without a record are left out.
func TestSettings(t *testing.T) {
	runs := runOverCosts(t, open(t), Methods, func(Config) float64 { return 0.1 }, Set("width", "w4a4"), Set("corpus", "wikitext2"), Set("arithmetic", Integer),
		Only(func(c Config) bool { return slices.Contains([]string{"", "rtn", "fsbr", "best"}, c["method"]) }))
	g := runs.Settings(func(recipe string) map[string]string {
		switch recipe {
		case "w4a4-fsbr":
			return map[string]string{"kinds": "qkv,clip", "alpha": "0.5", "text": "calibration", "windows": "128", "window": "1024", "epochs": "20", "batch": "8",
				"lr": "0.005", "lr_clip": "0.01", "lr_batch_power": "0.5", "cosine": "true", "loss": "token", "seed": "2", "backend": "xla:cuda", "as_published": "false"}
		case "w4a4-best":
			return map[string]string{"rotation": "residual,down", "rotation_seed": "2", "rounding": "gptq", "rounding_text": "calibration", "rounding_windows": "32", "rounding_window": "1024"}
		}
		return nil
	})
	want := []string{
		"w4a4|RTN|4·4|4, 4|8|8|8, 8|15|integer, illm|none|–|–",
		"w4a4|FSBR|4·4|4, 4|8|8|8, 8|15|integer, illm|qkv,clip; α 0.5|calibration, 128 × 1024 tokens|20 epochs, batch 8; rates 0.005, 0.01 × batch^0.5; cosine; loss token; seed 2; xla:cuda",
		"w4a4|best combined|4·4|4, 4|8|8|8, 8|15|integer, illm|rotated residual,down; signs of seed 2; rounding gptq|rounding: calibration, 32 × 1024 tokens|–",
	}
	var got []string
	for _, row := range g.Rows {
		if len(row) != len(g.Head) {
			t.Errorf("%d cells under %d heads", len(row), len(g.Head))
		}
		got = append(got, strings.Join(row, "|"))
	}
	for _, w := range want {
		if !slices.Contains(got, w) {
			t.Errorf("no row\n%s\nin\n%s", w, strings.Join(got, "\n"))
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d rows, want %d", len(got), len(want))
	}
}
