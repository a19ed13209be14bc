package ablation

import (
	"fmt"
	"math"

	"github.com/illm-go/illm/pkg/quant"
)

// DefaultWindows is the number of windows of each text that a row is computed
// over when no record and no option names a number.
const DefaultWindows = 8

// Clip asks how the clip value c of DI-ClippedSoftmax changes perplexity at three
// widths. The base model has no widths and no clip.
var Clip = Study{
	Name:     "clip",
	Question: "At which clip value does the integer softmax lose least, and does clipping matter?",
	Axes: []Axis{
		{
			Name: "recipe", Levels: []string{"w8a8", "w6a6", "w4a4"},
			Check: checkRecipe, Help: "or another recipe of package quant, such as w4a8 or w8a8kv4",
		},
		{
			Name: "clip", Levels: []string{"none", "20", "17", "15", "12", "10", "8", "6"},
			Check: checkClip, Help: `or another value from 1 on with at most three fraction digits, or "none"`,
		},
		{
			Name: "corpus", Levels: []string{"wikitext2", "c4"},
			Check: checkCorpus, Help: `or "opticks", or the path of a text file`,
		},
	},
	Fixed:  map[string]string{"model": "tiny-llama", "mode": "illm", "window": Longest, "first": "0", "windows": Most},
	Spread: "corpus",
	Base:   map[string]string{"recipe": "fp32", "clip": "", "mode": ""},
}

// Studies lists the studies by name.
func Studies() []Study {
	return []Study{Models, Widths, Clip, Methods, ZeroShots, Rotation, Shares, Retrained, Calibration, Cumulative, NonLinear, Exp, Static, StaticSites, Mantissa, Multiplier, KV, Context, Layers}
}

// ByName returns the study called name.
func ByName(name string) (Study, bool) {
	for _, s := range Studies() {
		if s.Name == name {
			return s, true
		}
	}
	return Study{}, false
}

func checkRecipe(s string) (string, error) {
	if _, err := quant.ParseRecipe(s); err != nil {
		return "", err
	}
	return s, nil
}

// leastClip is the least clip value that studies take: at c = 1 the farthest key has e^-1, 37 %, of the nearest one's weight.
const leastClip quant.Clip = 1000

func checkClip(s string) (string, error) {
	if s == "" {
		return "", fmt.Errorf("expected a number above 0 or \"none\", found nothing")
	}
	c, err := quant.ParseClip(s)
	if err != nil {
		return "", fmt.Errorf("%w: a clip of 0 would give all keys the same weight, and the engine holds clips in thousandths", err)
	}
	if c != 0 && c < leastClip {
		return "", fmt.Errorf("clip %s: expected %s or more, or \"none\": whatever its score, no key has less than e^-c of the first one's weight, %.0f %% here, which is next to no attention",
			c, leastClip, 100*math.Exp(-float64(c)/1000))
	}
	return c.String(), nil // one spelling: 15.0 and 15 are one level
}

// checkModel and checkCorpus take any name: which there are the evaluator knows (Knower).
func checkModel(s string) (string, error) {
	if s == "" {
		return "", fmt.Errorf("expected the name or the path of a model, found nothing")
	}
	return s, nil
}

func checkCorpus(s string) (string, error) {
	if s == "" {
		return "", fmt.Errorf("expected the name of a text or the path of a file, found nothing")
	}
	return s, nil
}
