package bench

import (
	"fmt"

	"github.com/illm-go/illm/pkg/di"
	"github.com/illm-go/illm/pkg/quant"
)

// Operators turns the name of a set of non-linear operators into the set; "" is nil, the spec's own.
func Operators(spec quant.Spec, name string) (di.Operators, error) {
	if name == "" {
		return nil, nil
	}
	return nil, fmt.Errorf("bench: operators %q: expected nothing", name)
}
