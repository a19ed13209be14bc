package nb

import (
	"fmt"
	"io/fs"

	"github.com/illm-go/illm/data"
	"github.com/illm-go/illm/pkg/ablation"
	"github.com/illm-go/illm/pkg/chart"
	"github.com/illm-go/illm/pkg/quant"
	"github.com/illm-go/illm/pkg/smooth"
)

// SiteErrors rounds the input of each linear to so many bits, each token on its own grid, over the first n tokens of a text,
// and has a row for the model as it is and for the factors of each recipe: the error of the linear's output.
func (s *Session) SiteErrors(model, text string, n, bits int, recipes ...string) (chart.Grid, error) {
	if s.err != nil {
		return chart.Grid{}, s.err
	}
	ctx, stop := interruptible()
	defer stop()
	entry, ids, err := tokens(ctx, s.runner, model, text)
	if err != nil {
		return chart.Grid{}, err
	}
	if n < 2 || n > min(len(ids), entry.MaxContext()) {
		return chart.Grid{}, fmt.Errorf("nb: errors of sites over %d tokens of %s: expected 2 to %d", n, text, min(len(ids), entry.MaxContext()))
	}
	cfg, src, err := entry.Weights()
	if err != nil {
		return chart.Grid{}, err
	}
	var list []ablation.SiteErrors
	for _, recipe := range append([]string{""}, recipes...) {
		name, f := "none", (*smooth.Factors)(nil)
		if recipe != "" {
			spec, err := quant.NewSpec(recipe, "", "")
			if err != nil {
				return chart.Grid{}, err
			}
			if f, _, err = entry.Factors(spec.Recipe); err != nil {
				return chart.Grid{}, err
			}
			name = recipe
		}
		e, err := ablation.MeasureSiteErrors(ctx, cfg, src, name, f, bits, ids[:n], threads())
		if err != nil {
			return chart.Grid{}, err
		}
		list = append(list, e)
	}
	return ablation.SiteErrorTable(list), nil
}

// TrainingTime says what a shipped training would take on another backend, by a short run there: an estimate.
func (s *Session) TrainingTime(model, recipe, backend string) (string, error) {
	if s.err != nil {
		return "", s.err
	}
	curves, err := fs.Sub(data.Factors(), "curves")
	if err != nil {
		return "", fmt.Errorf("nb: training curves: %w", err)
	}
	costs, err := ablation.ReadCosts(curves, shippedHeader)
	if err != nil {
		return "", err
	}
	name := model + "-" + recipe
	days, ok := ablation.DaysOn(costs, name, backend)
	if !ok {
		return fmt.Sprintf("%s on the backend %s: no short run of this model to estimate from.", name, backend), nil
	}
	return fmt.Sprintf("%s on the backend %s: about %.1f days, by the short run of the table above.", name, backend, days), nil
}
