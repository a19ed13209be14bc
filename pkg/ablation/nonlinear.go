package ablation

import (
	"fmt"
	"strings"

	"github.com/illm-go/illm/pkg/baseline"
	"github.com/illm-go/illm/pkg/quant"
)

// NonLinear asks what the integer non-linear operators cost against half precision ones (ablation D): softmax, the
// MLP's activation and the norms, each alone and all at once, around the same integer products. "integer" is the
// engine as it is; "half" rounds to half precision after each elementary step, "float32" does not.
//
// Source: I-LLM's comparison with mixed integer and floating point inference; boundary as in the algorithm reference,
// end of section 12.
var NonLinear = Study{
	Name:     "nonlinear",
	Question: "What do the integer softmax, norm and activation cost against half precision ones, and what do they save?",
	Axes: []Axis{
		{Name: "recipe", Levels: []string{"w8a8", "w6a6", "w4a4"}, Check: checkRecipe, Help: "or another recipe of package quant, such as w4a8"},
		{
			Name: "operators", Levels: []string{Integer, "half:softmax", "half:activation", "half:norm", "half", "float32"},
			Check: checkOperators, Help: "or half:X+Y, float32:X+Y of softmax, activation and norm",
		},
		{Name: "corpus", Levels: []string{"wikitext2", "c4", ZeroShot, Speed}, Check: checkCorpus, Help: `or "opticks", or the path of a text file`},
	},
	Fixed:  map[string]string{"model": "tiny-llama", "clip": "15", "mode": "illm", "window": Longest, "first": "0", "windows": Most, "items": Most},
	Spread: "corpus",
	Base:   map[string]string{"recipe": "fp32", "clip": "", "mode": "", "operators": ""},
}

// Integer, as the level of the axis "operators", is the engine's own set.
const Integer = "integer"

// ZeroShot and Speed are levels of the axis "corpus" that are no texts: the mean of the six zero-shot tasks, and times
// and memory.
const (
	ZeroShot = "zeroshot"
	Speed    = "speed"
)

func checkOperators(s string) (string, error) {
	kind, sites, some := strings.Cut(s, ":")
	switch {
	case s == Integer:
		return s, nil
	case kind == "exp" && some && sites != "":
		if err := checkExp(sites); err != nil {
			return "", err
		}
		return s, nil
	case kind != "half" && kind != "float32":
		return "", fmt.Errorf("expected integer, half, float32 or exp:NAME, found %q", s)
	}
	if !some {
		return s, nil
	}
	for _, site := range strings.Split(sites, "+") {
		if site != "softmax" && site != "activation" && site != "norm" {
			return "", fmt.Errorf("expected softmax, activation or norm after %s:, found %q", kind, site)
		}
	}
	return s, nil
}

// checkExp says whether NAME of exp:NAME is an exponential with options that there are.
func checkExp(name string) error {
	spec, err := quant.NewSpec("w8a8", "", "") // which names there are does not depend on the widths
	if err != nil {
		return err
	}
	_, err = baseline.WithExp(spec, name)
	return err
}
