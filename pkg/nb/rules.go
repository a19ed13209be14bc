package nb

import (
	"errors"

	"github.com/illm-go/illm/pkg/ablation"
	"github.com/illm-go/illm/pkg/catalog"
	"github.com/illm-go/illm/pkg/hub"
)

// Rules applies EXAQ's rule for the clip value to the scores of a model over the first n tokens of a text, at each of the
// recipes. A model that would have to be downloaded first is named instead, and has no rule.
func (s *Session) Rules(model, text string, n int, recipes ...string) ([]ablation.Rule, error) {
	if s.err != nil {
		return nil, s.err
	}
	if err := catalog.Here(model); errors.Is(err, hub.ErrUnavailable) {
		base, _, _ := catalog.Variant(model) // its error is Here's
		Show(model + ": missing, not in the cache (illm fetch " + base + "): no rule for its clip value")
		note(Hole{What: "clip rule of " + model, Model: model, Why: "not in the cache", Cure: "illm fetch " + base, Beside: true})
		return nil, nil
	}
	var out []ablation.Rule
	for _, recipe := range recipes {
		scores, err := s.Scores(model, recipe, text, n)
		if err != nil {
			return nil, err
		}
		out = append(out, scores.Rule(recipe))
	}
	return out, nil
}
