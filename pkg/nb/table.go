package nb

import (
	"fmt"
	"html"
	"strings"

	"github.com/illm-go/illm/pkg/chart"
)

// Table shows columns of a source as a table: levels of axes as text, metrics
// with their standard error, unit and direction in the head. Without columns it
// shows nothing but the rows' number.
func Table(src chart.Source, columns ...string) {
	g, err := TableOf(src, columns...)
	Check(err)
	Show(g)
}

// TableOf is Table as data.
func TableOf(src chart.Source, columns ...string) (chart.Grid, error) {
	var g chart.Grid
	if src == nil {
		return g, fmt.Errorf("nb: table: expected rows, found nil")
	}
	if len(columns) == 0 {
		return g, fmt.Errorf("nb: table: expected at least one column")
	}
	for _, column := range columns {
		head, known := chart.Heading(column), src.Len() == 0
		for row := range src.Len() {
			if _, ok := src.Text(row, column); ok {
				known = true
				break
			}
			if v, ok := src.Number(row, column); ok {
				head = chart.Axis{Name: head, Unit: v.Unit, Better: v.Better}.Title()
				known = true
				break
			}
		}
		if !known {
			head += " (no record)"
		}
		g.Head = append(g.Head, head)
	}
	for row := range src.Len() {
		cells := make([]string, len(columns))
		for i, column := range columns {
			if v, ok := src.Number(row, column); ok {
				cells[i] = v.String()
			} else if t, ok := src.Text(row, column); ok {
				cells[i] = t
			} else {
				cells[i] = "–"
			}
		}
		g.Rows = append(g.Rows, cells)
	}
	return g, nil
}

// gridHTML is a table whose look is left to the front end.
func gridHTML(g chart.Grid) string {
	var b strings.Builder
	b.WriteString(`<table class="illm-table">` + "\n<thead><tr>")
	cell := func(tag string, i int, s string) {
		align := "right"
		if i < max(g.Left, 1) {
			align = "left"
		}
		fmt.Fprintf(&b, `<%s style="text-align:%s">%s</%s>`, tag, align, html.EscapeString(s), tag)
	}
	for i, s := range g.Head {
		cell("th", i, s)
	}
	b.WriteString("</tr></thead>\n<tbody>\n")
	for _, r := range g.Rows {
		b.WriteString("<tr>")
		for i := range g.Head {
			s := ""
			if i < len(r) {
				s = r[i]
			}
			cell("td", i, s)
		}
		b.WriteString("</tr>\n")
	}
	b.WriteString("</tbody></table>\n")
	return b.String()
}
