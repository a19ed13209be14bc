package ablation

import (
	"fmt"
	"strconv"

	"github.com/illm-go/illm/pkg/chart"
)

// ContextTokens is the length of the text that every window length of the study context divides, where the setting
// "tokens" names no other.
const ContextTokens = 4096

// LongestContext is the longest window that may be asked for.
const LongestContext = 8192

// PositionBins is the number of bins of positions that the study context's records have divergences of.
const PositionBins = 8

// Context asks how quality depends on the length of the window and on the position in it: the same tokens (4096 by default;
// the setting "tokens") in windows of each length. Its records hold the divergence from the float model in 8 bins of positions (kld_bin1 … kld_bin8).
var Context = Study{
	Name:     "context",
	Question: "Does the error of integer inference grow along a long context?",
	Axes: []Axis{
		{Name: "recipe", Levels: []string{"w8a8", "w4a4"}, Check: checkRecipe, Help: "or another recipe of package quant"},
		{Name: "window", Levels: []string{"128", "256", "512", "1024"}, Check: checkWindow, Help: "or another power of two from 16 to 8192"},
		{Name: "corpus", Levels: []string{"wikitext2"}, Check: checkCorpus, Help: `or "c4", "opticks", or the path of a text file`},
	},
	Fixed:  map[string]string{"model": "tiny-llama", "clip": "15", "mode": "illm", "first": "0", "windows": Most, "tokens": strconv.Itoa(ContextTokens), "bins": strconv.Itoa(PositionBins)},
	Spread: "corpus",
	Derive: func(c Config) {
		n, err := c.Int("window")
		tokens, err2 := c.Int("tokens")
		if err == nil && err2 == nil && n > 0 && c["windows"] == Most {
			c["windows"] = strconv.Itoa(max(tokens/n, 1))
		}
	},
	Base: map[string]string{"recipe": "fp32", "clip": "", "mode": "", "bins": ""},
}

func checkWindow(s string) (string, error) {
	n, err := strconv.Atoi(s)
	if err != nil || n < 16 || n > LongestContext || n&(n-1) != 0 {
		return "", fmt.Errorf("expected a power of two from 16 to %d, found %q", LongestContext, s)
	}
	return strconv.Itoa(n), nil
}

// PositionChart draws the divergence from the float model over the position in the window, a line for each length, of the
// rows of one recipe.
func (r *Runs) PositionChart(recipe, corpus string) *chart.Chart {
	c := &chart.Chart{Kind: chart.KindLine, Title: "Divergence from fp32 by position, " + recipe, Subtitle: r.Where("recipe", recipe).CaptionOf("kld_bin1_" + corpus),
		X: chart.Axis{Name: "position in the window", Unit: "tokens", Log: true}, Y: chart.Axis{Name: "Mean KL divergence", Unit: "nats", Better: chart.Lower}}
	for i := range r.rows {
		if r.rows[i].axes["recipe"] != recipe {
			continue
		}
		window, err := strconv.Atoi(r.rows[i].axes["window"])
		if err != nil {
			continue
		}
		s := chart.Series{Name: fmt.Sprintf("window %d", window)}
		for b := range PositionBins {
			if v, ok := r.Number(i, fmt.Sprintf("kld_bin%d_%s", b+1, corpus)); ok {
				s.Points = append(s.Points, chart.Point{X: (float64(b) + 0.5) * float64(window-1) / PositionBins, Y: v.Y, Err: v.Err, ID: v.ID})
			}
		}
		if len(s.Points) > 0 {
			c.Series = append(c.Series, s)
		}
	}
	return c
}
