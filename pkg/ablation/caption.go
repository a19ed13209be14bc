package ablation

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/illm-go/illm/pkg/chart"
)

// Caption says what the rows were measured on: where texts differ in their number of windows, that of each.
func (r *Runs) Caption() string { return r.measured() + barsOfRows }

// CaptionOf is Caption of the rows that have a value in a column, on the column's text.
func (r *Runs) CaptionOf(column string) string { return r.measuredIn(column) + barsOfRows }

const (
	barsOfRows       = "; bars: ± 1 standard error over windows"
	barsOfDifference = "; bars: ± 1 standard error of the difference, paired by window"
)

func (r *Runs) measured() string { return r.measuredOn("", func(int) bool { return true }) }

func (r *Runs) measuredIn(column string) string {
	return r.measuredOn(column, func(i int) bool { _, ok := r.Number(i, column); return ok })
}

// found lists the levels of the spread axis that the row has a record for, or all that it was asked for if it has none.
func (w *row) found() []string {
	all := sortedKeys(w.cells)
	with := slices.DeleteFunc(slices.Clone(all), func(level string) bool { return w.cells[level].record == nil })
	if len(with) == 0 {
		return all
	}
	return with
}

// measuredOn names models, numbers of windows and their lengths of the rows that shown picks, on the text that the column
// ends in, or on all.
func (r *Runs) measuredOn(column string, shown func(row int) bool) string {
	models, lengths, windows := map[string]bool{}, map[string]bool{}, map[string]*windowRange{}
	levels := slices.DeleteFunc(r.levels(), func(l string) bool { return l == Speed }) // a time, on no text
	if of := slices.DeleteFunc(slices.Clone(levels), func(l string) bool { return l == "" || !strings.HasSuffix(column, "_"+l) }); len(of) > 0 {
		levels = of
	}
	add := func(only func(row int) bool) {
		for i := range r.rows {
			if !only(i) {
				continue
			}
			w := &r.rows[i]
			for _, level := range w.found() {
				if !slices.Contains(levels, level) {
					continue
				}
				c := w.cells[level].config
				models[c["model"]], lengths[c["window"]] = true, true
				if n, err := c.Int("windows"); err == nil {
					if windows[level] == nil {
						windows[level] = new(windowRange)
					}
					windows[level].add(n)
				}
			}
		}
	}
	if add(shown); len(models) == 0 {
		add(func(int) bool { return true })
	}
	var all, parts []string
	for _, l := range levels {
		if w := windows[l]; w != nil {
			all = append(all, w.String())
			count, _, _ := strings.Cut(w.String(), " window")
			parts = append(parts, count+" of "+chart.Text(l))
		}
	}
	what := strings.Join(sortedKeys(models), ", ")
	if all = slices.Compact(all); len(all) > 1 {
		return fmt.Sprintf("%s, windows of %s tokens: %s", what, byLength(lengths), strings.Join(parts, ", "))
	}
	return fmt.Sprintf("%s, %s of %s tokens", what, strings.Join(all, ""), byLength(lengths))
}

// byLength lists lengths as numbers, the shortest first: "128, 256 or 512".
func byLength(set map[string]bool) string {
	list := sortedKeys(set)
	number := func(s string) int { n, _ := strconv.Atoi(s); return n }
	slices.SortStableFunc(list, func(a, b string) int { return cmp.Compare(number(a), number(b)) })
	if n := len(list); n > 1 {
		return strings.Join(list[:n-1], ", ") + " or " + list[n-1]
	}
	return strings.Join(list, "")
}
