package ablation

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/illm-go/illm/pkg/chart"
	"github.com/illm-go/illm/pkg/quant"
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

// StaticVerdict counts, over models, texts, widths and methods, how often a paired t test tells a constant grid to be worse or
// better than the rows' own, setting by setting. The first sentence says whether the paper's claim, that dynamic grids are what
// keeps quality at low widths, stands among the settings compared.
func (m ByModel) StaticVerdict(texts ...string) string {
	list := m.tallies("setting", Dynamic, "delta", texts)
	if len(list) == 0 {
		return "No records yet."
	}
	var settings, better []string
	var windows windowRange
	all := 0
	for _, t := range list {
		settings = append(settings, t.level)
		better = append(better, t.lower...)
		windows.add(t.windows.least)
		windows.add(t.windows.most)
		all += t.all()
	}
	what := fmt.Sprintf("in %s of %s with grids of the rows' own (paired t tests at 95 %%, %s each)", counted(all, "comparison"), strings.Join(settings, ", "), windows)
	lines := []string{"As the paper claims: " + what + " no constant grid is told to be better."}
	if len(better) > 0 {
		lines[0] = fmt.Sprintf("Against the paper's claim: %s a constant grid is told to be better in %d: %s.", what, len(better), strings.Join(firstFew(better, 4), "; "))
	}
	if !slices.ContainsFunc(list, func(t *tally) bool { return quant.OneStaticSite(t.level) != "" }) {
		lines[0] += " Single sites on a constant grid are not among them."
	}
	for _, t := range list {
		lines = append(lines, fmt.Sprintf("%s: worse than dynamic in %d of %d comparisons, better in %d, not told apart in %d.", t.level, t.above, t.all(), t.below, t.even))
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

// WorstSites names the sites that alone change the perplexity of a text by a paired t test, at one width: those that cost, the
// worst first, then those that gain.
func (d *Relative) WorstSites(corpus, width string) string {
	list, reference := d.rivalsOf(corpus, "width", width)
	list = slices.DeleteFunc(list, func(v rival) bool { return quant.OneStaticSite(v.level) == "" })
	if len(list) == 0 || reference == nil {
		return width + ", " + chart.Text(corpus) + ": no records yet."
	}
	slices.SortStableFunc(list, func(a, b rival) int { return cmp.Compare(b.ppl.Y, a.ppl.Y) })
	var worse, better []string
	var windows windowRange
	for _, v := range list {
		windows.add(v.nll.windows)
		named := fmt.Sprintf("%s %+.2f ± %.2f %%", quant.OneStaticSite(v.level), v.ppl.Y, v.ppl.Err)
		switch v.nll.told() {
		case 1:
			worse = append(worse, named)
		case -1:
			better = append(better, named)
		}
	}
	parts := []string{"no site alone is told to cost anything"}
	if len(worse) > 0 {
		parts[0] = "worse " + strings.Join(worse, ", ")
	}
	if len(better) > 0 {
		parts = append(parts, "better "+strings.Join(better, ", "))
	}
	if n := len(list) - len(worse) - len(better); n > 0 && n < len(list) {
		parts = append(parts, others(n)+" not told from nothing")
	}
	return fmt.Sprintf("%s, %s (%s): %s.", width, chart.Text(corpus), windows, strings.Join(parts, "; "))
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
