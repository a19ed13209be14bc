package ablation

// Widths asks what each recipe costs at the default clip value.
var Widths = Study{
	Name:     "widths",
	Question: "What does each bit width cost against the float model?",
	Axes: []Axis{
		{Name: "recipe", Levels: []string{"w8a8", "w6a6", "w4a8", "w4a4"}, Check: checkRecipe, Help: "or another recipe of package quant, such as w8a8kv4"},
		{Name: "corpus", Levels: []string{"wikitext2", "c4"}, Check: checkCorpus, Help: `or "opticks", or the path of a text file`},
	},
	Fixed:  map[string]string{"model": "tiny-llama", "clip": "15", "mode": "illm", "window": Longest, "first": "0", "windows": Most},
	Spread: "corpus",
	Base:   map[string]string{"recipe": "fp32", "clip": "", "mode": ""},
}
