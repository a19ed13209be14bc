package ablation

import (
	"fmt"
	"strconv"

	"github.com/illm-go/illm/pkg/baseline"
	"github.com/illm-go/illm/pkg/di"
	"github.com/illm-go/illm/pkg/quant"
)

// Exp asks what another exponential in the integer softmax costs (ablation B): the same distance codes, clip, scale and
// normalisation around each. "score" and "prob" are the bits of a score's code and of a probability, "sites" says whether
// the sigmoid of SwiGLU has the exponential too. Their speed is in timing records (bench.Runner.ExpSpeed).
//
// Source: algorithm reference, section 5, and what it cites there.
var Exp = Study{
	Name:     "exp",
	Question: "Which exponential does the integer softmax need, and does DI-Exp lose against tables and polynomials?",
	Axes: []Axis{
		{Name: "model", Levels: []string{"tiny-llama"}, Check: checkModel, Help: "or another name or path of a model"},
		{Name: "recipe", Levels: []string{"w8a8"}, Check: checkRecipe, Help: "or another recipe of package quant, such as w4a4"},
		{Name: "exp", Levels: expNames()},
		{Name: "clip", Levels: []string{"15"}, Check: checkClip, Help: `or another value from 1 on with at most three fraction digits, or "none"`},
		{Name: "score", Levels: []string{"8"}, Check: because(checkBits(2, 16), scoreReason), Help: "or another number of bits, 2 … 16"},
		{Name: "prob", Levels: []string{"15"}, Check: because(checkBits(2, di.ProbBits), probReason), Help: fmt.Sprintf("or another number of bits, 2 … %d", di.ProbBits)},
		{Name: "sites", Levels: []string{"softmax"}, Check: checkSites, Help: `or "softmax+sigmoid"`},
		{
			Name: "corpus", Levels: []string{"wikitext2", "c4"},
			Check: checkCorpus, Help: `or "opticks", or the path of a text file`,
		},
	},
	Fixed:  map[string]string{"mode": "illm", "window": Longest, "first": "0", "windows": Most},
	Spread: "corpus",
	Derive: deriveExp,
	Base:   map[string]string{"recipe": "fp32", "exp": "", "clip": "", "score": "", "prob": "", "sites": "", "mode": ""},
}

// Why scores and probabilities have the widths that they may have.
const (
	scoreReason = "codes of one bit would tell the largest score from all others and no more, and no row has codes of more than 16"
	probReason  = "of one bit there would be 0, a half and 1, and the product with the values takes no more than the engine's own"
)

// deriveExp spells exp, score, prob and sites as bench does. What the mode has anyway is left out, so that a row has one
// name.
func deriveExp(c Config) {
	if c["exp"] == "" {
		return
	}
	name := "exp:" + c["exp"]
	if c["sites"] == "softmax+sigmoid" {
		name += "/sigmoid"
	}
	own := "8"
	if c["mode"] == string(quant.Precise) {
		own = "16"
	}
	if c["score"] != "" && c["score"] != own {
		name += "/s" + c["score"]
	}
	if c["prob"] != "" && c["prob"] != "15" {
		name += "/p" + c["prob"]
	}
	c["operators"] = name
}

// ExpFamily is a few exponentials of one idea, as many as a chart can hold.
type ExpFamily struct {
	Name  string
	Names []any // levels of the axis exp
}

// ExpFamilies shares the exponentials out, each to one family.
func ExpFamilies() []ExpFamily {
	return []ExpFamily{
		{"lines and shifts", []any{"di-exp", "di-exp-log2e", "di-exp+", "di-exp-published", "exaq", "shiftmax", "softermax"}},
		{"tables", []any{"lut256", "lut8", "lut8i", "lut32", "lut32i", "lut64", "lut64i", "pwl16"}},
		{"polynomials and floats", []any{"taylor2", "taylor3", "taylor4", "taylor5", "taylor3-raw", "i-bert", "float64", "float32", "half"}},
	}
}

func expNames() (names []string) {
	for _, x := range baseline.Exponentials() {
		names = append(names, x.Name)
	}
	return names
}

func checkBits(least, most int) func(string) (string, error) {
	return func(s string) (string, error) {
		n, err := strconv.Atoi(s)
		if err != nil || n < least || n > most {
			return "", fmt.Errorf("expected a whole number from %d to %d, found %q", least, most, s)
		}
		return strconv.Itoa(n), nil
	}
}

// because adds the reason to what a check refuses.
func because(check func(string) (string, error), reason string) func(string) (string, error) {
	return func(s string) (string, error) {
		checked, err := check(s)
		if err != nil {
			return "", fmt.Errorf("%w: %s", err, reason)
		}
		return checked, nil
	}
}

func checkSites(s string) (string, error) {
	if s != "softmax+sigmoid" {
		return "", fmt.Errorf("expected softmax or softmax+sigmoid, found %q", s)
	}
	return s, nil
}
