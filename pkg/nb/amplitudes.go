package nb

import (
	"fmt"

	"github.com/illm-go/illm/pkg/ablation"
	"github.com/illm-go/illm/pkg/chart"
	"github.com/illm-go/illm/pkg/floatref"
)

// Amplitudes runs the float model over the first n tokens of a text and returns how large its rows are, site by site.
func (s *Session) Amplitudes(model, text string, n int) (*ablation.Amplitudes, error) {
	if s.err != nil {
		return nil, s.err
	}
	ctx, stop := interruptible()
	defer stop()
	entry, ids, err := tokens(ctx, s.runner, model, text)
	if err != nil {
		return nil, err
	}
	if n < 2 || n > min(len(ids), entry.MaxContext()) {
		return nil, fmt.Errorf("nb: amplitudes over %d tokens of %s: expected 2 to %d", n, text, min(len(ids), entry.MaxContext()))
	}
	cfg, src, err := entry.Weights()
	if err != nil {
		return nil, err
	}
	seen := new(ablation.Amplitudes)
	m, err := floatref.NewFrom(cfg, src, floatref.Options{Threads: threads(), Tap: seen})
	if err != nil {
		return nil, err
	}
	run, err := m.NewSession(n)
	if err != nil {
		return nil, err
	}
	_, err = run.Append(ids[:n])
	return seen, err
}

// TokenErrors is the table of ablation.TokenModel's errors.
func TokenErrors(list []ablation.TokenErrors) chart.Grid {
	g := chart.Grid{Head: []string{"bits", "each token's own grid", "one grid", "one grid, one outlier token"}}
	for _, e := range list {
		g.Rows = append(g.Rows, []string{fmt.Sprint(e.Bits), fmt.Sprintf("%.4f", e.Dynamic), fmt.Sprintf("%.4f", e.Static), fmt.Sprintf("%.4f", e.Outlier)})
	}
	return g
}
