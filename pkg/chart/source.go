package chart

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Value is a number of a row, with what is needed to draw it.
type Value struct {
	Y, Err float64
	Unit   string
	Better Better
	Digits int    // significant digits that it is printed with at least; 0: as many as Err supports
	ID     string // id of the record it comes from
}

// Source is a table of results, one row a configuration.
type Source interface {
	// Len is the number of rows.
	Len() int
	// Text is the row's level on an axis ("w8a8", "15"), and whether it has one.
	Text(row int, column string) (string, bool)
	// Number is the row's value of a metric, and whether it has one.
	Number(row int, column string) (Value, bool)
}

// Captioner is a Source that says in a line what its rows were measured on.
type Captioner interface{ Caption() string }

// ColumnCaptioner is a Captioner that can speak of the rows behind one column alone.
type ColumnCaptioner interface{ CaptionOf(column string) string }

// titles spells out the columns that many charts share.
var titles = map[string]string{
	"ppl":            "Perplexity",
	"ppl_word":       "Word perplexity",
	"bits_per_byte":  "Bits per byte",
	"ln_ppl_ratio":   "ln(PPL / PPL of fp32)",
	"kld_mean":       "Mean KL divergence",
	"kld_median":     "Median KL divergence",
	"kld_p99":        "99 % KL divergence",
	"dp_rms":         "RMS Δp",
	"same_top":       "Same top token",
	"delta":          "Change of perplexity",
	"clip":           "clip c",
	"recipe":         "widths",
	"corpus":         "text",
	"prob":           "bits of probabilities",
	"score":          "bits of scores",
	"setting":        "grid",
	"operators":      "operators in float",
	"prefill_tok_s":  "Prefill",
	"decode_tok_s":   "Decode",
	"peak_rss_bytes": "Peak memory",
}

// texts spells out the suffix of a metric that was measured on a text.
var texts = map[string]string{"wikitext2": "WikiText-2", "c4": "C4", "opticks": "Opticks"}

// Text is the printed name of a text.
func Text(corpus string) string {
	if s, ok := texts[corpus]; ok {
		return s
	}
	return corpus
}

// Heading is the printed name of a column.
func Heading(column string) string {
	if s, ok := titles[column]; ok {
		return s
	}
	if at := strings.LastIndexByte(column, '_'); at > 0 {
		if text, ok := texts[column[at+1:]]; ok {
			return Heading(column[:at]) + ", " + text
		}
	}
	return strings.ReplaceAll(column, "_", " ")
}

// Line draws metric y over axis x, one line for each combination of the levels
// of by. Rows without a level of x (the float model has no clip) become
// baselines. Rows of one level alone make no line: the chart says so in a Lack.
func Line(src Source, x, y string, by ...string) *Chart {
	return fromSource(KindLine, src, x, y, by)
}

// Bar draws metric y over axis x as bars that start at 0.
func Bar(src Source, x, y string, by ...string) *Chart {
	return fromSource(KindBar, src, x, y, by)
}

// Scatter draws metric y against metric x; the levels of by name the points.
func Scatter(src Source, x, y string, by ...string) *Chart {
	c := &Chart{Kind: KindScatter, Title: Heading(y) + " against " + Heading(x), X: Axis{Name: Heading(x)}, Y: Axis{Name: Heading(y)}}
	if src == nil {
		c.err = fmt.Errorf("chart: scatter: no rows: %w", ErrEmpty)
		return c
	}
	for row := range src.Len() {
		vx, okX := src.Number(row, x)
		vy, okY := src.Number(row, y)
		if !okX || !okY {
			continue
		}
		c.X.Unit, c.X.Better, c.Y.Unit, c.Y.Better, c.Y.Digits = vx.Unit, vx.Better, vy.Unit, vy.Better, vy.Digits
		name := group(src, row, by)
		c.Series = append(c.Series, Series{Name: name, Method: method(src, row, by), Points: []Point{{X: vx.Y, Y: vy.Y, Err: vy.Err, Label: name, ID: vy.ID}}})
	}
	if len(c.Series) == 0 {
		c.err = fmt.Errorf("chart: scatter: no row has both %q and %q: %w", x, y, ErrEmpty)
	}
	return c
}

// Histogram draws counts over bins; edges has one element more than counts.
func Histogram(name string, edges, counts []float64) *Chart {
	c := &Chart{Kind: KindHistogram}
	if len(edges) != len(counts)+1 {
		c.err = fmt.Errorf("chart: histogram %q: %d edges for %d bins, want %d", name, len(edges), len(counts), len(counts)+1)
		return c
	}
	s := Series{Name: name}
	for i, n := range counts {
		s.Points = append(s.Points, Point{X: edges[i], To: edges[i+1], Y: n})
	}
	c.Series = []Series{s}
	return c
}

func fromSource(kind Kind, src Source, x, y string, by []string) *Chart {
	c := &Chart{Kind: kind, Title: Heading(y) + " by " + Heading(x), X: Axis{Name: Heading(x)}, Y: Axis{Name: Heading(y)}}
	if src == nil {
		c.err = fmt.Errorf("chart: %s: no rows: %w", kind, ErrEmpty)
		return c
	}
	switch s := src.(type) {
	case ColumnCaptioner:
		c.Subtitle = s.CaptionOf(y)
	case Captioner:
		c.Subtitle = s.Caption()
	}
	numeric := kind == KindLine
	at := map[string]int{}
	rows := 0
	for row := range src.Len() {
		v, ok := src.Number(row, y)
		if !ok {
			continue
		}
		rows++
		c.Y.Unit, c.Y.Better, c.Y.Digits = v.Unit, v.Better, v.Digits
		name := group(src, row, by)
		level, ok := src.Text(row, x)
		if !ok || level == "" {
			if name == "" {
				name = "baseline"
			}
			if !math.IsNaN(v.Y) && !math.IsInf(v.Y, 0) {
				c.Baselines = append(c.Baselines, Reference{Name: name, Value: v.Y, Err: v.Err})
			}
			continue
		}
		p := Point{Label: level, Y: v.Y, Err: v.Err, ID: v.ID}
		if f, err := strconv.ParseFloat(level, 64); err == nil && !math.IsNaN(f) && !math.IsInf(f, 0) {
			p.X = f
		} else {
			numeric = false
		}
		i, ok := at[name]
		if !ok {
			i = len(c.Series)
			at[name] = i
			c.Series = append(c.Series, Series{Name: name, Method: method(src, row, by)})
		}
		c.Series[i].Points = append(c.Series[i].Points, p)
	}
	if rows == 0 {
		c.err = fmt.Errorf("chart: %s: no row has a value of %q: %w", kind, y, ErrEmpty)
		return c
	}
	if levels := distinct(c.Series); kind == KindLine && len(levels) == 1 {
		return c.Without(fmt.Sprintf("the records have one value of %q alone, %s, and a line takes two", c.X.Name, levels[0]))
	}
	if numeric { // every level is a number: a true axis instead of categories
		for i := range c.Series {
			for j := range c.Series[i].Points {
				c.Series[i].Points[j].Label = ""
			}
		}
	}
	return c
}

// distinct lists the levels of the points, each once.
func distinct(series []Series) (levels []string) {
	for _, s := range series {
		for _, p := range s.Points {
			if !slices.Contains(levels, p.Label) {
				levels = append(levels, p.Label)
			}
		}
	}
	return levels
}

// group is the series name of a row: its levels of the columns by.
func group(src Source, row int, by []string) string {
	var parts []string
	for _, column := range by {
		if t, ok := src.Text(row, column); ok && t != "" {
			parts = append(parts, t)
		}
	}
	return strings.Join(parts, " ")
}

// method is the level that picks the colour: the first of the columns by.
func method(src Source, row int, by []string) string {
	if len(by) == 0 {
		return ""
	}
	t, _ := src.Text(row, by[0])
	return t
}

// String is the value with its standard error, in as many digits as the error
// supports.
func (v Value) String() string { return numberTo(v.Y, v.Err, v.Digits) }
