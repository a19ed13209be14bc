package ablation

import (
	"fmt"

	"github.com/illm-go/illm/pkg/chart"
)

// PaperRow reports whether a row of Methods belongs to table T1: the float model; round to nearest, SmoothQuant, OmniQuant
// and FSBR in simulation, the usual way to compare methods; and round to nearest, FSBR and our best in integers alone.
func PaperRow(axes Config) bool {
	switch axes["method"] {
	case "":
		return true
	case "smoothquant", "omniquant":
		return axes["arithmetic"] != Integer
	case "best":
		return axes["arithmetic"] == Integer
	}
	return true
}

// T1 is table T1 of one model: for every width a row a method, for every text the perplexity, its change from the float
// model paired by window, bits per byte (which compare between models, perplexities do not) and the mean divergence from the
// float model. The number behind a text is of its windows; a row on fewer (OwnWindows) has its own behind the perplexity, which
// then compares with nothing but through its change. Texts and rows without any record are left out; the rows of the paper among them are named in missing.
func (r *Runs) T1() (g chart.Grid, missing []string) {
	g = chart.Grid{Left: 2, Head: []string{"width", "method"}}
	var levels []string
	most := map[string]string{} // windows of a text: those of the float model, else of the first row
	for _, level := range r.levels() {
		windows := ""
		for _, row := range r.rows {
			if c := row.cells[level]; c != nil && c.record != nil && (windows == "" || row.axes["method"] == "") {
				windows = c.config["windows"]
			}
		}
		if windows == "" {
			continue
		}
		levels = append(levels, level)
		most[level] = windows
		g.Head = append(g.Head, fmt.Sprintf("PPL, %s (%s)", chart.Text(level), windows), "change", "bit/byte", "KL")
	}
	for _, row := range r.rows {
		cells := []string{row.axes["width"], methodName(row.axes)}
		any := false
		for _, level := range levels {
			ppl, change, bits, kl := "–", "–", "–", "–"
			if c := row.cells[level]; c != nil && c.record != nil {
				any = true
				if m, ok := c.record.Metric("ppl"); ok {
					ppl = four(m.Value)
					if m.Value >= 1e4 {
						ppl = fmt.Sprintf("%.2g", m.Value)
					}
					if n := c.config["windows"]; n != most[level] {
						ppl += " (" + n + ")"
					}
				}
				if v, ok := r.change(c.record, level); ok && row.axes["method"] != "" {
					change = changed(v)
				}
				if m, ok := c.record.Metric("bits_per_byte"); ok {
					bits = fmt.Sprintf("%.4f", m.Value)
				}
				if m, ok := c.record.Metric("kld_mean"); ok {
					kl = chart.Value{Y: m.Value, Err: m.Stderr}.String()
				}
			}
			cells = append(cells, ppl, change, bits, kl)
		}
		if any {
			g.Rows = append(g.Rows, cells)
		} else if PaperRow(row.axes) {
			missing = append(missing, row.axes["width"]+" "+methodName(row.axes))
		}
	}
	return g, missing
}

// T1Chart draws the divergence from the float model on one text by width, a line a method, of the rows of table T1: on a
// logarithmic axis, since from 8 bits to 4 it grows a thousandfold.
func (r *Runs) T1Chart(level string) *chart.Chart {
	c := &chart.Chart{Kind: chart.KindLine, Title: "Divergence from fp32, " + chart.Text(level) + ": " + r.model(), Subtitle: r.CaptionOf("kld_mean_" + level), X: chart.Axis{Name: "width"},
		Y: chart.Axis{Name: "Mean KL divergence", Unit: "nats", Log: true, Better: chart.Lower}}
	at := map[string]int{}
	for _, row := range r.rows {
		cell := row.cells[level]
		if !PaperRow(row.axes) || row.axes["method"] == "" || cell == nil || cell.record == nil {
			continue
		}
		m, ok := cell.record.Metric("kld_mean")
		if !ok || m.Value <= 0 {
			continue
		}
		name := methodName(row.axes)
		i, seen := at[name]
		if !seen {
			i = len(c.Series)
			at[name] = i
			c.Series = append(c.Series, chart.Series{Name: name})
		}
		c.Series[i].Points = append(c.Series[i].Points, chart.Point{Label: row.axes["width"], Y: m.Value, Err: m.Stderr, ID: cell.record.Key[:min(12, len(cell.record.Key))]})
	}
	return c
}

// klBlock are the columns of KLBlock: metric and head. Shares of tokens are in percent.
var klBlock = [...]struct{ metric, head string }{{"kld_mean", "mean KL"}, {"kld_median", "median"}, {"kld_p99", "99 % of tokens below"}, {"same_top", "same top token (%)"}}

// KLBlock says how far each row of a table is from the float model's distributions on one text: mean ± error, median and
// 99th percentile of the divergence, and how often the likeliest token is the same. Rows without a record are left out.
func (r *Runs) KLBlock(level string) chart.Grid {
	g := chart.Grid{Left: 2, Head: []string{"width", "method"}}
	for _, k := range klBlock {
		g.Head = append(g.Head, k.head)
	}
	for _, row := range r.rows {
		c := row.cells[level]
		if row.axes["method"] == "" || c == nil || c.record == nil {
			continue
		}
		cells := []string{row.axes["width"], methodName(row.axes)}
		for _, k := range klBlock {
			cell := "–"
			if m, ok := c.record.Metric(k.metric); ok {
				cell = chart.Value{Y: m.Value, Err: m.Stderr}.String()
			}
			cells = append(cells, cell)
		}
		g.Rows = append(g.Rows, cells)
	}
	return g
}
