package chart

import (
	"encoding/json"
	"fmt"

	"github.com/go-echarts/go-echarts/v2/charts"
	"github.com/go-echarts/go-echarts/v2/opts"
)

// node is a part of the option tree that go-echarts has no struct for.
type node = map[string]any

const barShare = 0.76 // part of a category's width that its bars fill

// options builds the option tree of the chart as JSON. It holds no JavaScript:
// marks without a series type are custom series registered by name (marks.js),
// and the hover text is the name of the datum. The same bytes therefore feed the
// browser and the static renderer.
func (c *Chart) options() ([]byte, error) {
	l := c.layout()
	base := charts.NewLine()
	base.SetGlobalOptions(
		charts.WithAnimation(false),
	)
	color := colors(c.Series)
	for i := range c.Series {
		panel := 0
		if c.Facet {
			panel = i
		}
		c.addSeries(base, i, panel, color[i], l)
	}
	for panel := range l.panels {
		c.addReferences(base, panel, l)
	}
	base.Validate()
	tree := base.JSON()
	if err := c.finish(tree, l, color); err != nil {
		return nil, err
	}
	data, err := json.Marshal(tree)
	if err != nil {
		return nil, fmt.Errorf("chart: %q: encode the option tree: %w", c.Title, err)
	}
	return data, nil
}

// plainSeries turns the typed series into nodes and keeps references from
// answering the pointer in place of the points beside them.
func plainSeries(typed any) ([]node, error) {
	data, err := json.Marshal(typed)
	if err != nil {
		return nil, err
	}
	var list []node
	if err := json.Unmarshal(data, &list); err != nil {
		return nil, err
	}
	for _, s := range list {
		if line, ok := s["markLine"].(node); ok {
			line["silent"] = true
		}
	}
	return list, nil
}

// at places a series in its panel and gives it its colour.
func at(panel int, color string) charts.SeriesOpts {
	return func(s *charts.SingleSeries) {
		s.XAxisIndex, s.YAxisIndex = panel, panel
		s.ItemStyle = &opts.ItemStyle{Color: color}
		s.LineStyle = &opts.LineStyle{Color: color, Width: 2.2}
	}
}

// shape gives a series its symbol.
func shape(i, size int) charts.SeriesOpts {
	return func(s *charts.SingleSeries) {
		s.Symbol, s.SymbolSize = symbols[i%len(symbols)], size
		s.Emphasis = &opts.Emphasis{Focus: "series"}
	}
}

func (c *Chart) addSeries(base *charts.Line, i, panel int, color string, l layout) {
	s := c.Series[i]
	place := func(p Point) any {
		if l.labels != nil {
			return l.index[p.Label]
		}
		return p.X
	}
	var lines []opts.LineData
	var bars []opts.BarData
	var dots []opts.ScatterData
	var bins, errs []opts.CustomData
	slot, slots := 0, 1
	if c.Kind == KindBar && !c.Facet && !l.exclusive && !c.Stacked {
		slot, slots = i, len(c.Series)
	}
	for _, p := range s.Points {
		if !drawable(p) {
			if c.Kind == KindLine && l.labels == nil {
				continue
			}
			lines = append(lines, opts.LineData{Value: []any{place(p), "-"}})
			continue
		}
		name := c.hover(s, p)
		value := []any{place(p), p.Y}
		switch c.Kind {
		case KindLine:
			lines = append(lines, opts.LineData{Name: name, Value: value})
		case KindBar:
			bars = append(bars, opts.BarData{Name: name, Value: value})
		case KindScatter:
			dots = append(dots, opts.ScatterData{Name: name, Value: []any{p.X, p.Y, p.Label}})
		case KindHistogram:
			bins = append(bins, opts.CustomData{Name: name, Value: []any{p.X, p.To, p.Y}})
		}
		if p.Err > 0 && !c.Stacked {
			low := p.Y - p.Err
			if c.Y.Log && low <= 0 {
				low = l.panels[panel].ylo // the bar leaves the axis at the bottom
			}
			errs = append(errs, opts.CustomData{Value: []any{place(p), low, p.Y + p.Err, slot, slots, barShare}})
		}
	}
	switch c.Kind {
	case KindLine:
		base.AddSeries(s.Name, lines, at(panel, color), shape(i, 9))
	case KindBar:
		bar := charts.NewBar()
		bar.AddSeries(s.Name, bars, at(panel, color), func(x *charts.SingleSeries) {
			x.BarGap, x.BarCategoryGap = "0%", fmt.Sprintf("%.0f%%", 100*(1-barShare))
			if l.exclusive {
				x.BarGap = "-100%"
			}
			if c.Stacked {
				x.Stack = "all"
			}
			x.ItemStyle.Opacity = opts.Float(0.65) // the error bar, of the same colour, shows on both halves
		})
		base.Overlap(bar)
	case KindScatter:
		dot := charts.NewScatter()
		dot.AddSeries(s.Name, dots, at(panel, color), shape(i, 12), charts.WithLabelOpts(opts.Label{
			Show: opts.Bool(true), Position: "right", Formatter: "{@[2]}"}))
		base.Overlap(dot)
	case KindHistogram:
		bin := charts.NewCustom()
		bin.AddSeries(s.Name, bins, at(panel, color), func(x *charts.SingleSeries) {
			x.RenderItem = "illmBin"
			x.Encode = &opts.Encode{X: []int{0, 1}, Y: 2}
		})
		base.Overlap(bin)
	}
	if len(errs) > 0 {
		bar := charts.NewCustom()
		bar.AddSeries(s.Name, errs, at(panel, color), func(x *charts.SingleSeries) {
			x.RenderItem = "illmError"
			x.Encode = &opts.Encode{X: 0, Y: []int{1, 2}}
		})
		base.Overlap(bar)
	}
}

// addReferences draws baselines and marks as the mark lines of a series without
// data, so that they have a line in no legend and a label of their own.
func (c *Chart) addReferences(base *charts.Line, panel int, l layout) {
	var data []any
	for _, b := range l.panels[panel].baselines {
		data = append(data, node{
			"yAxis": b.Value, "name": b.Name,
			"label": node{"formatter": b.Name + "\n" + short(b.Value), "position": "end", "lineHeight": 14},
		})
	}
	for _, m := range c.Marks {
		data = append(data, node{
			"xAxis": m.Value, "name": m.Name,
			"label": node{"formatter": m.Name, "position": "insideEndTop", "rotate": 90},
		})
	}
	if len(data) == 0 {
		return
	}
	base.AddSeries("", nil, at(panel, neutral), func(s *charts.SingleSeries) {
		s.Data = []any{}
		s.MarkLines = &opts.MarkLines{Data: data, MarkLineStyle: opts.MarkLineStyle{
			Symbol:    []string{"none", "none"},
			LineStyle: &opts.LineStyle{Color: neutral, Type: "dashed", Width: 1.6},
			Label:     &opts.Label{Show: opts.Bool(true), FontSize: 11.5},
		}}
	})
}

// finish adds what go-echarts has no field for: panels, axis names with their
// place, ticks chosen here, several titles.
func (c *Chart) finish(tree node, l layout, color []string) error {
	series, err := plainSeries(tree["series"])
	if err != nil {
		return fmt.Errorf("chart: %q: encode the series: %w", c.Title, err)
	}
	tree["series"] = series
	delete(tree, "color")
	delete(tree, "toolbox")
	tree["backgroundColor"] = "transparent"
	tree["aria"] = node{"enabled": true, "label": node{"description": c.Title + ". " + c.Y.Title() + " against " + c.X.Title() + "."}}
	titles := []any{node{"text": c.Title, "subtext": l.subtitle, "left": sideMargin, "top": 12, "padding": 0, "itemGap": 8,
		"textStyle": node{"fontSize": 16, "fontWeight": 600}, "subtextStyle": node{"fontSize": 12.5, "lineHeight": subtitleLine}}}
	tree["tooltip"] = node{"trigger": "item", "formatter": "{b}", "confine": true, "extraCssText": "white-space:pre-line"}
	tree["legend"] = node{"show": l.legend, "data": l.legendData(), "left": 9, "top": l.legendTop, "itemWidth": 20, "itemHeight": 10, "itemGap": legendGap,
		"textStyle": node{"fontSize": 12.5}}
	var grids, xs, ys []any
	for i, p := range l.panels {
		grids = append(grids, node{"left": p.left, "top": p.top, "width": p.width, "height": p.height, "outerBoundsMode": "none"})
		x := node{"gridIndex": i, "name": c.X.Title(), "nameLocation": "middle", "nameGap": p.nameGap, "nameTextStyle": node{"fontSize": 12.5}}
		switch {
		case l.labels != nil:
			x["type"], x["data"] = "category", l.labels
			x["axisLabel"] = node{"interval": 0, "rotate": p.rotate, "fontSize": labelHeight}
			x["axisTick"] = node{"alignWithLabel": true}
			x["boundaryGap"] = true
		default:
			axis(x, c.X.Log, l.xlo, l.xhi, l.xticks)
		}
		x["splitLine"] = node{"show": false}
		x["axisLine"] = node{"onZero": false}
		y := node{"gridIndex": i, "name": c.Y.Title(), "nameLocation": "end", "nameGap": 12,
			"nameTextStyle": node{"align": "left", "fontSize": 12.5, "padding": []int{0, 0, 0, -p.leftLabels}}}
		axis(y, c.Y.Log, p.ylo, p.yhi, p.yticks)
		if c.Facet {
			y["name"] = ""
			if p.first {
				y["name"] = c.Y.Title()
			}
			titles = append(titles, node{"text": c.Series[i].Name, "subtext": p.beyond, "left": p.left + p.width, "top": p.top - 44, "padding": 0, "itemGap": 5,
				"textAlign": "right", "textStyle": node{"fontSize": 13.5, "fontWeight": 600, "color": color[i]}, "subtextStyle": node{"fontSize": 11.5}})
		}
		xs, ys = append(xs, x), append(ys, y)
	}
	tree["title"], tree["grid"], tree["xAxis"], tree["yAxis"] = titles, grids, xs, ys
	return nil
}

// axis sets a numeric axis with its limits and the ticks chosen by ticks.go.
func axis(a node, log bool, lo, hi float64, ticks []float64) {
	a["type"] = "value"
	if log {
		a["type"] = "log"
	}
	a["min"], a["max"] = lo, hi
	custom := node{"customValues": ticks}
	a["axisTick"] = node{"show": true, "customValues": ticks}
	a["axisLabel"] = custom
	a["splitLine"] = node{"show": true, "customValues": ticks}
	a["minorTick"] = node{"show": false}
}

// hover is the text shown when the pointer is over a point: the whole tooltip,
// as the name of the datum, because the tree holds no formatter function. The
// library escapes it.
func (c *Chart) hover(s Series, p Point) string {
	where := p.Label
	if where == "" {
		where = number(p.X, 0)
	}
	if c.Kind == KindHistogram {
		where = number(p.X, 0) + " … " + number(p.To, 0)
	}
	text := s.Name
	if c.Kind == KindScatter {
		if own := p.name(); own != "" {
			text += ", " + own
		}
		text += "\n" + c.X.Name + " " + number(p.X, 0)
	} else {
		text += "\n" + c.X.Name + " " + where
	}
	if c.X.Unit != "" {
		text += " " + c.X.Unit
	}
	text += "\n" + c.Y.Name + " " + c.value(p.Y, p.Err)
	if c.Y.Unit != "" {
		text += " " + c.Y.Unit
	}
	if p.ID != "" {
		text += "\nrecord " + p.ID
	}
	return text
}
