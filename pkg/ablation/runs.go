package ablation

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/illm-go/illm/pkg/chart"
	"github.com/illm-go/illm/pkg/record"
)

// Where a row's values come from.
const (
	Shipped  = "shipped"  // from the repository's records
	Found    = "stored"   // from the user's records
	Computed = "computed" // just now
	Missing  = "missing"
)

// cell is the answer for one Config.
type cell struct {
	config Config
	record *record.Record
	origin string
	err    error
}

// Runs is the answer to a study as a tidy table. It is a chart.Source.
type Runs struct {
	Study Study
	Stale int // records of the same settings but other bits, left out
	rows  []row
}

// row is one configuration without the spread axis; its cells are that axis'
// levels, or the one level "".
type row struct {
	axes  map[string]string
	cells map[string]*cell
}

// newRuns gathers the cells into rows, in order of first appearance; rows of one
// level of the first axis stay together.
func newRuns(s Study, cells []cell, stale int) *Runs {
	r := &Runs{Study: s, Stale: stale}
	at := map[string]int{}
	for i := range cells {
		c := &cells[i]
		key := ""
		axes := map[string]string{}
		for _, a := range s.Axes {
			if a.Name == s.Spread {
				continue
			}
			axes[a.Name] = c.config[a.Name]
			key += c.config[a.Name] + "\x00"
		}
		j, ok := at[key]
		if !ok {
			j = len(r.rows)
			at[key] = j
			r.rows = append(r.rows, row{axes: axes, cells: map[string]*cell{}})
		}
		r.rows[j].cells[c.config[s.Spread]] = c
	}
	order := map[string]int{}
	for _, row := range r.rows {
		if l := row.axes[s.Axes[0].Name]; order[l] == 0 {
			order[l] = len(order) + 1
		}
	}
	slices.SortStableFunc(r.rows, func(a, b row) int { return order[a.axes[s.Axes[0].Name]] - order[b.axes[s.Axes[0].Name]] })
	return r
}

// Len is the number of rows.
func (r *Runs) Len() int { return len(r.rows) }

// Text is a row's level on an axis, or a setting that all its cells share.
func (r *Runs) Text(i int, column string) (string, bool) {
	if v, ok := r.rows[i].axes[column]; ok {
		return v, v != ""
	}
	switch column {
	case "source":
		return r.source(i), true
	case "clips":
		v := r.clips(i)
		return v, v != ""
	}
	var values, named []string // by level: texts may differ in their number of windows
	for _, level := range r.rows[i].found() {
		c := r.rows[i].cells[level].config
		if ofWindows[column] && measured(c) {
			continue
		}
		v, ok := c[column]
		if !ok {
			return "", false
		}
		values, named = append(values, v), append(named, level+" "+v)
	}
	if values = slices.Compact(values); len(values) > 1 {
		return strings.Join(named, ", "), true
	}
	value := strings.Join(values, "")
	return value, value != ""
}

// source joins where the row's cells come from.
func (r *Runs) source(i int) string {
	var parts []string
	seen := map[string]bool{}
	for _, level := range r.levels() {
		c := r.rows[i].cells[level]
		if c == nil {
			continue
		}
		o := c.origin
		if c.record == nil {
			o = Missing
		}
		if !seen[o] {
			seen[o] = true
			parts = append(parts, o)
		}
	}
	return strings.Join(parts, ", ")
}

// levels lists the spread axis' levels that occur, in the study's order.
func (r *Runs) levels() []string {
	seen := map[string]bool{}
	for _, row := range r.rows {
		for l := range row.cells {
			seen[l] = true
		}
	}
	var out []string
	for _, a := range r.Study.Axes {
		if a.Name == r.Study.Spread {
			for _, l := range a.Levels {
				if seen[l] {
					out = append(out, l)
					delete(seen, l)
				}
			}
		}
	}
	return append(out, sortedKeys(seen)...)
}

// cell returns the cell and metric that a column names: "ppl_c4" is metric ppl
// at level c4 of the spread axis; a plain metric name works where a row has one
// cell.
func (r *Runs) cell(i int, column string) (*cell, record.Metric, bool) {
	for level, c := range r.rows[i].cells {
		if c.record == nil {
			continue
		}
		name := column
		if level != "" {
			cut, ok := strings.CutSuffix(column, "_"+level)
			if !ok && len(r.rows[i].cells) > 1 {
				continue
			}
			if ok {
				name = cut
			}
		}
		if m, ok := c.record.Metric(name); ok {
			return c, m, true
		}
	}
	return nil, record.Metric{}, false
}

// Number is a row's value of a metric column.
func (r *Runs) Number(i int, column string) (chart.Value, bool) {
	c, m, ok := r.cell(i, column)
	if !ok {
		return chart.Value{}, false
	}
	v := chart.Value{Y: m.Value, Err: m.Stderr, Unit: m.Unit, ID: c.record.Key[:min(len(c.record.Key), 12)]}
	if strings.HasPrefix(m.Name, "ppl") { // rows share their windows: they compare more finely than the error of one
		v.Digits = 4
	}
	switch m.Better {
	case record.Lower:
		v.Better = chart.Lower
	case record.Higher:
		v.Better = chart.Higher
	}
	return v, true
}

// Err joins the reasons of rows without a value; nil when every cell has one.
func (r *Runs) Err() error {
	var list []error
	seen := map[string]bool{}
	for _, row := range r.rows {
		for _, level := range r.levels() {
			c := row.cells[level]
			if c == nil || c.record != nil {
				continue
			}
			err := c.err
			if err == nil {
				err = ErrMissing
			}
			if err != nil && !seen[err.Error()] {
				seen[err.Error()] = true
				list = append(list, err)
			}
		}
	}
	return errors.Join(list...)
}

// Records lists the records behind the table, row by row.
func (r *Runs) Records() []*record.Record {
	var out []*record.Record
	for _, row := range r.rows {
		for _, level := range r.levels() {
			if c := row.cells[level]; c != nil && c.record != nil {
				out = append(out, c.record)
			}
		}
	}
	return out
}

// Count is the number of cells by origin.
func (r *Runs) Count() map[string]int {
	n := map[string]int{}
	for _, row := range r.rows {
		for _, c := range row.cells {
			if c.record == nil {
				n[Missing]++
			} else {
				n[c.origin]++
			}
		}
	}
	return n
}

// Where keeps the rows whose level on an axis is one of the given ones; rows
// without a level there (the base model) stay.
func (r *Runs) Where(axis string, levels ...any) *Runs {
	want := map[string]bool{"": true}
	for _, l := range levels {
		want[fmt.Sprint(l)] = true
	}
	out := &Runs{Study: r.Study, Stale: r.Stale}
	for _, row := range r.rows {
		if want[row.axes[axis]] {
			out.rows = append(out.rows, row)
		}
	}
	return out
}

// Best returns the row with the best value of a metric among those whose levels
// are as given in pairs: Best("ppl_c4", "recipe", "w8a8").
func (r *Runs) Best(column string, pairs ...string) (row int, ok bool) {
	var best chart.Value
	for i := range r.rows {
		if !r.has(i, pairs) {
			continue
		}
		v, found := r.Number(i, column)
		if !found || v.Y != v.Y {
			continue
		}
		if !ok || v.Better == chart.Higher && v.Y > best.Y || v.Better != chart.Higher && v.Y < best.Y {
			row, best, ok = i, v, true
		}
	}
	return row, ok
}

// At returns the value of a metric in the row with the levels given in pairs:
// At("ppl_c4", "recipe", "w8a8", "clip", "15").
func (r *Runs) At(column string, pairs ...string) (chart.Value, bool) {
	for i := range r.rows {
		if r.has(i, pairs) {
			if v, ok := r.Number(i, column); ok {
				return v, true
			}
		}
	}
	return chart.Value{}, false
}

func (r *Runs) has(i int, pairs []string) bool {
	for k := 0; k+1 < len(pairs); k += 2 {
		if r.rows[i].axes[pairs[k]] != pairs[k+1] {
			return false
		}
	}
	return true
}
