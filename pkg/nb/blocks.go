package nb

import (
	"errors"
	"fmt"

	"github.com/illm-go/illm/pkg/catalog"
	"github.com/illm-go/illm/pkg/hub"
	"github.com/illm-go/illm/pkg/record"
)

// Blocks is the number of decoder blocks of a model: of the model where it is on this machine, else of its records of the
// study Layers. A model that would have to be downloaded first and has no such record is named instead, and has 0.
func (s *Session) Blocks(model string) (int, error) {
	if s.err != nil {
		return 0, s.err
	}
	switch err := catalog.Here(model); {
	case err == nil:
		ctx, stop := interruptible()
		defer stop()
		entry, err := s.runner.Entry(ctx, model)
		if err != nil {
			return 0, err
		}
		cfg, _, err := entry.Weights()
		if err != nil {
			return 0, fmt.Errorf("nb: blocks of %s: %w", model, err)
		}
		return cfg.Layers, nil
	case !errors.Is(err, hub.ErrUnavailable):
		return 0, err
	}
	n := 0
	for _, r := range s.all.Filter(func(r *record.Record) bool { return r.Config["model"] == model }) {
		n = max(n, len(r.Axes["layers"]))
	}
	if n == 0 {
		base, _, _ := catalog.Variant(model) // its error is Here's
		Show(model + ": missing, not in the cache (illm fetch " + base + "), and no record counts its blocks")
		note(Hole{What: "blocks of " + model, Model: model, Why: "not in the cache", Cure: "illm fetch " + base, Beside: true})
	}
	return n, nil
}
