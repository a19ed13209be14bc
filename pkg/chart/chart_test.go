package chart

import (
	"os"
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

func TestDemo(t *testing.T) {
	dir := os.Getenv("CHART_DEMO")
	if dir == "" {
		t.Skip("set CHART_DEMO to a folder")
	}
	a := sweep()
	a.Y.Log = true
	b := sweep().Panels()
	c := sweep()
	c.Kind = KindBar
	c.Series = c.Series[:2]
	d := &Chart{Kind: KindScatter, Title: "Quality against speed", X: Axis{Name: "Prefill latency", Unit: "ms", Better: Lower}, Y: Axis{Name: "Perplexity", Better: Lower, Log: true},
		Series: []Series{{Name: "fp32", Points: []Point{{X: 1500, Y: 21.63, Label: "fp32"}}}, {Name: "w8a8", Points: []Point{{X: 430, Y: 22.1, Err: 0.3, Label: "w8a8"}}}, {Name: "w4a4", Points: []Point{{X: 390, Y: 2100, Err: 300, Label: "w4a4"}}}}}
	h := &Chart{Kind: KindHistogram, Title: "Scores below the row maximum", X: Axis{Name: "Distance below the row maximum"}, Y: Axis{Name: "Share of scores", Unit: "%", Log: true}, Marks: []Reference{{Name: "c = 15", Value: 15}}}
	s := Series{Name: "all layers", Method: "illm"}
	for i := range 60 {
		s.Points = append(s.Points, Point{X: float64(i) / 2, To: float64(i+1) / 2, Y: 12 / (1 + float64(i*i)/9)})
	}
	h.Series = []Series{s}
	var outs []Output
	for i, c := range []*Chart{a, b, c, d, h} {
		o, err := c.Render()
		if err != nil {
			t.Fatal(i, err)
		}
		os.WriteFile(dir+"/"+string(rune('a'+i))+".svg", []byte(o.SVG), 0o644)
		t.Log("\n" + o.Text)
		outs = append(outs, o)
	}
	os.WriteFile(dir+"/page.html", []byte(Page("demo", outs...)), 0o644)
}
