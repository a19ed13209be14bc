package chart

import (
	"encoding/json"
	"errors"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// ridge is a matrix with one loud column, and the same made even.
func ridge(log bool) *HeatMap {
	loud := func(r, c int) float64 {
		if c == 40 {
			return 50 + float64(r)
		}
		return 1 + float64((r*7+c*3)%5)/10
	}
	even := func(r, c int) float64 { return 2 + float64((r+c)%7)/10 }
	return &HeatMap{Title: `Largest |x| <before> & "after"`, Subtitle: "block 3, 96 tokens",
		X: Axis{Name: "channel"}, Y: Axis{Name: "token"}, Z: Axis{Name: "|x|", Log: log},
		Panels: []HeatPanel{Pool("before", 96, 128, 24, 32, loud), Pool("after", 96, 128, 24, 32, even)}}
}

// Pooling keeps the largest value of every block: a brute-force maximum over the block of each cell.
func TestPool(t *testing.T) {
	at := func(r, c int) float64 {
		if r == 3 && c == 3 {
			return math.NaN()
		}
		return math.Sin(float64(r*31 + c*17))
	}
	for _, size := range [][4]int{{10, 7, 4, 3}, {1, 1, 5, 5}, {9, 9, 9, 9}, {5, 8, 1, 1}} {
		p := Pool("x", size[0], size[1], size[2], size[3], at)
		if len(p.Cells) > size[2] || len(p.Cells[0]) > size[3] {
			t.Fatalf("%v: pooled to %d × %d", size, len(p.Cells), len(p.Cells[0]))
		}
		for r := range p.Cells {
			for c := range p.Cells[r] {
				want := math.Inf(-1)
				for i := range size[0] {
					for j := range size[1] {
						if i/p.YStep == r && j/p.XStep == c && !math.IsNaN(at(i, j)) {
							want = math.Max(want, at(i, j))
						}
					}
				}
				if math.IsInf(want, -1) { // the one value of the block is none
					want = math.NaN()
				}
				if p.Cells[r][c] != want && !(math.IsNaN(want) && math.IsNaN(p.Cells[r][c])) {
					t.Errorf("%v: cell %d, %d is %v, want %v", size, r, c, p.Cells[r][c], want)
				}
			}
		}
	}
}

// Lightness alone orders the scale, for every kind of colour vision.
func TestHeatColors(t *testing.T) {
	for name, eye := range deficiencies {
		before := -1.0
		for i := range steps {
			l := lab(seen(eye, parseColor(t, heatColor(i))))[0]
			if l <= before+1 {
				t.Errorf("%s: colour %d (%s) has lightness %.1f, the one before %.1f", name, i, heatColor(i), l, before)
			}
			before = l
		}
	}
}

var rectangle = regexp.MustCompile(`M(\d+) (\d+)h(\d+)v(\d+)h-(\d+)z`)

// The rectangles of the picture, read back, cover every panel once, and each cell's middle has the colour of its value.
func TestHeatCells(t *testing.T) {
	for _, log := range []bool{false, true} {
		h := ridge(log)
		h.Panels[1].Cells[2][3] = math.NaN()
		o, err := h.Render()
		if err != nil {
			t.Fatal(err)
		}
		_, shapes := document(t, o.SVG)
		type rect struct {
			x, y, w, h int
			fill       string
		}
		var rects []rect
		area := 0
		for _, s := range shapes {
			for _, m := range rectangle.FindAllStringSubmatch(s["d"], -1) {
				var n [5]int
				for i := range n {
					n[i], _ = strconv.Atoi(m[i+1])
				}
				rects = append(rects, rect{n[0], n[1], n[2], n[3], s["fill"]})
				area += n[2] * n[3]
			}
		}
		_, _, panels := h.place()
		lo, hi := h.scale()
		whole := 0
		for i, p := range panels {
			whole += p.width * p.height
			for r, row := range h.Panels[i].Cells {
				for c, v := range row {
					x := p.left + int((float64(c)+0.5)*float64(p.width)/float64(len(row)))
					y := p.top + p.height - int((float64(r)+0.5)*float64(p.height)/float64(len(h.Panels[i].Cells)))
					at := slices.IndexFunc(rects, func(q rect) bool { return x >= q.x && x < q.x+q.w && y >= q.y && y < q.y+q.h })
					if math.IsNaN(v) {
						if at >= 0 {
							t.Errorf("a cell without a value is drawn")
						}
						continue
					}
					if at < 0 {
						t.Fatalf("no rectangle over cell %d, %d of panel %d", r, c, i)
					}
					step := 0 // by walking the edges, not by the formula
					for step+1 < steps && v >= h.edge(lo, hi, step+1)*(1+1e-12) {
						step++
					}
					if rects[at].fill != heatColor(step) && rects[at].fill != heatColor(min(step+1, steps-1)) {
						t.Errorf("log %v: value %v has colour %s, want %s", log, v, rects[at].fill, heatColor(step))
					}
				}
			}
		}
		if area >= whole || area < whole*99/100 { // one cell of 1536 is open
			t.Errorf("rectangles cover %d pixels of %d", area, whole)
		}
		for _, want := range []string{"channel", "token", "before", "after", "|x|"} {
			if text, _ := document(t, o.SVG); !strings.Contains(text, want) {
				t.Errorf("the picture does not say %q", want)
			}
		}
		if !strings.Contains(o.Text, "145") || !strings.Contains(o.Text, "before") {
			t.Errorf("the table misses the largest value:\n%s", o.Text)
		}
		if again, err := h.Render(); err != nil || again != o {
			t.Errorf("drawn twice, the outputs differ (%v)", err)
		}
		if len(o.SVG) > 200_000 {
			t.Errorf("the picture has %d bytes", len(o.SVG))
		}
	}
}

// The live tree holds every value under the name of its column and row.
func TestHeatOptions(t *testing.T) {
	h := ridge(true)
	data, err := h.options(true)
	if err != nil {
		t.Fatal(err)
	}
	var tree struct {
		Series []struct {
			Data [][]any
		}
		XAxis     []struct{ Data []string }
		VisualMap struct{ Pieces []map[string]any }
	}
	if err := json.Unmarshal(data, &tree); err != nil {
		t.Fatal(err)
	}
	if len(tree.Series) != 2 || len(tree.Series[0].Data) != 24*32 || len(tree.VisualMap.Pieces) != steps {
		t.Fatalf("%d series, %d pieces", len(tree.Series), len(tree.VisualMap.Pieces))
	}
	if got := tree.XAxis[0].Data[10]; got != "40" {
		t.Errorf("column 10 is called %q", got)
	}
	loud := 0
	for _, d := range tree.Series[0].Data {
		if d[0] == "40" && d[2].(float64) >= 50 {
			loud++
		}
	}
	if loud != 24 {
		t.Errorf("%d loud cells in column 40, want 24", loud)
	}
}

func TestHeatRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		h    HeatMap
		want string
	}{
		"nothing":     {HeatMap{}, "no point"},
		"not a value": {HeatMap{Panels: []HeatPanel{{Cells: [][]float64{{math.NaN()}}}}}, "no point"},
		"below 0":     {HeatMap{Z: Axis{Log: true}, Panels: []HeatPanel{{Cells: [][]float64{{-1, 0}}}}}, "no point"},
		"ragged":      {HeatMap{Panels: []HeatPanel{{Cells: [][]float64{{1}, {1, 2}}}}}, "row 1 has 2"},
		"size":        {HeatMap{Width: 7, Panels: []HeatPanel{{Cells: [][]float64{{1}}}}}, "size 7"},
		"step":        {HeatMap{Panels: []HeatPanel{{XStep: -1, Cells: [][]float64{{1}}}}}, "steps of -1"},
		"panels":      {HeatMap{Panels: make([]HeatPanel, 5)}, "5 panels"},
		"cells":       {HeatMap{Panels: []HeatPanel{{Cells: [][]float64{make([]float64, 50_000)}}}}, "50000 cells"},
	} {
		if _, err := c.h.Render(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one that says %q", name, err, c.want)
		}
	}
	if _, err := new(HeatMap).Render(); !errors.Is(err, ErrEmpty) {
		t.Errorf("an empty map gives %v", err)
	}
	if _, err := (&HeatMap{Panels: []HeatPanel{{Cells: [][]float64{{3}}}}}).Render(); err != nil {
		t.Errorf("one cell: %v", err)
	}
}

// TestBrowserHeat: the live heat map is drawn and answers the pointer with the value of the cell.
func TestBrowserHeat(t *testing.T) {
	o, err := ridge(true).Render()
	if err != nil {
		t.Fatal(err)
	}
	b := openPage(t, Page("heat", o))
	b.drawn(t, 1)
	if n := eval[int](t, b, `document.querySelectorAll('.illm-live path').length`); n < 2*24*32 {
		t.Errorf("%d shapes, want one a cell at least", n)
	}
	b.do(t, `document.querySelector('.illm-chart').illmChart.dispatchAction({type: 'showTip', seriesIndex: 0, dataIndex: 10})`)
	tip := ""
	for range 40 {
		tip = eval[string](t, b, `document.querySelector('.illm-live').lastElementChild.innerText || ''`)
		if strings.Contains(tip, "40") {
			break
		}
	}
	if want := "before\nchannel, token, |x|\n40,0,53"; tip != want {
		t.Errorf("hover says %q, want %q", tip, want)
	}
}
