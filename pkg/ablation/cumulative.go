package ablation

// Steps of Cumulative, in order.
const (
	StepProducts = "fsbr, integer products"
	StepSoftmax  = "+ DI-ClippedSoftmax"
	StepSwiGLU   = "+ DI-SwiGLU"
	StepNorm     = "+ DI-Norm"
)

// Cumulative goes from calibrated weights under float inference to integers alone, one operator after the other
// (table T5): three methods simulated in float, then FSBR's artefact in the integer engine with float32 non-linear
// operators, which give way to the integer ones in the paper's order. The axis is called "method" as in Methods.
var Cumulative = Study{
	Name:     "cumulative",
	Question: "What does each step from simulated quantisation to integers alone cost?",
	Axes: []Axis{
		{Name: "width", Levels: []string{"w6a6", "w4a4"}, Check: checkRecipe, Help: "or another recipe of package quant without a method"},
		{Name: "method", Levels: []string{"smoothquant", "omniquant", "fsbr", StepProducts, StepSoftmax, StepSwiGLU, StepNorm}},
		{Name: "corpus", Levels: []string{"wikitext2", "c4"}, Check: checkCorpus, Help: `or "opticks", or the path of a text file`},
	},
	Fixed:  map[string]string{"model": "tiny-llama", "clip": "15", "mode": "illm", "window": Longest, "first": "0", "windows": Most},
	Spread: "corpus",
	Derive: deriveStep,
	Base:   map[string]string{"width": "fp32", "method": "", "clip": "", "mode": ""},
}

// deriveStep spells a step as recipe, arithmetic and operators.
func deriveStep(c Config) {
	floats := map[string]string{StepProducts: "float32", StepSoftmax: "float32:activation+norm", StepSwiGLU: "float32:norm", StepNorm: Integer}
	ops, integer := floats[c["method"]]
	switch {
	case c["method"] == "":
		c["recipe"] = c["width"]
	case integer:
		c["recipe"], c["arithmetic"], c["operators"] = c["width"]+"-fsbr", Integer, ops
	default:
		c["recipe"], c["arithmetic"] = c["width"]+"-"+c["method"], "simulated"
	}
}
