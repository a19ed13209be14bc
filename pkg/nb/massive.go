package nb

import (
	"errors"
	"fmt"

	"github.com/illm-go/illm/pkg/ablation"
	"github.com/illm-go/illm/pkg/catalog"
	"github.com/illm-go/illm/pkg/hub"
)

// Here returns those of the models that are on this machine, and notes the others: a cell that computes on them goes on
// without a network.
func (s *Session) Here(models ...string) (here []string, err error) {
	for _, model := range models {
		err := catalog.Here(model)
		switch {
		case err == nil:
			here = append(here, model)
		case !errors.Is(err, hub.ErrUnavailable):
			return nil, err
		default:
			base, _, _ := catalog.Variant(model) // its error is Here's
			note(Hole{What: model + ", computed here", Model: model, Why: "not in the cache", Cure: "illm fetch " + base, Beside: true})
		}
	}
	return here, nil
}

// Massive runs the float model over the first n tokens of a text and returns where its largest activations are and what
// grids of the given widths make of them. Of the models the first counts that is on this machine: none is fetched.
func (s *Session) Massive(text string, n int, bits []int, models ...string) (*ablation.Massive, error) {
	if s.err != nil {
		return nil, s.err
	}
	ctx, stop := interruptible()
	defer stop()
	here, err := s.Here(models...)
	if err != nil {
		return nil, err
	}
	if len(here) == 0 {
		return nil, fmt.Errorf("nb: massive activations: none of %v is on this machine: %w", models, hub.ErrUnavailable)
	}
	model := here[0]
	entry, ids, err := tokens(ctx, s.runner, model, text)
	if err != nil {
		return nil, err
	}
	if n < 2 || n > min(len(ids), entry.MaxContext()) {
		return nil, fmt.Errorf("nb: massive activations over %d tokens of %s: expected 2 to %d", n, text, min(len(ids), entry.MaxContext()))
	}
	cfg, src, err := entry.Weights()
	if err != nil {
		return nil, err
	}
	Show(fmt.Sprintf("%s, the first %d tokens of %s", model, n, text))
	return ablation.FindMassive(ctx, cfg, src, ids[:n], threads(), bits...)
}
