package nb

import (
	"fmt"
	"slices"
	"time"

	"github.com/illm-go/illm/pkg/bench"
	"github.com/illm-go/illm/pkg/chart"
	"github.com/illm-go/illm/pkg/engine"
)

// ScaleTimes times the engine, here and now, with mantissas of so many bits in the scales of activations: a prompt of n
// tokens of a text, then 16 tokens one by one, the widths taking turns in each round. It shows medians and, as a spread,
// the range of the middle half.
func (s *Session) ScaleTimes(model, recipe, text string, n, rounds int, mantissas ...int) (chart.Grid, error) {
	g := chart.Grid{Head: []string{recipe, fmt.Sprintf("prompt of %d (ms)", n), "middle half", "a token (ms)", "middle half"}}
	if s.err != nil {
		return g, s.err
	}
	const decoded = 16
	ctx, stop := interruptible()
	defer stop()
	entry, ids, err := tokens(ctx, s.runner, model, text)
	if err != nil {
		return g, err
	}
	if n < 1 || rounds < 1 || rounds > 1000 || n+decoded > min(len(ids), entry.MaxContext()) {
		return g, fmt.Errorf("nb: times of %d tokens of %s in %d rounds: expected 1 to %d tokens and 1 to 1000 rounds", n, text, rounds, min(len(ids), entry.MaxContext())-decoded)
	}
	var runs []*engine.Session
	for _, b := range mantissas {
		m, err := bench.Variant{Recipe: recipe, Mantissa: fmt.Sprint(b)}.Engine(ctx, entry)
		if err != nil {
			return g, err
		}
		run, err := m.NewSession(n + decoded)
		if err != nil {
			return g, err
		}
		defer run.Close()
		runs = append(runs, run)
	}
	prompt, token := make([][]time.Duration, len(runs)), make([][]time.Duration, len(runs))
	for round := range rounds + 1 { // the first warms caches
		for k := range runs {
			i := (k + round) % len(runs)
			run := runs[i]
			run.Reset()
			start := time.Now()
			if _, err := run.AppendLast(ctx, ids[:n]); err != nil {
				return g, err
			}
			mid := time.Now()
			for j := range decoded {
				if _, err := run.AppendLast(ctx, ids[n+j:n+j+1]); err != nil {
					return g, err
				}
			}
			if round > 0 {
				prompt[i], token[i] = append(prompt[i], mid.Sub(start)), append(token[i], time.Since(mid)/decoded)
			}
		}
	}
	for i, b := range mantissas {
		row := []string{fmt.Sprintf("B = %d", b)}
		for _, list := range [][]time.Duration{prompt[i], token[i]} {
			slices.Sort(list)
			ms := func(q float64) float64 { return list[int(q*float64(len(list)-1))].Seconds() * 1e3 }
			row = append(row, fmt.Sprintf("%.2f", ms(0.5)), fmt.Sprintf("%.2f … %.2f", ms(0.25), ms(0.75)))
		}
		g.Rows = append(g.Rows, row)
	}
	return g, nil
}
