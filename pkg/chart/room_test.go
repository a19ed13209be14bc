package chart

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// wide is a chart whose names need room: a subtitle of several lines, a legend of several rows, labels that would touch.
func wide() *Chart {
	c := &Chart{Kind: KindBar, Title: "Divergence by step", X: Axis{Name: "operator, row length"}, Y: Axis{Name: "Mean KL divergence", Unit: "nats", Better: Lower},
		Subtitle: "tiny-llama, 32 windows of 1024 tokens; bars: ± 1 standard error of the difference, paired by window; 4 points above +8 % not drawn; w4a4 is on its own grid"}
	for i := range 7 {
		s := Series{Name: fmt.Sprintf("method %d of seven, simulated", i+1)}
		for j, label := range []string{"requantisation of a prompt", "fsbr, integer products", "+ DI-ClippedSoftmax", "requantisation 11008", "+ DI-SwiGLU", "+ DI-Norm", "swiglu 1536", "swiglu 11008"} {
			s.Points = append(s.Points, Point{Label: label, Y: float64(1 + i + j)})
		}
		c.Series = append(c.Series, s)
	}
	return c
}

func TestBreakLines(t *testing.T) {
	for _, c := range []struct {
		text    string
		letters int
		want    []string
	}{
		{"one two three", 40, []string{"one two three"}},
		{"one two three", 13, []string{"one two three"}},
		{"one two three", 12, []string{"one two", "three"}},
		{"± ± ± ±", 3, []string{"± ±", "± ±"}}, // letters, not bytes
		{"a longerthanthat b", 5, []string{"a", "longerthanthat", "b"}},
		{"", 5, nil},
	} {
		if got := breakLines(c.text, c.letters); !slices.Equal(got, c.want) {
			t.Errorf("%q in %d letters: %q, want %q", c.text, c.letters, got, c.want)
		}
	}
}

func TestLegendRows(t *testing.T) {
	names := []string{"RTN, simulated", "RTN", "SmoothQuant, simulated", "OmniQuant-like, simulated", "FSBR, simulated", "FSBR", "best combined"}
	for _, c := range []struct{ width, rows int }{{760, 2}, {2000, 1}, {120, 7}} {
		rows := legendRows(names, c.width)
		if got := slices.Concat(rows...); len(rows) != c.rows || !slices.Equal(got, names) {
			t.Errorf("%d pixels: %q, want all names in %d rows", c.width, rows, c.rows)
		}
	}
}

// slantedText are the places of slanted text in a picture: the end of a label, at the axis.
var slantedText = regexp.MustCompile(`<text[^>]*transform="matrix\(([\d.]+),-([\d.]+),[\d.]+,[\d.]+,([\d.]+),([\d.]+)\)"[^>]*>([^<]*)<`)

// Slanted labels end inside of the picture, left and below, above the name of the axis. A letter of the usual fonts without
// serifs is half an em wide.
func TestSlantedLabelsHaveRoom(t *testing.T) {
	long := wide()
	for i := range long.Series {
		for j := range long.Series[i].Points {
			long.Series[i].Points[j].Label += ", with a long name"
		}
	}
	panels := wide().Panels()
	panels.Series = panels.Series[:6] // two rows of three
	for name, c := range map[string]*Chart{"wide": wide(), "long": long, "sized": wide().Size(600, 420), "panels": panels} {
		o, err := c.Render()
		if err != nil {
			t.Fatal(err)
		}
		l, drawn := c.layout(), 0
		for _, m := range slantedText.FindAllStringSubmatch(o.SVG, -1) {
			var v [4]float64
			for i := range v {
				v[i], _ = strconv.ParseFloat(m[i+1], 64)
			}
			if angle := math.Atan2(v[1], v[0]) * 180 / math.Pi; math.Abs(angle-slantDegrees) > 1 {
				continue // a name of a y axis
			}
			drawn++
			size := 0.5 * labelHeight * float64(len([]rune(m[5])))
			left, below := v[2]-v[0]*size, v[3]+v[1]*size+v[0]*labelHeight
			if left < 0 || below > float64(l.height) {
				t.Errorf("%s: %q begins at %.0f, %.0f of a picture of %d × %d", name, m[5], left, below, l.width, l.height)
			}
			for i, p := range l.panels { // the panel over it
				if v[2] >= float64(p.left) && v[2] <= float64(p.left+p.width) && v[3] > float64(p.top+p.height) && v[3] < float64(p.top+p.height+20) {
					if axis := float64(p.top + p.height + p.nameGap); below > axis || axis+12.5 > float64(l.height) {
						t.Errorf("%s, panel %d: %q ends at %.0f, the axis' name begins at %.0f of %d", name, i, m[5], below, axis, l.height)
					}
					if i+3 < len(l.panels) && below > float64(l.panels[i+3].top-44) {
						t.Errorf("%s, panel %d: %q ends at %.0f, in the panel below", name, i, m[5], below)
					}
				}
			}
		}
		if want := len(l.panels) * len(l.labels); drawn != want {
			t.Errorf("%s: %d slanted labels, want %d", name, drawn, want)
		}
		for i, p := range l.panels {
			if p.height < 200 {
				t.Errorf("%s: panel %d is %d pixels high: the room of the names is not added to the picture's height", name, i, p.height)
			}
		}
	}
}

// In a browser, with its fonts, no name is cut by the edge of the live chart or written over another.
func TestNamesInBrowser(t *testing.T) {
	heat := &HeatMap{Title: "cells", Subtitle: wide().Subtitle, X: Axis{Name: "x"}, Y: Axis{Name: "y"}, Z: Axis{Name: "z"}, Panels: []HeatPanel{{Name: "a", Cells: [][]float64{{1, 2}, {3, 4}}}}}
	second, err := heat.Render()
	if err != nil {
		t.Fatal(err)
	}
	panels := wide().Panels()
	panels.Subtitle = "tiny-llama+outliers, 16 windows of 1024 tokens; bars: ± 1 standard error over windows; not drawn, more than 10 times the others: w6a6 smoothquant 0.751 ± 0.021, w4a4 smoothquant 5.505 ± 0.095"
	b := openPage(t, Page("charts", render(t, wide()), second, render(t, panels)))
	b.drawn(t, 3)
	problems := eval[[]string](t, b, `Array.from(document.querySelectorAll('.illm-live > div > svg')).flatMap((svg, chart) => {
		const page = svg.getBoundingClientRect(), found = [];
		const texts = Array.from(svg.querySelectorAll('text')).filter(e => e.textContent.trim());
		const upright = e => !/matrix|rotate/.test(e.getAttribute('transform') || '') || /matrix\(1,0,0,1/.test(e.getAttribute('transform'));
		for (const e of texts) {
			const r = e.getBoundingClientRect();
			if (r.left < page.left - 1 || r.right > page.right + 1 || r.top < page.top - 1 || r.bottom > page.bottom + 1) found.push(chart + ': cut: ' + e.textContent);
			for (const f of texts) {
				if (e === f || !upright(e) || !upright(f)) continue;
				const s = f.getBoundingClientRect(), x = Math.min(r.right, s.right) - Math.max(r.left, s.left), y = Math.min(r.bottom, s.bottom) - Math.max(r.top, s.top);
				if (x > 2 && y > 4 && e.compareDocumentPosition(f) & 4) found.push(chart + ': one over the other: ' + e.textContent + ' | ' + f.textContent);
			}
		}
		return found;
	})`)
	if len(problems) > 0 {
		t.Error(strings.Join(problems, "\n"))
	}
}
