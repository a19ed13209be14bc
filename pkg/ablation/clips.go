package ablation

import (
	"fmt"
	"slices"

	"github.com/illm-go/illm/pkg/chart"
	"github.com/illm-go/illm/pkg/quant"
	"github.com/illm-go/illm/pkg/record"
)

// ClipOf is the clip that a record was made with: c, or in short form the clips by layer that stand in for it.
func ClipOf(r *record.Record) string {
	if list := clipsOf(r); list != nil {
		return list.Short()
	}
	return r.Axes["clip"]
}

// clipsOf are the clips by layer of a record, nil where it has one for all.
func clipsOf(r *record.Record) quant.Clips {
	text, _ := r.Config["clips"].(string)
	list, err := quant.ParseClips(text)
	if err != nil { // no clip of this build: shown by nothing rather than by a wrong number
		return nil
	}
	return list
}

// clips are those by layer of a row in short form, "" where it has none.
func (r *Runs) clips(i int) string {
	for _, level := range r.levels() {
		if c := r.rows[i].cells[level]; c != nil && c.record != nil {
			if list := clipsOf(c.record); list != nil {
				return list.Short()
			}
		}
	}
	return ""
}

// ClipsTable sets the rows of Methods with clips by layer beside the same rows without: pairs holds method and variant,
// "best" and "best@clips". Perplexity, its change from the row without, paired by window, and the divergence from the float
// model, by width and text; a pair of which one half has no record is left out.
func (r *Runs) ClipsTable(pairs map[string]string) chart.Grid {
	g := chart.Grid{Left: 3, Head: []string{"width", "text", "method", "clips by layer", "PPL, c = 15", "PPL, by layer", "change", "KL, c = 15", "KL, by layer"}}
	for _, with := range r.rows {
		if a := with.axes["arithmetic"]; a != "" && a != Integer {
			continue
		}
		for _, method := range sortedKeys(pairs) {
			if with.axes["method"] != pairs[method] {
				continue
			}
			at := slices.IndexFunc(r.rows, func(o row) bool {
				return o.axes["method"] == method && o.axes["width"] == with.axes["width"] && o.axes["arithmetic"] == with.axes["arithmetic"]
			})
			for _, level := range r.levels() {
				b := with.cells[level]
				if at < 0 || b == nil || b.record == nil || clipsOf(b.record) == nil {
					continue
				}
				a := r.rows[at].cells[level]
				if a == nil || a.record == nil {
					continue
				}
				mean, se, n := PairedNLL(b.record, a.record)
				if n == 0 {
					continue
				}
				g.Rows = append(g.Rows, []string{with.axes["width"], chart.Text(level), method, clipsOf(b.record).Short(), pplText(a.record), pplText(b.record),
					changed(pplChange(mean, se)), metricText(a.record, "kld_mean"), metricText(b.record, "kld_mean")})
			}
		}
	}
	return g
}

// pplText is a perplexity without its error, which is that of the texts and not of the difference.
func pplText(r *record.Record) string {
	m, ok := r.Metric("ppl")
	if !ok {
		return "–"
	}
	return four(m.Value)
}

// metricText is a metric with its standard error, "–" where there is none.
func metricText(r *record.Record, name string) string {
	m, ok := r.Metric(name)
	if !ok {
		return "–"
	}
	return chart.Value{Y: m.Value, Err: m.Stderr}.String()
}

// ClipsChart draws lists of clips over the layers, a bar a layer, by name; no clip is a layer without a bar.
func ClipsChart(lists map[string]quant.Clips) *chart.Chart {
	c := &chart.Chart{Kind: chart.KindBar, Title: "Clip value by layer, as the integer engine chose it on calibration text",
		Subtitle: fmt.Sprintf("no bar: no clip; the default is %s in every layer", quant.DefaultClip),
		X:        chart.Axis{Name: "layer"}, Y: chart.Axis{Name: "clip c", Unit: "natural units"}}
	for _, name := range sortedKeys(lists) {
		s := chart.Series{Name: name}
		for layer, v := range lists[name] {
			s.Points = append(s.Points, chart.Point{Label: fmt.Sprint(layer), Y: float64(v) / 1000})
		}
		c.Series = append(c.Series, s)
	}
	c.Baseline("default", float64(quant.DefaultClip)/1000)
	return c
}
