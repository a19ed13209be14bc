package chart

import (
	"math"
	"strings"
	"unicode/utf8"
)

// panel is the place of one coordinate system, in pixels, and its y axis.
type panel struct {
	left, top, width, height int
	leftLabels               int  // room of the y labels, left of the axis
	first                    bool // first of its row: carries the y name
	baselines                []Reference
	beyond                   string // names the baselines that the panel's axis leaves out
	rotate                   int    // degrees of the category labels
	nameGap                  int    // from the x axis to its name, below the labels
	ylo, yhi                 float64
	yticks                   []float64
}

// layout is what is computed before the tree is built.
type layout struct {
	width, height int
	labels        []string
	index         map[string]int
	xlo, xhi      float64
	xticks        []float64
	panels        []panel
	subtitle      string // in lines
	legend        bool
	exclusive     bool // each category has a bar of one series alone
	legendNames   []string
	legendRows    [][]string
	legendTop     int
}

const (
	defaultWidth, defaultHeight = 760, 420
	facetWidth, facetHeight     = 1000, 300
	sideMargin                  = 14 // of the picture, left and right
	nameGap                     = 30 // from a horizontal axis to its name, below labels of one line
)

func (c *Chart) layout() layout {
	l := layout{width: c.Width, height: c.Height, labels: c.categories()}
	if l.labels != nil {
		l.index = map[string]int{}
		for i, s := range l.labels {
			l.index[s] = i
		}
	} else {
		x := newSpan()
		for _, s := range c.Series {
			for _, p := range s.Points {
				if drawable(p) {
					x.add(p.X)
					if c.Kind == KindHistogram {
						x.add(p.To)
					}
				}
			}
		}
		for _, m := range c.Marks {
			x.add(m.Value)
		}
		switch {
		case c.X.Log:
			l.xlo, l.xhi, l.xticks = x.log()
		case c.Kind == KindHistogram: // bins touch the ends of the axis
			_, _, ticks := x.linear(8)
			l.xlo, l.xhi = x.lo, x.hi
			for _, t := range ticks {
				if t >= x.lo && t <= x.hi {
					l.xticks = append(l.xticks, t)
				}
			}
		default:
			l.xlo, l.xhi, l.xticks = x.linear(8)
		}
	}
	for _, s := range c.Series {
		if s.Name != "" {
			l.legendNames = append(l.legendNames, s.Name)
		}
	}
	l.legend = !c.Facet && len(l.legendNames) > 1 && !c.selfLabelled()
	l.exclusive = c.Kind == KindBar && !c.Stacked && c.exclusive()

	count := 1
	if c.Facet {
		count = len(c.Series)
	}
	columns := min(count, 3)
	if count == 4 {
		columns = 2
	}
	rows := (count + columns - 1) / columns
	if l.width == 0 {
		l.width = defaultWidth
		if columns > 1 {
			l.width = facetWidth
		}
	}
	top, more := 14, 0 // more is what names of several lines add to the height
	if c.Title != "" {
		top += 26
	}
	if c.Subtitle != "" {
		top += 20
		l.subtitle, more = subtitleLines(c.Subtitle, l.width)
	}
	if l.legend {
		l.legendTop = top + more
		l.legendRows = legendRows(l.legendNames, l.width)
		top += 26
		more += (len(l.legendRows) - 1) * legendRow
	}
	top += 30 // the y axis name
	if l.height == 0 {
		l.height = defaultHeight
		if c.Facet && count > 1 {
			l.height = top + rows*facetHeight
		}
	}
	top += more
	right := 26
	for _, b := range c.Baselines {
		right = max(right, sideMargin+7*max(utf8.RuneCountInString(b.Name), len(short(b.Value))))
	}
	if c.Facet {
		top += 20
	}
	columnWidth := (l.width - sideMargin) / columns
	slant := 0 // room that slanted labels take below each row of panels
	for i := range count {
		series := c.Series
		if c.Facet {
			series = c.Series[i : i+1]
		}
		p := panel{first: i%columns == 0, nameGap: nameGap}
		p.baselines = c.Baselines
		p.ylo, p.yhi, p.yticks = c.yRange(series, c.Baselines)
		if c.Facet {
			c.dropFarBaselines(&p, series)
		}
		p.leftLabels = labelRoom(p.yticks)
		column := sideMargin + (i%columns)*columnWidth
		p.left = column + p.leftLabels
		p.width = max(columnWidth-p.leftLabels-right, 40)
		if l.crowded(p.width) {
			p.rotate = slantDegrees
			below, left := l.slanted(p.left-column, p.width)
			p.left, p.leftLabels, p.width = p.left+left, p.leftLabels+left, max(p.width-left, 40)
			p.nameGap = max(below, nameGap)
			slant = max(slant, p.nameGap-nameGap)
		}
		l.panels = append(l.panels, p)
	}
	l.height += more + rows*slant
	const bottom, gap = 54, 60
	rowHeight := (l.height - top + gap - 10) / rows
	for i := range l.panels {
		p := &l.panels[i]
		p.top = top + (i/columns)*rowHeight
		p.height = max(rowHeight-gap-bottom+10-slant, 40)
	}
	return l
}

// exclusive reports whether no category has points of two series.
func (c *Chart) exclusive() bool {
	owner := map[string]int{}
	for i, s := range c.Series {
		for _, p := range s.Points {
			if j, ok := owner[p.Label]; ok && j != i {
				return false
			}
			owner[p.Label] = i
		}
	}
	return true
}

// selfLabelled reports whether every point of a scatter or bar chart carries its
// series' name, which makes a legend a repetition.
func (c *Chart) selfLabelled() bool {
	if c.Kind != KindScatter && c.Kind != KindBar {
		return false
	}
	for _, s := range c.Series {
		for _, p := range s.Points {
			if p.Label != s.Name {
				return false
			}
		}
	}
	return true
}

// yExtent is the extent of the given series, error bars and references.
func (c *Chart) yExtent(series []Series, baselines []Reference) span {
	y := newSpan()
	height := map[string]float64{} // of a stack, by category
	for _, s := range series {
		for _, p := range s.Points {
			if !drawable(p) || c.Y.Log && p.Y <= 0 {
				continue
			}
			if c.Stacked {
				height[p.Label] += p.Y
				y.add(height[p.Label])
				continue
			}
			y.add(p.Y, p.Y+p.Err)
			if low := p.Y - p.Err; !c.Y.Log || low > p.Y/10 {
				y.add(low)
			}
		}
	}
	for _, b := range baselines {
		y.add(b.Value)
	}
	if !c.Y.Log && (c.Kind == KindBar || c.Kind == KindHistogram) {
		y.add(0) // a bar's length is its value
	}
	return y
}

// yRange is the y axis that shows them.
func (c *Chart) yRange(series []Series, baselines []Reference) (lo, hi float64, ticks []float64) {
	y := c.yExtent(series, baselines)
	if c.Y.Log {
		return y.log()
	}
	return y.linear(5)
}

// dropFarBaselines leaves the baselines out of a panel where they would press the
// data into less than two fifths of the height, and says so in words instead.
func (c *Chart) dropFarBaselines(p *panel, series []Series) {
	data := c.yExtent(series, nil)
	all := c.yExtent(series, p.baselines)
	size := func(s span) float64 {
		if c.Y.Log {
			return math.Log(s.hi / s.lo)
		}
		return s.hi - s.lo
	}
	if size(data) >= 0.4*size(all) {
		return
	}
	var kept []Reference
	for _, b := range p.baselines {
		switch {
		case b.Value < data.lo:
			p.beyond += b.Name + " " + short(b.Value) + " is below  "
		case b.Value > data.hi:
			p.beyond += b.Name + " " + short(b.Value) + " is above  "
		default:
			kept = append(kept, b)
		}
	}
	p.beyond = strings.TrimSpace(p.beyond)
	p.baselines = kept
	p.ylo, p.yhi, p.yticks = c.yRange(series, kept)
}

// labelRoom estimates the width in pixels of the longest tick label.
func labelRoom(ticks []float64) int {
	longest := 1
	for _, t := range ticks {
		longest = max(longest, utf8.RuneCountInString(grouped(t)))
	}
	return 14 + 7*longest
}
