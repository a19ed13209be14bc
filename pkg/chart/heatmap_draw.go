package chart

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/go-echarts/go-echarts/v2/charts"
)

// Render draws the heat map. The live chart is a heat-map series under a piecewise scale of colours. In the static picture
// the same tree gives axes, names and the scale, and the cells are drawn here, a path a colour with neighbours of one
// colour joined: a tenth of what a shape for each cell takes.
func (h *HeatMap) Render() (Output, error) {
	if err := h.Validate(); err != nil {
		return Output{}, err
	}
	live, err := h.options(true)
	if err != nil {
		return Output{}, err
	}
	frame, err := h.options(false)
	if err != nil {
		return Output{}, err
	}
	width, height, panels := h.place()
	picture, err := svg(frame, light, width, height)
	if err != nil {
		return Output{}, err
	}
	at := strings.Index(picture, `class="illm-page"`)
	end := strings.Index(picture[max(at, 0):], "/>")
	if at < 0 || end < 0 {
		return Output{}, fmt.Errorf("chart: %q: the picture has no page to draw cells on", h.Title)
	}
	end += at + len("/>")
	picture = picture[:end] + h.cells(panels) + picture[end:]
	text := h.text()
	c := &Chart{Title: h.Title, X: h.X, Y: h.Y}
	page, err := c.fragment(live, picture, text, layout{width: width, height: height})
	if err != nil {
		return Output{}, err
	}
	return Output{HTML: page, SVG: picture, Text: text}, nil
}

// place computes the size of the picture and the panels' places.
func (h *HeatMap) place() (width, height int, panels []panel) {
	width, height = h.Width, h.Height
	if width == 0 {
		width = heatWidth
		if len(h.Panels) == 1 {
			width = heatSingle
		}
	}
	if height == 0 {
		height = heatHeight
	}
	top := 70
	if h.Subtitle != "" {
		_, more := subtitleLines(h.Subtitle, width)
		top, height = top+20+more, height+more
	}
	const left, gap, right, bottom = 62, 44, 84, 52
	n := max(len(h.Panels), 1)
	each := max((width-left-right-(n-1)*gap)/n, 20)
	for i := range h.Panels {
		panels = append(panels, panel{left: left + i*(each+gap), top: top, width: each, height: max(height-top-bottom, 20), first: i == 0})
	}
	return width, height, panels
}

// names are those of columns or rows: where each begins.
func names(n, step int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = strconv.Itoa(i * max(step, 1))
	}
	return out
}

// every is how many names apart the printed ones stand: about count of them.
func every(n, count int) int { return max((n+count-1)/count, 1) }

// options is the tree, with the cells or, for the frame of the static picture, without.
func (h *HeatMap) options(cells bool) ([]byte, error) {
	base := charts.NewHeatMap()
	base.SetGlobalOptions(charts.WithAnimation(false))
	base.Validate()
	tree := base.JSON()
	for _, k := range []string{"color", "toolbox", "legend"} {
		delete(tree, k)
	}
	width, _, panels := h.place()
	subtitle, _ := subtitleLines(h.Subtitle, width)
	lo, hi := h.scale()
	tree["backgroundColor"] = "transparent"
	tree["aria"] = node{"enabled": true, "label": node{"description": h.Title + ". " + h.Z.Title() + " by " + h.X.Title() + " and " + h.Y.Title() + "."}}
	tree["tooltip"] = node{"trigger": "item", "confine": true, "extraCssText": "white-space:pre-line",
		"formatter": "{a}\n" + noTemplate(h.X.Name+", "+h.Y.Name+", "+h.Z.Name) + "\n{c}"}
	titles := []any{node{"text": h.Title, "subtext": subtitle, "left": sideMargin, "top": 12, "padding": 0, "itemGap": 8,
		"textStyle": node{"fontSize": 16, "fontWeight": 600}, "subtextStyle": node{"fontSize": 12.5, "lineHeight": subtitleLine}}}
	var grids, xs, ys, series []any
	for i, p := range panels {
		m := h.Panels[i]
		columns := 0
		if len(m.Cells) > 0 {
			columns = len(m.Cells[0])
		}
		grids = append(grids, node{"left": p.left, "top": p.top, "width": p.width, "height": p.height, "outerBoundsMode": "none"})
		axis := func(name string, labels []string, count int) node {
			gap := every(len(labels), count) - 1
			return node{"gridIndex": i, "type": "category", "data": labels, "name": name, "nameLocation": "middle", "nameGap": 30, "boundaryGap": true,
				"nameTextStyle": node{"fontSize": 12.5}, "axisLabel": node{"interval": gap, "fontSize": 11.5}, "axisTick": node{"interval": gap}, "splitLine": node{"show": false}}
		}
		xs = append(xs, axis(h.X.Title(), names(columns, m.XStep), max(p.width/60, 1)))
		y := axis("", names(len(m.Cells), m.YStep), max(p.height/36, 1))
		if p.first {
			y["name"], y["nameGap"] = h.Y.Title(), 40
		}
		ys = append(ys, y)
		titles = append(titles, node{"text": m.Name, "left": p.left, "top": p.top - 22, "padding": 0, "textStyle": node{"fontSize": 13.5, "fontWeight": 600}})
		data := []any{}
		if cells {
			for r, row := range m.Cells {
				for c, v := range row {
					if h.colored(v) {
						data = append(data, []any{strconv.Itoa(c * max(m.XStep, 1)), strconv.Itoa(r * max(m.YStep, 1)), tidyTo3(v)})
					}
				}
			}
		}
		series = append(series, node{"type": "heatmap", "name": m.Name, "xAxisIndex": i, "yAxisIndex": i, "data": data, "progressive": 0})
	}
	var pieces []any
	for i := range steps {
		piece := node{"color": heatColor(i)}
		if i > 0 {
			piece["gte"] = h.edge(lo, hi, i)
		}
		if i+1 < steps {
			piece["lt"] = h.edge(lo, hi, i+1)
		}
		pieces = append(pieces, piece)
	}
	tree["visualMap"] = node{"type": "piecewise", "pieces": pieces, "dimension": 2, "orient": "vertical", "right": 14, "top": panels[0].top - 20,
		"itemSymbol": "rect", "itemGap": 0, "itemWidth": 16, "itemHeight": max((panels[0].height-10)/steps, 2), "showLabel": false, "hoverLink": false, "selectedMode": false,
		"text": []string{short(tidyTo3(hi)), short(tidyTo3(lo))}, "textStyle": node{"fontSize": 11.5}}
	last := panels[len(panels)-1]
	titles = append(titles, node{"text": h.Z.Title(), "left": last.left + last.width, "top": panels[0].top - 46, "padding": 0, "textAlign": "right",
		"textStyle": node{"fontSize": 12.5, "fontWeight": 400}})
	tree["title"], tree["grid"], tree["xAxis"], tree["yAxis"], tree["series"] = titles, grids, xs, ys, series
	data, err := json.Marshal(tree)
	if err != nil {
		return nil, fmt.Errorf("chart: %q: encode the option tree: %w", h.Title, err)
	}
	return data, nil
}

// noTemplate keeps a name from being read as a template by the library.
func noTemplate(s string) string { return strings.NewReplacer("{", "(", "}", ")").Replace(s) }

// tidyTo3 rounds to three significant digits: what a colour can say.
func tidyTo3(v float64) float64 {
	if v == 0 {
		return 0
	}
	return tidyTo(v, 3)
}

// cells draws the panels' cells: for every colour one path of rectangles with corners on whole pixels.
func (h *HeatMap) cells(panels []panel) string {
	lo, hi := h.scale()
	var b strings.Builder
	b.WriteString(`<g class="illm-cells" shape-rendering="crispEdges">`)
	paths := make([]strings.Builder, steps)
	for i, p := range panels {
		rows := h.Panels[i].Cells
		for r, row := range rows {
			top := p.top + p.height - edgeAt(p.height, r+1, len(rows))
			tall := p.top + p.height - edgeAt(p.height, r, len(rows)) - top
			for c := 0; c < len(row); {
				s, from := h.step(lo, hi, row[c]), c
				for c++; c < len(row) && h.step(lo, hi, row[c]) == s; c++ {
				}
				x0, x1 := edgeAt(p.width, from, len(row)), edgeAt(p.width, c, len(row))
				if s >= 0 && tall > 0 && x1 > x0 {
					fmt.Fprintf(&paths[s], "M%d %dh%dv%dh-%dz", p.left+x0, top, x1-x0, tall, x1-x0)
				}
			}
		}
	}
	for s := range paths {
		if paths[s].Len() > 0 {
			fmt.Fprintf(&b, `<path fill="%s" d="%s"/>`, heatColor(s), paths[s].String())
		}
	}
	b.WriteString("</g>")
	return b.String()
}

// edgeAt is the pixel at which part i of n begins.
func edgeAt(size, i, n int) int { return int(math.Round(float64(size) * float64(i) / float64(n))) }

// text is the title over a coarse table for each panel: the largest value of blocks of cells.
func (h *HeatMap) text() string {
	var b strings.Builder
	for _, s := range []string{h.Title, h.Subtitle, h.Z.Title()} {
		if s != "" {
			b.WriteString(s + "\n")
		}
	}
	const rows, columns = 6, 8
	for _, m := range h.Panels {
		if len(m.Cells) == 0 || len(m.Cells[0]) == 0 {
			continue
		}
		p := Pool(m.Name, len(m.Cells), len(m.Cells[0]), rows, columns, func(r, c int) float64 { return m.Cells[r][c] })
		g := Grid{Head: []string{h.Y.Title() + " \\ " + h.X.Title()}}
		for c := range p.Cells[0] {
			g.Head = append(g.Head, strconv.Itoa(c*p.XStep*max(m.XStep, 1))+" …")
		}
		for r := len(p.Cells) - 1; r >= 0; r-- {
			line := []string{strconv.Itoa(r*p.YStep*max(m.YStep, 1)) + " …"}
			for _, v := range p.Cells[r] {
				cell := ""
				if !math.IsNaN(v) {
					cell = number(tidyTo3(v), 0)
				}
				line = append(line, cell)
			}
			g.Rows = append(g.Rows, line)
		}
		b.WriteString("\n" + m.Name + ", largest of each block\n" + g.String())
	}
	return b.String()
}
