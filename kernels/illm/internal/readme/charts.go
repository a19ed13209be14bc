package readme

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/illm-go/illm/pkg/ablation"
	"github.com/illm-go/illm/pkg/chart"
	"github.com/illm-go/illm/pkg/record"
)

// ChartNames are the README's pictures, files NAME.svg of data/charts.
func ChartNames() []string { return []string{"methods", "clip", "speed"} }

// maxPicture bounds a picture in bytes: the README's reader loads all of them.
const maxPicture = 200_000

// Charts draws the README's pictures from records, by name. What has no record yet has
// no picture.
func Charts(store *record.Store) (map[string]string, error) {
	out := map[string]string{}
	for name, draw := range map[string]func(*record.Store) (*chart.Chart, error){"methods": methodsChart, "clip": clipChart, "speed": speedChart} {
		c, err := draw(store)
		if err != nil {
			return nil, fmt.Errorf("readme: chart %s: %w", name, err)
		}
		o, err := c.Render()
		if errors.Is(err, chart.ErrEmpty) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("readme: chart %s: %w", name, err)
		}
		if len(o.SVG) > maxPicture {
			return nil, fmt.Errorf("readme: chart %s: expected at most %d bytes, found %d: leave rows out", name, maxPicture, len(o.SVG))
		}
		out[name] = o.SVG
	}
	return out, nil
}

// methodsChart is perplexity by width, a line a calibration method, on SmolLM2.
func methodsChart(store *record.Store) (*chart.Chart, error) {
	m := calibratedModels[len(calibratedModels)-1]
	runs, err := m.runs(store)
	if err != nil {
		return nil, err
	}
	c := &chart.Chart{Kind: chart.KindLine, X: chart.Axis{Name: "widths"}, Y: chart.Axis{Name: "Perplexity, WikiText-2", Better: chart.Lower, Log: true}}
	c.Titled("What calibration makes of the widths: "+m.model, fmt.Sprintf("integers alone, %s windows of %s tokens; bars: ± 1 standard error over windows", m.windows, m.window))
	for i, method := range calibratedMethods {
		s := chart.Series{Name: calibratedHeads[i], Method: method}
		for _, width := range calibratedWidths {
			if v, ok := runs.At("ppl", "width", width, "method", method); ok {
				s.Points = append(s.Points, chart.Point{Label: width, Y: v.Y, Err: v.Err})
			}
		}
		if len(s.Points) > 0 {
			c.Series = append(c.Series, s)
		}
	}
	if v, ok := runs.At("ppl", "width", "fp32"); ok && len(c.Series) > 0 {
		c.Baseline("fp32", v.Y)
	}
	return c, nil
}

// clipChart is perplexity by clip value, a panel a width, on SmolLM2.
func clipChart(store *record.Store) (*chart.Chart, error) {
	runs, err := ablation.Clip.Run(context.Background(), store, nil, ablation.Stored(), ablation.Set("model", "smollm2"), ablation.Set("corpus", "wikitext2"))
	if err != nil {
		return nil, err
	}
	return chart.Line(runs, "clip", "ppl", "recipe").Panels().LogY(), nil
}

// speedReference is the rival that the others are measured by.
const speedReference = "llama.cpp Q8_0"

// speedChart is how many times as fast as llama.cpp each subject is, by case.
func speedChart(store *record.Store) (*chart.Chart, error) {
	list := slices.DeleteFunc(peersOf(store, "smollm2"), func(r *record.Record) bool {
		_, memory := r.Metric("peak_rss_bytes")
		return memory || size(r) <= 0
	})
	base := map[string]float64{}
	for _, r := range list {
		if r.Axes["subject"] == speedReference {
			base[r.Axes["case"]] = size(r)
		}
	}
	c := &chart.Chart{Kind: chart.KindBar, X: chart.Axis{Name: "work"}, Y: chart.Axis{Name: "Speed", Unit: "times " + speedReference, Better: chart.Higher}}
	for _, r := range list {
		name := r.Axes["subject"]
		if name == speedReference || base[r.Axes["case"]] == 0 {
			continue
		}
		at := slices.IndexFunc(c.Series, func(s chart.Series) bool { return s.Name == name })
		if at < 0 {
			at, c.Series = len(c.Series), append(c.Series, chart.Series{Name: name, Method: strings.TrimPrefix(name, "illm ")})
		}
		c.Series[at].Points = append(c.Series[at].Points, chart.Point{Label: r.Axes["case"], Y: base[r.Axes["case"]] / size(r), ID: r.Key[:min(12, len(r.Key))]})
		c.Titled("SmolLM2-135M beside llama.cpp on one machine", fmt.Sprintf("ratios of medians over %v interleaved rounds; %s, %d threads each", r.Config["rounds"], r.Env.CPU, r.Env.Threads))
	}
	if len(c.Series) > 0 {
		c.Baseline(speedReference, 1)
	}
	return c, nil
}
