package ablation

import "github.com/illm-go/illm/pkg/smooth"

// Methods asks what each calibration method leaves of a model at every width (table T1): the rows of the paper's first
// table. A method is a suffix of the recipe; none is rounding to nearest.
var Methods = Study{
	Name:     "methods",
	Question: "How close to the float model does each calibration method come, at each width?",
	Axes: []Axis{
		{Name: "width", Levels: []string{"w8a8", "w6a6", "w4a8", "w4a4"}, Check: checkRecipe, Help: "or another recipe of package quant without a method"},
		{Name: "method", Levels: []string{"rtn", "smoothquant", "omniquant", "fsbr", "best"}, Check: checkMethod, Help: "or a variant such as fsbr@seed3"},
		{Name: "arithmetic", Levels: []string{"simulated", Integer}},
		{Name: "corpus", Levels: []string{"wikitext2", "c4", "enwiki"}, Check: checkCorpus, Help: `or "opticks", or the path of a text file`},
	},
	Fixed:  map[string]string{"model": "tiny-llama", "clip": "15", "mode": "illm", "window": Longest, "first": "0", "windows": Most},
	Spread: "corpus",
	Derive: func(c Config) {
		c["recipe"] = c["width"]
		if m := c["method"]; m != "" && m != "rtn" {
			c["recipe"] += "-" + m
		}
	},
	Base: map[string]string{"width": "fp32", "method": "", "arithmetic": "", "clip": "", "mode": ""},
}

// AllKinds is the level of the axis "kinds" that keeps all factors of a method.
const AllKinds = "all"

// Shares asks what each kind of smoothing contributes to the paper's method: all kinds, each one left out ("-qk"), each
// one alone ("qk"), none. The factors are those that were trained together; nothing is trained again for a row, so that
// leaving a kind out overstates what it is worth (the others would have adapted), and a kind alone understates it.
var Shares = Study{
	Name:     "shares",
	Question: "What does each kind of smoothing contribute, left out and alone, without training again?",
	Axes: []Axis{
		{Name: "kinds", Levels: shareLevels(),
			Check: checkKinds, Help: `or several joined by +, "-" in front meaning all but these`},
		{Name: "corpus", Levels: []string{"wikitext2"}, Check: checkCorpus, Help: `"c4", "opticks", or the path of a text file`},
	},
	Fixed:  map[string]string{"model": "tiny-llama", "recipe": "w4a4-fsbr", "clip": "15", "mode": "illm", "window": Longest, "first": "0", "windows": Most},
	Spread: "corpus",
	Base:   map[string]string{"kinds": "", "recipe": "fp32", "clip": "", "mode": ""},
}

func checkKinds(s string) (string, error) {
	_, err := new(smooth.Factors).Select(s)
	return s, err
}
