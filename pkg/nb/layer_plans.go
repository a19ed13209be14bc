package nb

import "github.com/illm-go/illm/pkg/ablation"

// LayerPlans answers the study Layers for the plans that lower the blocks of a model one after the other. The windows before
// first choose the order, those from first on score the plans. Without an order, which is shown then, the answer is nil.
func (s *Session) LayerPlans(model string, first int) (*ablation.LayerPlans, error) {
	blocks, err := s.Blocks(model)
	if err != nil || blocks == 0 {
		return nil, err
	}
	alone, err := s.Run(ablation.Layers, ablation.Set("model", model), ablation.Set("layers", ablation.OneLayer(blocks)))
	if err != nil {
		return nil, err
	}
	order := alone.Sensitivity("wikitext2")
	if order == nil {
		Show(model + ": no order of its blocks yet")
		return nil, nil
	}
	p := ablation.NewLayerPlans(model, order)
	p.Scores, err = s.Run(ablation.Layers, ablation.Set("model", model), ablation.Set("first", first), ablation.Set("layers", p.Levels()))
	return p, err
}
