package ablation

// Rotation sets Hadamard rotations, in closed form and with add/subtract butterflies at inference, against factors that
// were trained (FSBR): both make channels even, one by mixing them and one by scaling them. "best" has rotations and GPTQ
// rounding together; "gptq" is the rounding without either. It asks nothing that Methods does not know how to answer, but
// of other rows.
var Rotation = Study{
	Name:     "rotation",
	Question: "Do rotated channels or scaled ones lose less, and what does rounding add to either?",
	Axes: []Axis{
		{Name: "width", Levels: []string{"w4a4"}, Check: checkRecipe, Help: "or another recipe of package quant without a method"},
		{Name: "method", Levels: []string{"rtn", "fsbr", "rotate", "gptq", "best"}},
		{Name: "corpus", Levels: []string{"wikitext2"}, Check: checkCorpus, Help: `"c4", "enwiki", "opticks", or the path of a text file`},
	},
	Fixed:  map[string]string{"model": "tiny-llama", "clip": "15", "mode": "illm", "window": Longest, "first": "0", "windows": Most},
	Spread: "corpus",
	Derive: spellMethod,
	Base:   map[string]string{"width": "fp32", "method": "", "clip": "", "mode": ""},
}
