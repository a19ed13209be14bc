package nb

import (
	"fmt"
	"strconv"

	"github.com/illm-go/illm/pkg/ablation"
	"github.com/illm-go/illm/pkg/chart"
)

// TraceClip returns a drawing function for Slider: at each position it computes
// the perplexity of the first window tokens of a text with that clip value, and
// draws it among those of the positions visited before; a few are visited at the
// start, so that there is a curve to join. The model without a clip is the
// baseline.
func (s *Session) TraceClip(model, recipe, text string, window int) func(c int) (any, error) {
	perplexity := func(clip string) (float64, error) {
		runs, err := s.Live(ablation.Clip, ablation.Set("model", model), ablation.Set("recipe", recipe), ablation.Set("clip", clip),
			ablation.Set("corpus", text), ablation.Set("window", window), ablation.Set("windows", 1))
		if err != nil {
			return 0, err
		}
		v, ok := runs.At("ppl")
		if !ok {
			return 0, fmt.Errorf("nb: trace: %s with clip %s gave no perplexity", recipe, clip)
		}
		return v.Y, nil
	}
	visited := map[int]float64{}
	none := 0.0
	return func(c int) (any, error) {
		if none == 0 {
			p, err := perplexity("none")
			if err != nil {
				return nil, err
			}
			none = p
		}
		at := []int{c}
		if len(visited) == 0 {
			at = append(at, 7, 8, 10, 12, 20)
		}
		for _, c := range at {
			if _, ok := visited[c]; ok {
				continue
			}
			p, err := perplexity(strconv.Itoa(c))
			if err != nil {
				return nil, err
			}
			visited[c] = p
		}
		path := chart.Series{Name: recipe}
		for at := range 1000 { // in order; slider positions are small whole numbers
			if p, ok := visited[at]; ok {
				path.Points = append(path.Points, chart.Point{X: float64(at), Y: p})
			}
		}
		drawn := &chart.Chart{
			Kind: chart.KindLine, Title: fmt.Sprintf("clip c = %d: perplexity %.2f, without a clip %.2f", c, visited[c], none),
			Subtitle: fmt.Sprintf("computed now: %s, %s, first %d tokens of %s", model, recipe, window, chart.Text(text)),
			X:        chart.Axis{Name: "clip c"}, Y: chart.Axis{Name: "Perplexity", Better: chart.Lower},
			Series: []chart.Series{path},
		}
		return drawn.Baseline("no clip", none).Mark(fmt.Sprintf("c = %d", c), float64(c)), nil
	}
}
