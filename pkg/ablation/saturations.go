package ablation

import (
	"fmt"
	"strings"

	"github.com/illm-go/illm/pkg/chart"
	"github.com/illm-go/illm/pkg/record"
)

// Saturations counts, over the integer rows of studies, additions to the residual stream that met the int32 limits, and codes
// that a constant grid cut off; a grid of the row's own range cuts none. A record counts once.
func Saturations(list ...*Runs) chart.Grid {
	g := chart.Grid{Left: 2, Head: []string{"model", "recipes", "records", "additions that saturated", "codes cut by constant grids"}}
	type sum struct {
		records    int
		recipes    []string
		additions  float64
		cut, codes float64
		static     bool
	}
	sums, order, seen := map[string]*sum{}, []string(nil), map[*record.Record]bool{}
	for _, runs := range list {
		for _, row := range runs.rows {
			for _, level := range runs.levels() {
				c := row.cells[level]
				if c == nil || c.record == nil || seen[c.record] {
					continue
				}
				seen[c.record] = true
				m, ok := c.record.Metric("saturated")
				if !ok {
					continue
				}
				name := c.config["model"]
				s := sums[name]
				if s == nil {
					s = new(sum)
					sums[name], order = s, append(order, name)
				}
				s.records++
				s.additions += m.Value
				width, _, _ := strings.Cut(c.config["recipe"], "-")
				if !strings.Contains(" "+strings.Join(s.recipes, " ")+" ", " "+width+" ") {
					s.recipes = append(s.recipes, width)
				}
				if m, ok := c.record.Metric("saturated_codes"); ok {
					s.cut += m.Value
					s.static = true
					if share, ok := c.record.Metric("saturated_share"); ok && share.Value > 0 {
						s.codes += m.Value / share.Value * 100
					}
				}
			}
		}
	}
	for _, name := range order {
		s := sums[name]
		cut := "–"
		if s.static {
			cut = fmt.Sprintf("%.0f", s.cut)
			if s.codes > 0 {
				cut += fmt.Sprintf(" (%s)", percent(s.cut/s.codes))
			}
		}
		g.Rows = append(g.Rows, []string{name, strings.Join(s.recipes, ", "), fmt.Sprint(s.records), fmt.Sprintf("%.0f", s.additions), cut})
	}
	return g
}
