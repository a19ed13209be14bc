package nb

import (
	"github.com/illm-go/illm/pkg/ablation"
)

// ByModel answers a study for several models from records alone: nothing is computed, so that a table of four models never
// waits for one of them; but for FullEnv.
func (s *Session) ByModel(study ablation.Study, models []string, options ...ablation.Option) (ablation.ByModel, error) {
	if s.err != nil {
		return nil, s.err
	}
	ctx, stop := interruptible()
	defer stop()
	var out ablation.ByModel
	for _, model := range models {
		runs, err := study.Run(ctx, s.store, stored{s.runner}, s.full(append([]ablation.Option{ablation.Set("model", model), ablation.Stored()}, options...))...)
		if err != nil {
			return nil, err
		}
		note(holesOf(runs)...)
		out = append(out, runs)
	}
	return out, nil
}
