package ablation

import (
	"github.com/illm-go/illm/pkg/quant"
)

// Dynamic, as the level of the axis "setting", is the engine's own requantisation: every row has the grid of its own range.
const Dynamic = "dynamic"

// Static asks what constant grids from calibration cost against the rows' own (ablation A), at each width, with and
// without FSBR. A setting is a suffix of the recipe (quant.StaticNames); records of texts hold the share of saturated codes
// in the metrics saturated_codes, saturated_share and saturated_share_SITE.
//
// Source: I-LLM, section on DI-MatMul, whose claim is that dynamic quantisation is what low widths need.
var Static = Study{
	Name:     "static",
	Question: "What do grids fixed by calibration lose against the grid of each token's own range, and what do they save?",
	Axes: []Axis{
		{Name: "width", Levels: []string{"w8a8", "w6a6", "w4a4"}, Check: checkRecipe, Help: "or another recipe of package quant without a method"},
		{Name: "setting", Levels: append([]string{Dynamic}, quant.StaticNames()...), Check: checkStatic, Help: "or static:SITE"},
		{Name: "method", Levels: []string{"rtn", "fsbr"}, Check: checkMethod, Help: "or another method of package quant"},
		{Name: "corpus", Levels: []string{"wikitext2", "c4", ZeroShot, Speed}, Check: checkCorpus, Help: `or "opticks", or the path of a text file`},
	},
	Fixed:  map[string]string{"model": "tiny-llama", "clip": "15", "mode": "illm", "window": Longest, "first": "0", "windows": Most, "items": Most},
	Spread: "corpus",
	Derive: spellStatic,
	Base:   map[string]string{"width": "fp32", "setting": "", "method": "", "clip": "", "mode": ""},
}

// StaticSites asks which site it is that constant grids hurt: one site static at a time, beside none and all of them.
var StaticSites = Study{
	Name:     "static-sites",
	Question: "At which site does a grid fixed by calibration hurt?",
	Axes: []Axis{
		{Name: "width", Levels: []string{"w8a8", "w6a6", "w4a4"}, Check: checkRecipe, Help: "or another recipe of package quant without a method"},
		{Name: "setting", Levels: oneSite(), Check: checkStatic, Help: "or another static setting"},
		{Name: "corpus", Levels: []string{"wikitext2", "c4"}, Check: checkCorpus, Help: `or "opticks", or the path of a text file`},
	},
	Fixed:  map[string]string{"model": "tiny-llama", "method": "rtn", "clip": "15", "mode": "illm", "window": Longest, "first": "0", "windows": Most},
	Spread: "corpus",
	Derive: spellStatic,
	Base:   map[string]string{"width": "fp32", "setting": "", "method": "", "clip": "", "mode": ""},
}

// oneSite lists dynamic, every site alone, and all at once.
func oneSite() []string {
	levels := []string{Dynamic}
	for _, site := range quant.StaticSites() {
		levels = append(levels, quant.StaticSite(site))
	}
	return append(levels, quant.StaticTensor)
}

// spellStatic puts width, method and setting together to a recipe's name.
func spellStatic(c Config) {
	c["recipe"] = c["width"]
	if m := c["method"]; m != "" && m != quant.RTN {
		c["recipe"] += "-" + m
	}
	if s := c["setting"]; s != "" && s != Dynamic {
		c["recipe"] += "-" + s
	}
}

func checkStatic(s string) (string, error) {
	if s == Dynamic {
		return s, nil
	}
	return s, quant.CheckStatic(s)
}

func checkMethod(s string) (string, error) {
	_, err := quant.ParseRecipe("w8a8-" + s)
	return s, err
}
