package ablation

// Methods asks what each calibration method leaves of a model at every width (table T1): the rows of the paper's first
// table. A method is a suffix of the recipe; none is rounding to nearest.
var Methods = Study{
	Name:     "methods",
	Question: "How close to the float model does each calibration method come, at each width?",
	Axes: []Axis{
		{Name: "width", Levels: []string{"w8a8", "w6a6", "w4a8", "w4a4"}, Check: checkRecipe, Help: "or another recipe of package quant without a method"},
		{Name: "method", Levels: []string{"rtn", "smoothquant", "omniquant", "fsbr", "best"}},
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
