package ablation

import (
	"strings"

	"github.com/illm-go/illm/pkg/quant"
)

// Mantissa asks how many bits B the mantissa of a row's scale m/2^k needs. 16 is the engine's own and 8 the published
// width. The mantissa's gain error is at most 2^−B of the row, the same for all of its codes.
var Mantissa = Study{
	Name:     "mantissa",
	Question: "How many bits does the mantissa m of an activation's scale need?",
	Axes: []Axis{
		{Name: "recipe", Levels: []string{"w8a8", "w4a4"}, Check: checkRecipe, Help: "or another recipe of package quant"},
		{Name: "mantissa", Levels: []string{"16", "12", "10", "8", "7", "6", "5", "4"}, Check: because(checkBits(4, 16), "the engine's scales carry 16 bits, and with fewer than 4 a scale is off by more than 3 %"), Help: "or another number of bits, 4 … 16"},
		{Name: "corpus", Levels: []string{"wikitext2"}, Check: checkCorpus, Help: `or "c4", "opticks", or the path of a text file`},
	},
	Fixed:  map[string]string{"model": "tiny-llama", "clip": "15", "mode": "illm", "window": Longest, "first": "0", "windows": Most},
	Spread: "corpus",
	Base:   map[string]string{"recipe": "fp32", "mantissa": "", "clip": "", "mode": ""},
}

// Multiplier asks how many bits B_w the multipliers of the weights' channels need, which share one exponent a matrix. 24
// is the artefact's own; the others are rounded from it when the engine loads (catalog.Weights).
var Multiplier = Study{
	Name:     "multiplier",
	Question: "How many bits does the multiplier M of a weight channel need beside a common exponent?",
	Axes: []Axis{
		{Name: "model", Levels: []string{"tiny-llama"}, Check: checkModel, Help: "tiny-llama+outliers, or another name or path of a model"},
		{Name: "recipe", Levels: []string{"w8a8", "w4a4"}, Check: checkRecipe, Help: "or another recipe of package quant"},
		{Name: "multiplier", Levels: []string{"24", "16", "8", "6"}, Check: because(checkBits(2, 24), "the artefact holds 24 bits a channel, and 1 leaves nothing to multiply by"), Help: "or another number of bits, 2 … 24"},
		{Name: "corpus", Levels: []string{"wikitext2"}, Check: checkCorpus, Help: `or "c4", "opticks", or the path of a text file`},
	},
	Fixed:  map[string]string{"clip": "15", "mode": "illm", "window": Longest, "first": "0", "windows": Most},
	Spread: "corpus",
	Base:   map[string]string{"recipe": "fp32", "multiplier": "", "clip": "", "mode": ""},
}

// KV asks what narrower keys and values, and with them a smaller cache, cost. At 16 bits the engine runs loops over codes,
// many times slower (engine/wide.go): the row shows what 8 bits cost.
var KV = Study{
	Name:     "kv",
	Question: "What do keys and values of fewer bits cost?",
	Axes: []Axis{
		{Name: "width", Levels: []string{"w8a8", "w4a4"}, Check: checkRecipe, Help: "or another recipe of package quant without a suffix kvN, such as w4a4-fsbr"},
		{Name: "kv", Levels: []string{"16", "8", "6", "4", "3"}, Check: checkKV, Help: "or another number of bits, 2 … 8"},
		{Name: "corpus", Levels: []string{"wikitext2"}, Check: checkCorpus, Help: `or "c4", "opticks", or the path of a text file`},
	},
	Fixed:  map[string]string{"model": "tiny-llama", "clip": "15", "mode": "illm", "window": Longest, "first": "0", "windows": Most},
	Spread: "corpus",
	Derive: spellKV,
	Base:   map[string]string{"width": "fp32", "kv": "", "clip": "", "mode": ""},
}

func checkKV(s string) (string, error) {
	if s == "16" {
		return s, nil
	}
	return because(checkBits(2, 8), "keys and values have codes of a byte, or 16 bits")(s)
}

// spellKV puts width and kv together to a recipe's name, without the suffix where it says what the recipe has anyway.
func spellKV(c Config) {
	c["recipe"] = c["width"]
	if c["kv"] == "" {
		return
	}
	base, method, _ := strings.Cut(c["width"], "-")
	suffixed := base + "kv" + c["kv"]
	if method != "" {
		suffixed += "-" + method
	}
	plain, err := quant.ParseRecipe(c["width"])
	with, err2 := quant.ParseRecipe(suffixed)
	if err != nil || err2 != nil || plain.KV != with.KV {
		c["recipe"] = suffixed
	}
}
