package ablation

// Models asks what the widths cost on each model of the catalogue: both families of
// the paper, and one with the channels of a large model. Perplexity per token cannot be
// compared between models with different vocabularies; per word and per byte can.
var Models = Study{
	Name:     "models",
	Question: "What do the bit widths cost on models of both families?",
	Axes: []Axis{
		{Name: "model", Levels: []string{"tiny-llama", "tiny-opt", "tiny-llama+outliers", "smollm2"}, Check: checkModel, Help: "or another name or path of a model"},
		{Name: "recipe", Levels: []string{"w8a8", "w6a6", "w4a8", "w4a4"}, Check: checkRecipe, Help: "or another recipe of package quant, such as w4a4-fsbr"},
		{Name: "corpus", Levels: []string{"wikitext2"}, Check: checkCorpus, Help: `or "c4", "opticks", or the path of a text file`},
	},
	Fixed:  map[string]string{"clip": "15", "mode": "illm", "window": Longest, "first": "0", "windows": Most},
	Spread: "corpus",
	Base:   map[string]string{"recipe": "fp32", "clip": "", "mode": ""},
}
