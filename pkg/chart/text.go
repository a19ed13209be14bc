package chart

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// number prints a value with as many digits as its standard error supports (two
// digits of the error), or with five significant digits when it has none.
func number(v, err float64) string { return numberTo(v, err, 0) }

// numberTo is number with at least the given significant digits, for values that
// are compared more finely than their own error says (in pairs).
func numberTo(v, err float64, least int) string {
	switch {
	case math.IsNaN(v):
		return "not a number"
	case math.IsInf(v, 1):
		return "∞"
	case math.IsInf(v, -1):
		return "−∞"
	}
	if err > 0 && !math.IsInf(err, 0) {
		digits := 1 - int(math.Floor(math.Log10(err)))
		if least > 0 && v != 0 {
			digits = max(digits, least-1-int(math.Floor(math.Log10(math.Abs(v)))))
		}
		digits = min(max(digits, 0), 12)
		if math.Abs(v) < 1e9 && digits < 12 {
			return strconv.FormatFloat(v, 'f', digits, 64) + " ± " + strconv.FormatFloat(err, 'f', digits, 64)
		}
		return fmt.Sprintf("%.4g ± %.2g", v, err)
	}
	a := math.Abs(v)
	if a != 0 && (a >= 1e9 || a < 1e-4) {
		return strconv.FormatFloat(v, 'g', 4, 64)
	}
	if v == math.Trunc(v) {
		return strconv.FormatFloat(v, 'f', 0, 64)
	}
	digits := 4
	if a != 0 {
		digits = min(max(4-int(math.Floor(math.Log10(a))), 0), 8)
	}
	s := strconv.FormatFloat(v, 'f', digits, 64)
	if strings.Contains(s, ".") {
		s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	}
	return s
}

// short is a value as a label beside a line: four significant digits.
func short(v float64) string {
	if v == 0 || math.Abs(v) >= 1e4 {
		return number(v, 0)
	}
	return number(tidyTo(v, 4), 0)
}

// grouped is a tick label as the chart library prints it, with commas between
// thousands.
func grouped(v float64) string {
	s := strconv.FormatFloat(v, 'f', -1, 64)
	whole, fraction, _ := strings.Cut(s, ".")
	n := len(strings.TrimPrefix(whole, "-"))
	if n > 3 {
		whole += strings.Repeat(" ", (n-1)/3)
	}
	if fraction != "" {
		whole += "." + fraction
	}
	return whole
}

// Grid is a plain table: a head and rows of cells, laid out in columns. The first
// columns hold words and are aligned to the left, the others to the right.
type Grid struct {
	Head []string
	Rows [][]string
	Left int // number of columns of words; 0 means 1
}

// String aligns the table in columns of plain text.
func (g Grid) String() string {
	columns := len(g.Head)
	for _, r := range g.Rows {
		columns = max(columns, len(r))
	}
	width := make([]int, columns)
	for _, r := range append([][]string{g.Head}, g.Rows...) {
		for i, cell := range r {
			width[i] = max(width[i], utf8.RuneCountInString(cell))
		}
	}
	var b strings.Builder
	line := func(r []string) {
		var row strings.Builder
		for i := range columns {
			cell := ""
			if i < len(r) {
				cell = r[i]
			}
			pad := strings.Repeat(" ", width[i]-utf8.RuneCountInString(cell))
			if i > 0 {
				row.WriteString("  ")
			}
			if i < max(g.Left, 1) {
				row.WriteString(cell + pad)
			} else {
				row.WriteString(pad + cell)
			}
		}
		b.WriteString(strings.TrimRight(row.String(), " ") + "\n")
	}
	line(g.Head)
	total := 2 * (columns - 1)
	for _, w := range width {
		total += w
	}
	b.WriteString(strings.Repeat("─", max(total, 0)) + "\n")
	for _, r := range g.Rows {
		line(r)
	}
	return b.String()
}

// table is the chart as text: a row for each x, a column for each series.
func (c *Chart) table() Grid {
	switch c.Kind {
	case KindScatter:
		g := Grid{Head: []string{"", c.X.Title(), c.Y.Title()}}
		for _, s := range c.Series {
			for _, p := range s.Points {
				name := s.Name
				if own := p.name(); own != "" && own != s.Name {
					name = strings.TrimPrefix(s.Name+" "+own, " ")
				}
				g.Rows = append(g.Rows, []string{name, number(p.X, 0), c.value(p.Y, p.Err)})
			}
		}
		return c.referenceRows(g, 2)
	case KindHistogram:
		return c.binTable()
	}
	g := Grid{Head: []string{c.X.Title()}}
	var keys []string
	at := map[string]int{}
	for _, s := range c.Series {
		g.Head = append(g.Head, s.Name)
		for _, p := range s.Points {
			k := pointKey(p)
			if _, ok := at[k]; !ok {
				at[k] = len(keys)
				keys = append(keys, k)
			}
		}
	}
	for _, k := range keys {
		g.Rows = append(g.Rows, append([]string{k}, make([]string, len(c.Series))...))
	}
	for i, s := range c.Series {
		for _, p := range s.Points {
			g.Rows[at[pointKey(p)]][i+1] = c.value(p.Y, p.Err)
		}
	}
	return c.referenceRows(g, 1)
}

// value prints a value of the y axis.
func (c *Chart) value(v, err float64) string { return numberTo(v, err, c.Y.Digits) }

// name is what a scatter point is called.
func (p Point) name() string { return cmp.Or(p.Name, p.Label) }

func pointKey(p Point) string {
	if p.Label != "" {
		return p.Label
	}
	return number(p.X, 0)
}

// referenceRows adds a row for every baseline, its value in the given column and,
// for charts with one column a series, in all of them.
func (c *Chart) referenceRows(g Grid, column int) Grid {
	for _, b := range c.Baselines {
		row := make([]string, len(g.Head))
		row[0] = b.Name
		for i := column; i < len(row); i++ {
			row[i] = c.value(b.Value, b.Err)
		}
		g.Rows = append(g.Rows, row)
	}
	return g
}

// binTable has a row for each bin that any series has, by place: series need not begin at the same one. More than 16 bins
// are summed to at most 16 rows, since a histogram's table is read for its shape. A series without a bin there has no cell.
func (c *Chart) binTable() Grid {
	const rows = 16
	g := Grid{Head: []string{c.X.Title()}}
	var bins []Point
	for _, s := range c.Series {
		g.Head = append(g.Head, s.Name)
		bins = append(bins, s.Points...)
	}
	if len(c.Series) == 1 && c.Series[0].Name == "" {
		g.Head[1] = c.Y.Title()
	}
	slices.SortFunc(bins, byPlace)
	bins = slices.CompactFunc(bins, func(a, b Point) bool { return byPlace(a, b) == 0 })
	group := max((len(bins)+rows-1)/rows, 1)
	for part := range slices.Chunk(bins, group) {
		end := part[0].To
		for _, p := range part {
			end = max(end, p.To)
		}
		row := append([]string{number(part[0].X, 0) + " … " + number(end, 0)}, make([]string, len(c.Series))...)
		for i, s := range c.Series {
			sum, found := 0.0, false
			for _, p := range s.Points {
				if _, in := slices.BinarySearchFunc(part, p, byPlace); in {
					sum, found = sum+p.Y, true
				}
			}
			if found {
				row[i+1] = number(sum, 0)
			}
		}
		g.Rows = append(g.Rows, row)
	}
	return g
}

// byPlace orders bins by their edges.
func byPlace(a, b Point) int { return cmp.Or(cmp.Compare(a.X, b.X), cmp.Compare(a.To, b.To)) }

// text is the chart's title over its table.
func (c *Chart) text() string {
	var b strings.Builder
	for _, s := range []string{c.Title, c.Subtitle} {
		if s != "" {
			b.WriteString(s + "\n")
		}
	}
	if c.Y.Title() != "" && c.Kind != KindScatter {
		b.WriteString(c.Y.Title() + "\n")
	}
	b.WriteString("\n" + c.table().String())
	return b.String()
}
