package report

import (
	"context"
	"fmt"
	"strconv"

	"github.com/illm-go/illm/pkg/ablation"
	"github.com/illm-go/illm/pkg/chart"
	"github.com/illm-go/illm/pkg/record"
)

// asked are the options under which a study has records of a model, where they are not the study's own.
func asked(store *record.Store, study ablation.Study, model string) []ablation.Option {
	switch study.Name {
	case ablation.Layers.Name:
		if n, _ := layersOf(store, model); n > 0 {
			return []ablation.Option{ablation.Set("layers", ablation.OneLayer(n))}
		}
	case ablation.Context.Name:
		if model == speedModel { // its context is longer
			return []ablation.Option{ablation.Set("recipe", "w8a8", "w4a4-fsbr"), ablation.Set("window", 512, 2048, 8192), ablation.Set("tokens", 16384)}
		}
	}
	return nil
}

// layersOf counts the blocks of a model by its records of the study Layers, and finds the first window of the plans, which
// stand behind the windows that chose the order; 0 where there are none.
func layersOf(store *record.Store, model string) (blocks, first int) {
	for _, r := range store.Filter(func(r *record.Record) bool { return r.Axes["model"] == model && r.Axes["layers"] != "" }) {
		blocks = max(blocks, len(r.Axes["layers"]))
		if n, err := strconv.Atoi(fmt.Sprint(r.Config["first"])); err == nil {
			first = max(first, n)
		}
	}
	return blocks, first
}

// extras are the charts of a study beside those of perplexity.
func extras(runs *ablation.Runs) (out []*chart.Chart) {
	for _, text := range texts[:2] {
		switch runs.Study.Name {
		case ablation.Calibration.Name:
			if c := runs.Sizes(text); c != nil {
				out = append(out, c)
			}
		case ablation.NonLinear.Name:
			if text != texts[0] { // the divergence tells most on the text with most windows
				continue
			}
			more := runs.Against("operators", ablation.Integer).Excess()
			for _, width := range levels(runs, "recipe") {
				if width != runs.Study.Base["recipe"] {
					c := more.Where("recipe", width).Chart("operators", text)
					out = append(out, c.Titled(c.Title+", "+width, c.Subtitle))
				}
			}
		case ablation.Context.Name:
			for _, recipe := range levels(runs, "recipe") {
				if recipe != runs.Study.Base["recipe"] {
					c := runs.PositionChart(recipe, text)
					out = append(out, c.Titled(c.Title+", "+chart.Text(text), c.Subtitle))
				}
			}
		}
	}
	return out
}

// fronts draws what plans of blocks at 8 and 4 bits give for their bytes, in the order of the blocks' sensitivity, which
// runs of one block at a time tell.
func (s *Section) fronts(ctx context.Context, store *record.Store, ev ablation.Evaluator, runs *ablation.Runs, model string) error {
	const text = "wikitext2"
	order := runs.Sensitivity(text)
	if order == nil {
		return nil
	}
	_, first := layersOf(store, model)
	plans := ablation.NewLayerPlans(model, order)
	var err error
	plans.Scores, err = ablation.Layers.Run(ctx, store, ev, ablation.Set("model", model), ablation.Set("first", first), ablation.Set("layers", plans.Levels()), ablation.Stored())
	if err != nil {
		return fmt.Errorf("report: study %s: %w", s.Name, err)
	}
	s.Records = append(s.Records, plans.Scores.Records()...)
	for _, metric := range []string{"ppl", "kld_mean"} {
		if c := plans.Front(metric, text); c.Validate() == nil {
			s.Blocks = append(s.Blocks, Block{Chart: c})
		}
	}
	return nil
}
