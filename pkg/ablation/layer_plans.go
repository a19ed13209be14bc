package ablation

import (
	"slices"

	"github.com/illm-go/illm/pkg/chart"
)

// LayerPlans are the mixed plans of a model that lower its blocks from 8 to 4 bits one after the other, by two orders: the
// least sensitive first, and as a contrast the most sensitive first.
type LayerPlans struct {
	Model  string
	order  []int // from the least to the most sensitive
	Scores *Runs // the study Layers over Levels
}

// NewLayerPlans takes the order of Sensitivity.
func NewLayerPlans(model string, order []int) *LayerPlans {
	return &LayerPlans{Model: model, order: slices.Clone(order)}
}

// orders are the two ways through the blocks, by name.
func (p *LayerPlans) orders() map[string][]int {
	worst := slices.Clone(p.order)
	slices.Reverse(worst)
	return map[string][]int{"least sensitive first": p.order, "most sensitive first": worst}
}

// Levels lists the levels of the study Layers that the plans are, each once: both orders share their ends.
func (p *LayerPlans) Levels() []string {
	var out []string
	for _, name := range sortedKeys(p.orders()) {
		for _, level := range Plans(p.orders()[name]) {
			if !slices.Contains(out, level) {
				out = append(out, level)
			}
		}
	}
	return out
}

// Front is FrontChart of the two orders, with the model in its title.
func (p *LayerPlans) Front(metric, corpus string) *chart.Chart {
	c := p.Scores.FrontChart(metric, corpus, p.orders())
	return c.Titled(c.Title+": "+p.Model, c.Subtitle)
}

// Budgets is that of the plans' scores.
func (p *LayerPlans) Budgets(corpus string, megabytes ...float64) chart.Grid {
	return p.Scores.Budgets(corpus, megabytes...)
}
