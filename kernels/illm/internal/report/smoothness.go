package report

import (
	"fmt"

	"github.com/illm-go/illm/pkg/ablation"
	"github.com/illm-go/illm/pkg/floatref"
	"github.com/illm-go/illm/pkg/nb"
)

const (
	probed       = 512 // tokens that the figures without records look at
	smoothRecipe = "w4a4-fsbr"
	smoothBlock  = 4
)

// smoothModels are part of the clone.
var smoothModels = []string{"tiny-llama", "tiny-llama+outliers", "tiny-opt"}

// smoothnessSection draws the paper's smoothness figures: magnitudes by channel before and after FSBR's factors. They come
// from the shipped weights and factors, no record holds them.
func smoothnessSection(s *nb.Session) (Section, error) {
	out := Section{Name: "smoothness", Question: "What do FSBR's factors make of the channels of activations and weights?",
		Notes: []string{fmt.Sprintf("Computed for this page from the shipped weights and factors (%s) over %d tokens. A number is the largest channel over the median one, as a mean over the blocks.", smoothRecipe, probed)}}
	text, err := s.Text("wikitext2", "opticks")
	if err != nil {
		return out, err
	}
	for _, model := range smoothModels {
		m, err := s.Smoothness(model, smoothRecipe, text, probed)
		if err != nil {
			return out, err
		}
		out.Blocks = append(out.Blocks, Block{Title: model, Table: m.Table()},
			Block{Chart: m.Curve(floatref.AttnIn, smoothBlock, false)}, Block{Chart: m.Curve(floatref.AttnIn, smoothBlock, true)}, Block{Chart: m.ByLayer(floatref.AttnIn)})
	}
	return out, nil
}

// clipRules applies EXAQ's rule to the scores of a model that is part of the clone; of others there is none.
func clipRules(s *nb.Session, model string, recipes []string) ([]ablation.Rule, error) {
	for _, m := range smoothModels {
		if m != model {
			continue
		}
		text, err := s.Text("wikitext2", "opticks")
		if err != nil {
			return nil, err
		}
		return s.Rules(model, text, probed, recipes...)
	}
	return nil, nil
}
