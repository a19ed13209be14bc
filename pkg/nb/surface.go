package nb

import (
	"fmt"

	"github.com/illm-go/illm/pkg/ablation"
	"github.com/illm-go/illm/pkg/floatref"
	"github.com/illm-go/illm/pkg/quant"
)

// Surface runs the float model over the first n tokens of a text, without and with the factors of a recipe, and returns
// the magnitudes at one site of one block as heat maps:
//
//	f := nb.Must(s.Surface(model, "w4a4-fsbr", text, floatref.AttnIn, 3, 128))
//	nb.Show(nb.Must(f.Activations().Render()), nb.Must(f.Weights().Render()))
func (s *Session) Surface(model, recipe, text string, site floatref.Site, layer, n int) (*ablation.Surface, error) {
	if s.err != nil {
		return nil, s.err
	}
	ctx, stop := interruptible()
	defer stop()
	entry, ids, err := tokens(ctx, s.runner, model, text)
	if err != nil {
		return nil, err
	}
	if n < 1 || n > min(len(ids), entry.MaxContext()) {
		return nil, fmt.Errorf("nb: surface over %d tokens of %s: expected 1 to %d", n, text, min(len(ids), entry.MaxContext()))
	}
	spec, err := quant.NewSpec(recipe, "", "")
	if err != nil {
		return nil, err
	}
	f, _, err := entry.Factors(spec.Recipe)
	if err != nil {
		return nil, err
	}
	cfg, src, err := entry.Weights()
	if err != nil {
		return nil, err
	}
	return ablation.MeasureSurface(ctx, cfg, src, f, ids[:n], threads(), site, layer)
}
