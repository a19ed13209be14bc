package ablation

import (
	"fmt"
	"slices"
	"strings"

	"github.com/illm-go/illm/pkg/chart"
)

// StaticChanges lays one model's change of perplexity on a text out by grid: a row a width and method, a column a setting.
func StaticChanges(corpus string) func(*Runs) chart.Grid {
	return func(runs *Runs) chart.Grid {
		g := chart.Grid{Left: 2, Head: []string{"widths", "method", Dynamic + " PPL"}}
		change := runs.Against("setting", Dynamic)
		var settings []string
		at := map[string]int{} // row of a width and method
		for i, row := range runs.rows {
			width, method, setting := row.axes["width"], row.axes["method"], row.axes["setting"]
			if setting == "" {
				continue
			}
			key := width + " " + method
			j, ok := at[key]
			if !ok {
				j = len(g.Rows)
				at[key], g.Rows = j, append(g.Rows, []string{width, method, none})
			}
			if setting == Dynamic {
				if v, ok := runs.Number(i, "ppl_"+corpus); ok {
					g.Rows[j][2] = v.String()
				}
				continue
			}
			col := slices.Index(settings, setting)
			if col < 0 {
				col, settings, g.Head = len(settings), append(settings, setting), append(g.Head, setting+" (%)")
			}
			for len(g.Rows[j]) <= 3+col {
				g.Rows[j] = append(g.Rows[j], none)
			}
			if v, ok := change.Number(i, "delta_"+corpus); ok {
				g.Rows[j][3+col] = v.String()
			}
		}
		return g
	}
}

// StaticVerdict counts, over models, texts, widths and methods, how often a constant grid is beyond two standard errors worse
// or better than the rows' own, setting by setting. The first sentence says whether the paper's claim, that dynamic grids are
// what keeps quality at low widths, stands.
func (m ByModel) StaticVerdict(texts ...string) string {
	type count struct{ worse, better, even int }
	counts, order := map[string]*count{}, []string(nil)
	var against []string
	for _, runs := range m {
		change := runs.Against("setting", Dynamic)
		for i, row := range runs.rows {
			setting := row.axes["setting"]
			if setting == "" || setting == Dynamic {
				continue
			}
			for _, text := range texts {
				v, ok := change.Number(i, "delta_"+text)
				if !ok {
					continue
				}
				c := counts[setting]
				if c == nil {
					c = new(count)
					counts[setting], order = c, append(order, setting)
				}
				switch {
				case v.Y > 2*v.Err:
					c.worse++
				case v.Y < -2*v.Err && v.Err > 0:
					c.better++
					against = append(against, fmt.Sprintf("%s, %s %s %s, %s: %s %%", runs.model(), row.axes["width"], row.axes["method"], setting, chart.Text(text), v))
				default:
					c.even++
				}
			}
		}
	}
	if len(order) == 0 {
		return "No records yet."
	}
	first := "As the paper claims: no constant grid is better than grids of the rows' own, beyond two standard errors, anywhere in these records."
	if len(against) > 0 {
		first = "Against the paper's claim: a constant grid is better, beyond two standard errors, in " + strings.Join(firstFew(against, 4), "; ") + "."
	}
	lines := []string{first}
	for _, setting := range order {
		c := counts[setting]
		lines = append(lines, fmt.Sprintf("%s: worse than dynamic in %d of %d comparisons, better in %d, not told apart in %d.", setting, c.worse, c.worse+c.better+c.even, c.better, c.even))
	}
	return strings.Join(lines, "\n")
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
