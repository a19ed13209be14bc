package nb

import (
	"context"
	"fmt"

	"github.com/illm-go/illm/pkg/baseline"
	"github.com/illm-go/illm/pkg/bench"
	"github.com/illm-go/illm/pkg/catalog"
	"github.com/illm-go/illm/pkg/chart"
	"github.com/illm-go/illm/pkg/engine"
	"github.com/illm-go/illm/pkg/quant"
)

// Conversions runs the first tokens of a text as one prompt with each set of non-linear operators and counts what passes
// between integers and floats, numbers a token of the prompt. A count depends on the model and the prompt's length, on
// no machine.
func (s *Session) Conversions(model, recipe, text string, n int, operators ...string) (chart.Grid, error) {
	g := chart.Grid{Head: []string{"operators", "to float", "to integer", "float rows", "rows beyond half's range"}}
	if s.err != nil {
		return g, s.err
	}
	ctx, stop := interruptible()
	defer stop()
	entry, ids, err := tokens(ctx, s.runner, model, text)
	if err != nil {
		return g, err
	}
	if n < 1 || n > min(entry.MaxContext(), len(ids)) {
		return g, fmt.Errorf("nb: conversions: %d tokens: expected 1 to %d, the model's context or the text's length", n, min(entry.MaxContext(), len(ids)))
	}
	spec, err := quant.NewSpec(recipe, "", "")
	if err != nil {
		return g, err
	}
	for _, name := range operators {
		c, err := conversions(ctx, entry, spec, name, ids[:n])
		if err != nil {
			return g, err
		}
		row := []string{name}
		for _, v := range []int64{c.ToFloat, c.ToInteger, c.Rows, c.Overflows} {
			row = append(row, fmt.Sprintf("%.1f", float64(v)/float64(n)))
		}
		g.Rows = append(g.Rows, row)
	}
	return g, nil
}

func conversions(ctx context.Context, entry *catalog.Entry, spec quant.Spec, name string, ids []int32) (c baseline.Conversions, err error) {
	ops, err := bench.Operators(spec, name)
	if err != nil {
		return c, err
	}
	counted, ok := ops.(*baseline.Operators)
	if !ok { // the engine's own operators: there is nothing to convert
		return c, nil
	}
	base, err := entry.Integer(ctx, spec)
	if err != nil {
		return c, err
	}
	m, err := engine.New(base.Artifact(), engine.Options{Spec: &spec, Threads: threads(), Operators: ops, Weights: engine.Settled})
	if err != nil {
		return c, err
	}
	session, err := m.NewSession(len(ids))
	if err != nil {
		return c, err
	}
	defer session.Close()
	if _, err := session.AppendLast(ctx, ids); err != nil {
		return c, err
	}
	return counted.Conversions(), nil
}
