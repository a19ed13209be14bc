package chart

import (
	"errors"
	"fmt"
	"math"
)

// Kind is the form a chart draws its points in.
type Kind string

// The kinds of chart.
const (
	KindLine      Kind = "line"      // points joined by lines, with error bars
	KindBar       Kind = "bar"       // one bar a category and series, with error bars
	KindScatter   Kind = "scatter"   // labelled points, with error bars
	KindHistogram Kind = "histogram" // bins from Point.X to Point.To
)

// Better says which end of an axis is the good one; it is printed as an arrow.
type Better int

// Directions of a metric.
const (
	Neutral Better = iota // no end is better
	Lower                 // ↓ better
	Higher                // ↑ better
)

// String is the arrow and word set behind an axis name, empty for Neutral.
func (b Better) String() string {
	switch b {
	case Lower:
		return "↓ better"
	case Higher:
		return "↑ better"
	}
	return ""
}

// Axis names one axis. Unit is printed in parentheses.
type Axis struct {
	Name   string
	Unit   string
	Log    bool   // logarithmic; every value must be above 0
	Better Better // which end is good
	Digits int    // significant digits that values are printed with at least; 0: as many as their error supports
}

// Title is the axis name with unit and arrow, as it is printed.
func (a Axis) Title() string {
	s := a.Name
	if a.Unit != "" {
		s += " (" + a.Unit + ")"
	}
	if b := a.Better.String(); b != "" {
		s += "  " + b
	}
	return s
}

// Point is one result. On a chart whose points carry labels (all kinds but
// KindScatter) the x axis is a list of categories in order of first appearance
// and X is ignored. NaN or infinite Y is kept in the table and left out of the
// picture.
type Point struct {
	X     float64
	To    float64 // KindHistogram: right edge of the bin; X is the left one
	Label string  // category, or the text beside a scatter point
	Name  string  // KindScatter: name in table and hover text where Label is not it
	Y     float64
	Err   float64 // one standard error; 0 draws no error bar
	ID    string  // id of the record that this point comes from, shown on hover
}

// Series is a named list of points. Method picks the colour; empty means Name.
type Series struct {
	Name   string
	Method string
	Points []Point
}

// Reference is a named constant: a horizontal dashed line for a baseline, a
// vertical one for a mark.
type Reference struct {
	Name  string
	Value float64
	Err   float64
}

// Chart is the description of one picture. The zero sizes mean 760×420 pixels,
// or a width for all panels when Facet is set. What a subtitle or a legend of
// several lines and slanted labels need is added to the height.
type Chart struct {
	Kind      Kind
	Title     string
	Subtitle  string
	X, Y      Axis
	Series    []Series
	Baselines []Reference // horizontal lines
	Marks     []Reference // vertical lines, on numeric x axes
	Facet     bool        // one panel with its own y range a series
	Stacked   bool        // KindBar: the bars of a category stand on each other, in the order of the series, without error bars
	Width     int
	Height    int

	err error
}

// Errors that callers may want to tell apart.
var (
	ErrEmpty = errors.New("no point to draw")
	ErrLog   = errors.New("a logarithmic axis needs values above 0")
)

// Lack is the reason, in words, for which there is nothing to draw. It is an ErrEmpty.
type Lack struct{ Reason string }

func (l *Lack) Error() string { return "chart: nothing to draw: " + l.Reason }

// Is makes a Lack an ErrEmpty.
func (l *Lack) Is(target error) bool { return target == ErrEmpty }

// Without says what the chart lacks to be drawn.
func (c *Chart) Without(reason string) *Chart { c.err = &Lack{reason}; return c }

const (
	minSize, maxSize = 120, 4000 // pixels
	maxPoints        = 200_000   // points in one chart; beyond it a page stops responding
	maxSeries        = 64
)

// Baseline adds a dashed horizontal line.
func (c *Chart) Baseline(name string, value float64) *Chart {
	c.Baselines = append(c.Baselines, Reference{Name: name, Value: value})
	return c
}

// Mark adds a dashed vertical line at x.
func (c *Chart) Mark(name string, x float64) *Chart {
	c.Marks = append(c.Marks, Reference{Name: name, Value: x})
	return c
}

// LogY makes the y axis logarithmic.
func (c *Chart) LogY() *Chart { c.Y.Log = true; return c }

// LogX makes the x axis logarithmic.
func (c *Chart) LogX() *Chart { c.X.Log = true; return c }

// Panels draws each series in a panel of its own, with its own y range.
func (c *Chart) Panels() *Chart { c.Facet = true; return c }

// Stack puts the bars of a category on each other.
func (c *Chart) Stack() *Chart { c.Stacked = true; return c }

// Titled sets title and subtitle.
func (c *Chart) Titled(title, subtitle string) *Chart {
	c.Title, c.Subtitle = title, subtitle
	return c
}

// Size sets width and height in pixels.
func (c *Chart) Size(width, height int) *Chart { c.Width, c.Height = width, height; return c }

// categories returns the labels of the x axis, or nil when x is numeric.
func (c *Chart) categories() []string {
	if c.Kind == KindScatter || c.Kind == KindHistogram {
		return nil
	}
	var list []string
	seen := map[string]bool{}
	for _, s := range c.Series {
		for _, p := range s.Points {
			if p.Label != "" && !seen[p.Label] {
				seen[p.Label] = true
				list = append(list, p.Label)
			}
		}
	}
	return list
}

// drawable reports whether the point has a place in the picture.
func drawable(p Point) bool {
	return !math.IsNaN(p.Y) && !math.IsInf(p.Y, 0) && !math.IsNaN(p.X) && !math.IsInf(p.X, 0)
}

// Validate reports what keeps the chart from being drawn.
func (c *Chart) Validate() error {
	if c.err != nil {
		return c.err
	}
	fail := func(format string, args ...any) error {
		return fmt.Errorf("chart: %q: "+format, append([]any{c.Title}, args...)...)
	}
	switch c.Kind {
	case KindLine, KindBar, KindScatter, KindHistogram:
	default:
		return fail("kind %q, want line, bar, scatter or histogram", c.Kind)
	}
	if c.Stacked && (c.Kind != KindBar || c.Facet || c.Y.Log) {
		return fail("stacked %s chart, panels %v, logarithmic y axis %v: only bars on one linear axis can stand on each other", c.Kind, c.Facet, c.Y.Log)
	}
	for _, size := range []int{c.Width, c.Height} {
		if size != 0 && (size < minSize || size > maxSize) {
			return fail("size %d pixels, want %d to %d", size, minSize, maxSize)
		}
	}
	if len(c.Series) > maxSeries {
		return fail("%d series, at most %d are readable: filter the rows", len(c.Series), maxSeries)
	}
	points, drawn := 0, 0
	labels := c.categories()
	for _, s := range c.Series {
		points += len(s.Points)
		for _, p := range s.Points {
			if labels != nil && p.Label == "" {
				return fail("series %q mixes points with and without a label", s.Name)
			}
			if p.Err < 0 || math.IsNaN(p.Err) || math.IsInf(p.Err, 0) {
				return fail("series %q: error %g, want a finite value of 0 or more", s.Name, p.Err)
			}
			if !drawable(p) {
				continue
			}
			drawn++
			if c.Stacked && p.Y < 0 {
				return fail("series %q: y %g: a stack needs values of 0 or more", s.Name, p.Y)
			}
			if c.Y.Log && c.Kind != KindHistogram && p.Y <= 0 {
				return fail("series %q: y %g: %w", s.Name, p.Y, ErrLog)
			}
			if c.X.Log && labels == nil && p.X <= 0 {
				return fail("series %q: x %g: %w", s.Name, p.X, ErrLog)
			}
			if c.Kind == KindHistogram && !(p.To > p.X) {
				return fail("series %q: bin from %g to %g, want a right edge beyond the left one", s.Name, p.X, p.To)
			}
		}
	}
	if drawn == 0 {
		return fail("%w", ErrEmpty)
	}
	if points > maxPoints {
		return fail("%d points, at most %d: bin them first", points, maxPoints)
	}
	for _, b := range c.Baselines {
		if math.IsNaN(b.Value) || math.IsInf(b.Value, 0) || c.Y.Log && b.Value <= 0 {
			return fail("baseline %q at %g has no place on the y axis", b.Name, b.Value)
		}
	}
	for _, m := range c.Marks {
		if labels != nil || math.IsNaN(m.Value) || math.IsInf(m.Value, 0) || c.X.Log && m.Value <= 0 {
			return fail("mark %q at %g needs a numeric x axis that holds it", m.Name, m.Value)
		}
	}
	return nil
}
