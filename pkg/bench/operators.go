package bench

import (
	"fmt"
	"strings"

	"github.com/illm-go/illm/pkg/baseline"
	"github.com/illm-go/illm/pkg/di"
	"github.com/illm-go/illm/pkg/quant"
)

// Operators turns the name of a set of non-linear operators into the set; "" and "integer" are nil, the spec's own.
//
//	exp:NAME[/OPTION…]          another exponential in the integer softmax (baseline.WithExp)
//	half[:X+Y], float32[:X+Y]   operators in floating point: all, or those of softmax, activation and norm
func Operators(spec quant.Spec, name string) (di.Operators, error) {
	kind, rest, _ := strings.Cut(name, ":")
	switch kind {
	case "", "integer":
		if rest == "" {
			return nil, nil
		}
	case "exp":
		return baseline.WithExp(spec, rest)
	case "half", "float32":
		ops, err := baseline.ParseOps(rest)
		if err != nil {
			return nil, err
		}
		if kind == "half" {
			return baseline.Half(spec, ops), nil
		}
		return baseline.Float32(spec, ops), nil
	}
	return nil, fmt.Errorf("bench: operators %q: expected integer, half, float32 (with :softmax, activation or norm, joined by +) or exp:NAME", name)
}
