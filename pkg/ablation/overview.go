package ablation

import (
	"fmt"
	"slices"
	"strings"

	"github.com/illm-go/illm/pkg/chart"
)

// Models4 are the models that the tables of the ablations stand on: the paper's two families, one with the outlier channels
// of a large model, and one that was not trained here.
var Models4 = []string{"tiny-llama", "tiny-llama+outliers", "tiny-opt", "smollm2"}

// none stands in a table where no record has a value.
const none = "–"

// column is a column of an ablation's table.
type column struct {
	head  string
	words bool
	cell  func(s chart.Source, row int) string
}

// tableOf lays a source out.
func tableOf(s chart.Source, columns []column) (g chart.Grid) {
	for _, c := range columns {
		g.Head = append(g.Head, c.head)
		if c.words {
			g.Left++
		}
	}
	for i := range s.Len() {
		row := make([]string, len(columns))
		for j, c := range columns {
			if row[j] = c.cell(s, i); row[j] == "" {
				row[j] = none
			}
		}
		g.Rows = append(g.Rows, row)
	}
	return g
}

// words is a level, or a setting.
func words(head, name string) column {
	return column{head, true, func(s chart.Source, row int) string { v, _ := s.Text(row, name); return v }}
}

// value is a metric with its error.
func value(head, name string) column { return scaled(head, name, 1) }

// scaled is a metric in another unit: 100 for percent of a share, 1e-6 for megabytes.
func scaled(head, name string, times float64) column {
	return column{head, false, func(s chart.Source, row int) string {
		v, ok := s.Number(row, name)
		if !ok {
			return none
		}
		v.Y, v.Err = times*v.Y, times*v.Err
		return v.String()
	}}
}

// perToken is the time of a token in milliseconds, from tokens a second, with the quartiles of its runs.
func perToken(head, name string, tokens float64) column {
	return column{head, false, func(s chart.Source, row int) string {
		of := func(suffix string) float64 {
			v, ok := s.Number(row, name+suffix+"_"+Speed)
			if !ok || v.Y <= 0 {
				return 0
			}
			return 1000 * tokens / v.Y
		}
		mid, fast, slow := of(""), of("_q3"), of("_q1")
		switch {
		case mid == 0:
			return none
		case fast == 0 || slow == 0:
			return fmt.Sprintf("%.3g", mid)
		}
		return fmt.Sprintf("%.3g (%.3g–%.3g)", mid, fast, slow)
	}}
}

// quality are perplexity and its change from the reference on both texts.
func quality() []column {
	return []column{
		value("WikiText-2 PPL ↓", "ppl_wikitext2"), value("change (%)", "delta_wikitext2"),
		value("C4 PPL ↓", "ppl_c4"), value("change (%)", "delta_c4"),
	}
}

// answers are the mean accuracy over the zero-shot tasks and its paired difference from the float model.
func answers() []column {
	return []column{scaled("zero-shot mean (%) ↑", "zero_shot_mean_"+ZeroShot, 100), scaled("less fp32 (points)", "zero_shot_diff_"+ZeroShot, 100)}
}

// costs are times and memory of Speed's prompt of 512 tokens and 128 decoded ones.
func costs() []column {
	return []column{
		perToken("prompt of 512 (ms) ↓", "prefill_tok_s", 512), perToken("decode (ms a token) ↓", "decode_tok_s", 1),
		scaled("weights (MB) ↓", "weight_bytes_"+Speed, 1e-6), scaled("running (MB) ↓", "running_bytes_"+Speed, 1e-6),
	}
}

// StaticTable is table A of one model: what constant grids cost and save.
func StaticTable(runs *Runs) chart.Grid {
	return tableOf(runs.Against("setting", Dynamic), slices.Concat(
		[]column{words("widths", "width"), words("method", "method"), words("grid", "setting")},
		quality(), answers(), costs(), []column{value("cut codes (%)", "saturated_share_wikitext2"), words("windows", "windows")}))
}

// NonLinearTable is table D of one model: integer and float operators around integer products.
func NonLinearTable(runs *Runs) chart.Grid {
	return tableOf(runs.Against("operators", Integer).Excess(), slices.Concat(
		[]column{words("widths", "recipe"), words("operators", "operators")},
		quality(), []column{value("excess KL, WikiText-2 (nats/1000) ↓", "excess_wikitext2")}, answers(), costs(),
		[]column{value("to float, a token", "to_float_token_"+Speed), value("to integer", "to_integer_token_"+Speed), words("windows", "windows")}))
}

// ExpTable is table B of one model: perplexity and divergence with each exponential, and what each looks up. Its times
// do not depend on a model: ExpLengths.
func ExpTable(runs *Runs) chart.Grid {
	bytes := expTableBytes()
	return tableOf(runs.Against("exp", "float64").Excess(), slices.Concat(
		[]column{words("widths", "recipe"), words("exponential", "exp"), {"table (bytes) ↓", false, func(s chart.Source, row int) string {
			name, _ := s.Text(row, "exp")
			return bytes[name]
		}}},
		quality(), []column{value("KL, WikiText-2 (nats) ↓", "kld_mean_wikitext2"), value("more than float64 (nats/1000)", "excess_wikitext2"),
			value("KL, C4 (nats) ↓", "kld_mean_c4"), value("more than float64 (nats/1000)", "excess_c4"), words("windows", "windows")}))
}

// Gaps names the rows without a record, text by text: "c4: 3 of 31 rows (w8a8 static, …)"; "" for none.
func (r *Runs) Gaps() string {
	var parts []string
	for _, level := range r.levels() {
		var rows []string
		all := 0
		for _, row := range r.rows {
			c := row.cells[level]
			if c == nil {
				continue
			}
			if all++; c.record == nil {
				var levels []string
				for _, a := range r.Study.Axes {
					if v := row.axes[a.Name]; v != "" && a.Name != r.Study.Spread && a.Name != "model" && !(a.Name == "method" && v == "rtn") {
						levels = append(levels, v)
					}
				}
				rows = append(rows, strings.Join(levels, " "))
			}
		}
		switch {
		case len(rows) == 0:
		case len(rows) == all:
			parts = append(parts, fmt.Sprintf("%s: all %d rows", chart.Text(level), all))
		default:
			parts = append(parts, fmt.Sprintf("%s: %d of %d rows (%s)", chart.Text(level), len(rows), all, strings.Join(firstFew(rows, 3), ", ")))
		}
	}
	return strings.Join(parts, "; ")
}

// firstFew cuts a list, with an ellipsis for what is left out.
func firstFew(list []string, n int) []string {
	if len(list) <= n {
		return list
	}
	return append(slices.Clone(list[:n]), "…")
}

// Saturated says which share of the codes each grid cuts off, over the rows that have one on a text.
func (r *Runs) Saturated(corpus string) string {
	least, most, order := map[string]float64{}, map[string]float64{}, []string(nil)
	for i, row := range r.rows {
		v, ok := r.Number(i, "saturated_share_"+corpus)
		if !ok {
			continue
		}
		name := row.axes["setting"]
		if _, seen := least[name]; !seen {
			order, least[name], most[name] = append(order, name), v.Y, v.Y
		}
		least[name], most[name] = min(least[name], v.Y), max(most[name], v.Y)
	}
	var parts []string
	for _, name := range order {
		parts = append(parts, fmt.Sprintf("%s %s of a million", name, fromTo(1e4*least[name], 1e4*most[name])))
	}
	if len(parts) == 0 {
		return chart.Text(corpus) + ": no record of cut codes yet."
	}
	return chart.Text(corpus) + ", codes that were cut: " + strings.Join(parts, ", ") + "."
}

// fromTo prints a range.
func fromTo(least, most float64) string {
	a, b := fmt.Sprintf("%.3g", least), fmt.Sprintf("%.3g", most)
	if a == b {
		return a
	}
	return a + " to " + b
}

// WorstSites names the sites by what they alone cost on a text, the worst first, at one width.
func (d *Relative) WorstSites(corpus, width string) string {
	list, reference := d.rivalsOf(corpus, "width", width)
	list = slices.DeleteFunc(list, func(v rival) bool { return !strings.HasPrefix(v.level, "static:") })
	if len(list) == 0 || reference == nil {
		return width + ", " + chart.Text(corpus) + ": no records yet."
	}
	slices.SortStableFunc(list, func(a, b rival) int {
		switch {
		case a.ppl > b.ppl:
			return -1
		case a.ppl < b.ppl:
			return 1
		}
		return 0
	})
	var told []string
	rest := 0
	for _, v := range list {
		if v.resolved() && v.ppl > 0 {
			told = append(told, fmt.Sprintf("%s %+.2f ± %.2f %%", strings.TrimPrefix(v.level, "static:"), v.ppl, v.ppl2))
		} else {
			rest++
		}
	}
	switch {
	case len(told) == 0:
		return fmt.Sprintf("%s, %s: no site alone costs more than two standard errors.", width, chart.Text(corpus))
	case rest == 0:
		return fmt.Sprintf("%s, %s: %s.", width, chart.Text(corpus), strings.Join(told, ", "))
	}
	return fmt.Sprintf("%s, %s: %s; the other %d are not told from nothing.", width, chart.Text(corpus), strings.Join(told, ", "), rest)
}

// TokenErrorFactors says how much one grid, and one odd token in its calibration, multiply the median error.
func TokenErrorFactors(list []TokenErrors) string {
	var one, odd []string
	for _, e := range list {
		if e.Dynamic <= 0 || e.Static <= 0 {
			continue
		}
		one = append(one, fmt.Sprintf("%.1f at %d bits", e.Static/e.Dynamic, e.Bits))
		odd = append(odd, fmt.Sprintf("%.1f at %d bits", e.Outlier/e.Static, e.Bits))
	}
	if len(one) == 0 {
		return "No error to compare."
	}
	return "One grid multiplies the median error by " + strings.Join(one, ", ") + "; one odd token in its calibration once more by " + strings.Join(odd, ", ") + "."
}
