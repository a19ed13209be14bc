package ablation

import (
	"fmt"
	"slices"
	"strings"

	"github.com/illm-go/illm/pkg/chart"
)

// ExpAdds counts, over models and texts, what each exponential changes against an exact one in its place: divergence from
// fp32 and perplexity, least to most, and how often each is told from nothing.
func (m ByModel) ExpAdds(texts ...string) chart.Grid {
	const reference = "float64"
	g := chart.Grid{Left: 1, Head: []string{"exponential", "divergence from fp32 (nats/1000)", "lower", "higher", "perplexity (%)", "lower", "higher", "comparisons"}}
	ppl := m.tallies("exp", reference, "delta", texts)
	for _, d := range m.tallies("exp", reference, "excess", texts) {
		row := []string{d.level, fromTo(d.least, d.most), fmt.Sprint(d.below), fmt.Sprint(d.above), none, none, none, fmt.Sprint(d.all())}
		if p := tallyOf(ppl, d.level); p != nil {
			row[4], row[5], row[6] = fromTo(p.least, p.most), fmt.Sprint(p.below), fmt.Sprint(p.above)
		}
		g.Rows = append(g.Rows, row)
	}
	return g
}

// NonLinearFarther names where float operators take the model farther from fp32 than the integer ones do, told from nothing,
// widths by widths.
func (m ByModel) NonLinearFarther(texts ...string) string {
	where := map[string][]string{} // by widths
	var widths []string
	compared := 0
	for _, runs := range m {
		rel := runs.Against("operators", Integer)
		for i, row := range runs.rows {
			for _, text := range texts {
				a, b := rel.cells(i, text)
				if a == nil || b == nil || row.axes["operators"] == Integer {
					continue
				}
				mean, se, n := PairedKL(a, b)
				if n == 0 {
					continue
				}
				compared++
				if told(mean, se, n) <= 0 {
					continue
				}
				w := row.axes["recipe"]
				if !slices.Contains(widths, w) {
					widths = append(widths, w)
				}
				where[w] = append(where[w], fmt.Sprintf("%s on %s with %s %s", runs.model(), chart.Text(text), row.axes["operators"], signed(1000*mean, 1000*se)))
			}
		}
	}
	switch {
	case compared == 0:
		return "No records yet."
	case len(widths) == 0:
		return "Nowhere are float operators told to be farther from fp32 than integer ones."
	}
	var lines []string
	for _, w := range m.levels("recipe") {
		if slices.Contains(widths, w) {
			lines = append(lines, fmt.Sprintf("Farther from fp32 than with integer operators, %s (nats/1000): %s.", w, strings.Join(where[w], "; ")))
		}
	}
	return strings.Join(lines, "\n")
}
