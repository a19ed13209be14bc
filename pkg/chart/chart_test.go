package chart

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// sweep looks like the clip sweep: three recipes a decade apart.
func sweep() *Chart {
	clips := []string{"none", "20", "17", "15", "12", "10", "8", "6"}
	make := func(name string, base, err float64, shape []float64) Series {
		s := Series{Name: name}
		for i, c := range clips {
			s.Points = append(s.Points, Point{Label: c, Y: base * shape[i], Err: err, ID: "ab12cd34"})
		}
		return s
	}
	return &Chart{
		Kind: KindLine, Title: "WikiText-2 perplexity by clip value", Subtitle: "SmolLM2-135M, window 2048, 148 windows, ± 1 standard error",
		X: Axis{Name: "clip c"}, Y: Axis{Name: "Perplexity, WikiText-2", Better: Lower},
		Series: []Series{
			make("w8a8", 22.1, 0.11, []float64{1.031, 1.012, 1.006, 1, 0.998, 1.002, 1.021, 1.11}),
			make("w6a6", 27.9, 0.22, []float64{1.08, 1.03, 1.012, 1, 0.99, 0.992, 1.03, 1.14}),
			make("w4a4", 2050, 96, []float64{1.3, 1.1, 1.04, 1, 0.93, 0.9, 0.95, 1.2}),
		},
		Baselines: []Reference{{Name: "fp32", Value: 21.63}},
	}
}

// gallery is one chart of each kind, with awkward names.
func gallery() map[string]*Chart {
	log := sweep()
	log.Y.Log = true
	bars := sweep()
	bars.Kind, bars.Series = KindBar, bars.Series[:2]
	scatter := &Chart{Kind: KindScatter, Title: `Quality & <speed> "now"`, X: Axis{Name: "Prefill", Unit: "ms", Better: Lower}, Y: Axis{Name: "Perplexity", Better: Lower, Log: true},
		Series: []Series{
			{Name: `<b>"fp32" & 'co'</b>`, Points: []Point{{X: 1500, Y: 21.63, Label: "</script><!--"}}},
			{Name: "w8a8", Points: []Point{{X: 430, Y: 22.1, Err: 0.3, Label: "é ü 漢 🙂"}}},
			{Name: "w4a4", Points: []Point{{X: 390, Y: 2100, Err: 2200, Label: "error beyond zero"}}},
		}}
	edges, counts := []float64{0}, []float64{}
	for i := range 60 {
		edges, counts = append(edges, float64(i+1)/2), append(counts, 12/(1+float64(i*i)/9))
	}
	bins := Histogram("all layers", edges, counts).Titled("Scores below the row maximum", "").Mark("c = 15", 15)
	bins.X, bins.Y = Axis{Name: "Distance"}, Axis{Name: "Share", Unit: "%", Log: true}
	stack := sweep().Stack()
	stack.Kind, stack.Baselines = KindBar, nil
	return map[string]*Chart{"panels": sweep().Panels(), "log": log, "bars": bars, "stack": stack, "scatter": scatter, "bins": bins}
}

// document checks that s is well-formed XML and returns its text and attributes.
func document(t *testing.T, s string) (text string, shapes []map[string]string) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(s))
	var b strings.Builder
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return b.String(), shapes
		}
		if err != nil {
			t.Fatalf("the picture is not well-formed: %v", err)
		}
		switch v := token.(type) {
		case xml.CharData:
			b.Write(v)
			b.WriteByte('\n')
		case xml.StartElement:
			attributes := map[string]string{"": v.Name.Local}
			for _, a := range v.Attr {
				attributes[a.Name.Local] = a.Value
			}
			shapes = append(shapes, attributes)
		}
	}
}

func TestSVG(t *testing.T) {
	for name, c := range gallery() {
		t.Run(name, func(t *testing.T) {
			o, err := c.Render()
			if err != nil {
				t.Fatal(err)
			}
			text, shapes := document(t, o.SVG)
			want := []string{c.Title, c.X.Name}
			for _, s := range c.Series {
				if len(c.Series) > 1 {
					want = append(want, s.Name)
				}
			}
			for _, b := range c.Baselines {
				want = append(want, b.Name)
			}
			for _, w := range want {
				if name == "scatter" && w == c.Title { // quotes come as one text run or several
					continue
				}
				if !strings.Contains(text, w) {
					t.Errorf("the picture does not say %q: %s", w, text)
				}
			}
			for _, s := range shapes {
				if s[""] == "script" || s[""] == "foreignObject" {
					t.Errorf("the picture holds an element %q", s[""])
				}
			}
			again, err := c.Render()
			if err != nil || again != o {
				t.Errorf("drawn twice, the outputs differ (%v)", err)
			}
		})
	}
}

var placed = regexp.MustCompile(`matrix\(([^,]+),0,0,[^,]+,([^,]+),([^)]+)\)`)

// TestPointsAreWhereTheyBelong reads the symbols' places out of the picture and
// turns them back into values through the axis limits.
func TestPointsAreWhereTheyBelong(t *testing.T) {
	for _, log := range []bool{false, true} {
		c := sweep()
		c.Series, c.Y.Log = c.Series[:1], log
		o, err := c.Render()
		if err != nil {
			t.Fatal(err)
		}
		l := c.layout()
		p := l.panels[0]
		_, shapes := document(t, o.SVG)
		var got []float64
		lastX := 0.0
		for _, s := range shapes {
			m := placed.FindStringSubmatch(s["transform"])
			if m == nil || s["fill"] != Color("w8a8") {
				continue
			}
			x, _ := strconv.ParseFloat(m[2], 64)
			y, _ := strconv.ParseFloat(m[3], 64)
			if x <= lastX {
				t.Errorf("symbol at x %g after %g, want categories from left to right", x, lastX)
			}
			lastX = x
			up := (float64(p.top+p.height) - y) / float64(p.height)
			v := p.ylo + up*(p.yhi-p.ylo)
			if log {
				v = p.ylo * math.Pow(p.yhi/p.ylo, up)
			}
			got = append(got, v)
		}
		if len(got) != 8 {
			t.Fatalf("log %v: %d symbols, want 8", log, len(got))
		}
		for i, v := range got {
			want := c.Series[0].Points[i].Y
			if math.Abs(v-want) > 0.02 { // two hundredths of 3.5 units on 280 pixels: two pixels
				t.Errorf("log %v: point %d drawn at %.3f, want %.3f", log, i, v, want)
			}
		}
	}
}

// TestOptionsAreData: the tree is JSON without functions, and equal in page and
// picture.
func TestOptionsAreData(t *testing.T) {
	for name, c := range gallery() {
		options, err := c.options()
		if err != nil {
			t.Fatal(err)
		}
		var tree map[string]any
		if err := json.Unmarshal(options, &tree); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if bytes.Contains(options, []byte("function")) || bytes.Contains(options, []byte("__f__")) || bytes.Contains(options, []byte("=>")) {
			t.Errorf("%s: the option tree holds a function", name)
		}
		o, err := c.Render()
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(o.HTML, string(options)) {
			t.Errorf("%s: the page's options are not those of the picture", name)
		}
		if n := strings.Count(o.HTML, "</script"); n != 1 {
			t.Errorf("%s: %d ends of script in the fragment, want 1: a name broke out", name, n)
		}
		for _, word := range []string{"http://", "https://", "//cdn"} {
			rest := strings.ReplaceAll(o.HTML, "http://www.w3.org", "")
			if strings.Contains(rest, word) {
				t.Errorf("%s: the fragment names an address (%s)", name, word)
			}
		}
	}
}

func TestTextTable(t *testing.T) {
	c := sweep()
	c.Series = c.Series[:1]
	c.Series[0].Points = c.Series[0].Points[:3]
	c.Series[0].Points[1].Y = math.Inf(1)
	o, err := c.Render()
	if err != nil {
		t.Fatal(err)
	}
	want := `WikiText-2 perplexity by clip value
SmolLM2-135M, window 2048, 148 windows, ± 1 standard error
Perplexity, WikiText-2  ↓ better

clip c          w8a8
────────────────────
none    22.79 ± 0.11
20                 ∞
17      22.23 ± 0.11
fp32           21.63
`
	if o.Text != want {
		t.Errorf("table:\n%s\nwant:\n%s", o.Text, want)
	}
}

// A scatter point without a label in the picture has its name in the table and under the pointer.
func TestNameWithoutLabel(t *testing.T) {
	c := &Chart{Kind: KindScatter, Title: "t", X: Axis{Name: "time"}, Y: Axis{Name: "error"},
		Series: []Series{{Name: "front", Points: []Point{{X: 1, Y: 2, Name: "lut8"}, {X: 1, Y: 3, Label: "a, b", Name: "b"}}}}}
	if got := c.table().Rows; got[0][0] != "front lut8" || got[1][0] != "front b" {
		t.Errorf("rows %v", got)
	}
	if s := c.hover(c.Series[0], c.Series[0].Points[0]); !strings.HasPrefix(s, "front, lut8\n") {
		t.Errorf("hover %q", s)
	}
}

// Bins stand in the row of their edges, whatever series begins first, and a series without a bin has no cell there.
func TestBinsAreJoinedByPlace(t *testing.T) {
	c := &Chart{Kind: KindHistogram, Title: "shifted", X: Axis{Name: "octaves"}, Series: []Series{
		{Name: "late", Points: []Point{{X: 0.5, To: 1, Y: 5}, {X: 1.5, To: 2, Y: 7}}},
		{Name: "early", Points: []Point{{X: -0.5, To: 0, Y: 1}, {X: 0, To: 0.5, Y: 2}, {X: 0.5, To: 1, Y: 3}}},
	}}
	want := `octaves   late  early
─────────────────────
-0.5 … 0            1
0 … 0.5             2
0.5 … 1      5      3
1.5 … 2      7
`
	if got := c.table().String(); got != want {
		t.Errorf("table:\n%s\nwant:\n%s", got, want)
	}
	// Forty bins against forty that begin 20 later: sixty places, four a row, and nothing is lost.
	c.Series = []Series{{Name: "a"}, {Name: "b"}}
	for i := range 40 {
		c.Series[0].Points = append(c.Series[0].Points, Point{X: float64(i), To: float64(i + 1), Y: 1})
		c.Series[1].Points = append(c.Series[1].Points, Point{X: float64(i + 20), To: float64(i + 21), Y: 10})
	}
	rows := c.table().Rows
	if len(rows) != 15 {
		t.Fatalf("%d rows, want 15 of four bins", len(rows))
	}
	for i, want := range map[int][]string{0: {"0 … 4", "4", ""}, 5: {"20 … 24", "4", "40"}, 14: {"56 … 60", "", "40"}} {
		if !slices.Equal(rows[i], want) {
			t.Errorf("row %d: %q, want %q", i, rows[i], want)
		}
	}
}

func TestRefused(t *testing.T) {
	point := func(p Point) *Chart {
		return &Chart{Kind: KindLine, Title: "t", Series: []Series{{Name: "s", Points: []Point{p}}}}
	}
	cases := map[string]struct {
		chart *Chart
		is    error
		says  string
	}{
		"nothing":            {&Chart{Kind: KindLine}, ErrEmpty, ""},
		"only NaN":           {point(Point{Y: math.NaN()}), ErrEmpty, ""},
		"log of zero":        {point(Point{Y: 0}).LogY(), ErrLog, `series "s"`},
		"log x of zero":      {point(Point{Y: 1}).LogX(), ErrLog, "x 0"},
		"negative error":     {point(Point{Y: 1, Err: -1}), nil, "0 or more"},
		"infinite error":     {point(Point{Y: 1, Err: math.Inf(1)}), nil, "finite"},
		"unknown kind":       {&Chart{Kind: "pie", Series: point(Point{Y: 1}).Series}, nil, "want line, bar"},
		"too large":          {point(Point{Y: 1}).Size(100000, 100), nil, "pixels"},
		"bins and edges":     {Histogram("h", []float64{1, 2}, []float64{1, 2}), nil, "want 3"},
		"empty bin":          {Histogram("h", []float64{2, 2}, []float64{1}), nil, "right edge"},
		"mark on categories": {sweep().Mark("c", 3), nil, "numeric x axis"},
		"mixed labels":       {&Chart{Kind: KindLine, Series: []Series{{Name: "s", Points: []Point{{Label: "a", Y: 1}, {X: 2, Y: 1}}}}}, nil, "with and without"},
		"baseline":           {sweep().LogY().Baseline("b", 0), nil, "no place"},
		"no rows":            {Line(nil, "clip", "ppl"), ErrEmpty, ""},
	}
	for name, c := range cases {
		_, err := c.chart.Render()
		if err == nil {
			t.Errorf("%s: drawn, want an error", name)
			continue
		}
		if c.is != nil && !errors.Is(err, c.is) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %v with %q", name, err, c.is, c.says)
		}
	}
	many := Series{Name: "s", Points: make([]Point, maxPoints+1)}
	if _, err := (&Chart{Kind: KindLine, Series: []Series{many}}).Render(); err == nil {
		t.Error("more points than a page can hold: drawn")
	}
}

// TestLibrary pins the embedded file to the published one.
func TestLibrary(t *testing.T) {
	sum := sha256.Sum256([]byte(library))
	if got := hex.EncodeToString(sum[:]); got != "b66b25aeb4df84e33199dc21694014d336d222cbd9deb0e5a7c14bd6aa0d0fd0" {
		t.Errorf("sha256 of echarts.min.js is %s, want that of echarts 6.1.0", got)
	}
	o, err := sweep().Render()
	if err != nil {
		t.Fatal(err)
	}
	if got := StripLibrary("<p>" + LibraryHTML() + o.HTML + LibraryHTML()); got != "<p>"+o.HTML {
		t.Errorf("StripLibrary left %d bytes, want %d", len(got), len(o.HTML)+3)
	}
	if len(o.HTML) > 200_000 {
		t.Errorf("a chart without the library is %d bytes", len(o.HTML))
	}
}

// The axis of a stack holds its sums, and what has no height cannot stand on anything.
func TestStack(t *testing.T) {
	c := sweep().Stack()
	c.Kind, c.Baselines = KindBar, nil
	sums := map[string]float64{}
	for _, s := range c.Series {
		for _, p := range s.Points {
			sums[p.Label] += p.Y
		}
	}
	p := c.layout().panels[0]
	for label, sum := range sums {
		if sum > p.yhi || p.ylo > 0 {
			t.Errorf("%s: the axis goes from %g to %g, the stack to %g", label, p.ylo, p.yhi, sum)
		}
	}
	c.Series[1].Points[2].Y = -1
	if err := c.Validate(); err == nil || !strings.Contains(err.Error(), "0 or more") {
		t.Errorf("a negative bar: %v", err)
	}
	for _, c := range []*Chart{sweep().Stack(), c.LogY(), c.Panels()} {
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), "stand on each other") {
			t.Errorf("%s, panels %v, log %v: %v", c.Kind, c.Facet, c.Y.Log, err)
		}
	}
}
