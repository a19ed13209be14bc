package nb

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/illm-go/illm/pkg/ablation"
	"github.com/illm-go/illm/pkg/chart"
	"github.com/illm-go/illm/pkg/record"
)

// capture redirects what cells print outside a notebook.
func capture(t *testing.T) *bytes.Buffer {
	t.Helper()
	var b bytes.Buffer
	old := out
	out = &b
	t.Cleanup(func() { out = old })
	return &b
}

// TestLibraryOnce plays a kernel session: which outputs carry the chart library.
func TestLibraryOnce(t *testing.T) {
	dir := t.TempDir()
	cell := func(code string) *kernelSession { // each cell is a new process
		if err := os.WriteFile(filepath.Join(dir, "main.go"), []byte("package main\nvar shared = 1\nfunc main() {\n"+code+"\n}\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		return &kernelSession{dir: dir}
	}
	a := cell("a")
	if !a.bringsLibrary("") || a.bringsLibrary("") {
		t.Error("the first cell: want the library in its first output and in no other")
	}
	if cell("b").bringsLibrary("") {
		t.Error("a second cell brings the library again")
	}
	if again := cell("a"); !again.bringsLibrary("") {
		t.Error("run again, the first cell lost the library: its saved output would lack it")
	}
	if cell("b").bringsLibrary("") {
		t.Error("a second cell brings the library after the first ran again")
	}
	taker := cell("describe")
	taker.take()
	if !taker.bringsLibrary("") || cell("a").bringsLibrary("") {
		t.Error("a cell that takes the library over: want it there alone")
	}

	moving := &kernelSession{dir: t.TempDir()}
	first, replaced := moving.bringsLibrary("slider"), moving.bringsLibrary("slider")
	if !first || !replaced || moving.bringsLibrary("other") {
		t.Error("an output that is replaced must keep the library, others must not bring it")
	}
	if unknown := (&kernelSession{}); !unknown.bringsLibrary("") {
		t.Error("without a kernel's folder each cell brings the library")
	}
}

func TestCellID(t *testing.T) {
	dir := t.TempDir()
	id := func(code string) string {
		if err := os.WriteFile(filepath.Join(dir, "main.go"), []byte(code), 0o600); err != nil {
			t.Fatal(err)
		}
		return cellID(dir)
	}
	a := id("package main\nfunc main() { one() }")
	if a != id("package main\nimport \"fmt\"\nfunc one() {}\nfunc main() { one() }") {
		t.Error("definitions of other cells change a cell's identity")
	}
	if a == id("package main\nfunc main() { two() }") {
		t.Error("two cells have one identity")
	}
}

func TestShowPrintsOutsideNotebooks(t *testing.T) {
	b := capture(t)
	c := &chart.Chart{Kind: chart.KindBar, Title: "Bars", X: chart.Axis{Name: "recipe"}, Y: chart.Axis{Name: "PPL"},
		Series: []chart.Series{{Name: "ppl", Points: []chart.Point{{Label: "w8a8", Y: 22.1, Err: 0.2}}}}}
	Show(c, chart.Grid{Head: []string{"a", "b"}, Rows: [][]string{{"x", "1"}}}, "words", ablation.Comparison{{Axes: map[string]string{"recipe": "w8a8"}}})
	for _, want := range []string{"Bars", "22.10 ± 0.20", "a  b", "x  1", "words", "no record to compare with"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("printed text lacks %q:\n%s", want, b)
		}
	}
	if strings.Contains(b.String(), "<div") {
		t.Error("markup on a terminal")
	}
	Show(chart.Line(chart.Source(nil), "clip", "ppl"))
	if !strings.Contains(b.String(), "Nothing to draw") {
		t.Error("a chart without points says nothing")
	}
	b.Reset()
	Show(new(chart.Chart).Titled("Bars of it", "").Without("no record of it (a command makes it)"))
	if got := b.String(); strings.TrimSpace(got) != `Nothing to draw for "Bars of it": no record of it (a command makes it).` {
		t.Errorf("a chart that lacks its records says %q", got)
	}
	b.Reset()
	Show((*chart.Chart)(nil))
	if !strings.Contains(b.String(), "no record") {
		t.Errorf("a chart that was not made says %q", b)
	}
	if err := Update("place", nil); err == nil {
		t.Error("nil was shown")
	}
}

func TestGridHTML(t *testing.T) {
	got := gridHTML(chart.Grid{Left: 2, Head: []string{"a", "<b>", "n"}, Rows: [][]string{{"x & y", "z"}}})
	for _, want := range []string{"&lt;b&gt;", "x &amp; y", `text-align:left">z`, `text-align:right">n`, `text-align:right"></td>`} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in\n%s", want, got)
		}
	}
}

// TestSliderWithoutAFrontEnd: a run that nobody watches draws once and returns.
func TestSliderWithoutAFrontEnd(t *testing.T) {
	t.Setenv(HeadlessEnv, "1")
	b := capture(t)
	var drawn []int
	Slider("clip c", 4, 24, 15, func(v int) (any, error) {
		drawn = append(drawn, v)
		return chart.Grid{Head: []string{"c"}, Rows: [][]string{{"15"}}}, nil
	})
	if len(drawn) != 1 || drawn[0] != 15 {
		t.Errorf("drawn at %v, want once at 15", drawn)
	}
	if !strings.Contains(b.String(), "parameters cell") {
		t.Errorf("no word on how to change the value: %s", b)
	}
	if Interactive() {
		t.Error("a test is no notebook")
	}
}

func TestNewest(t *testing.T) {
	c := make(chan int, 4)
	c <- 5
	c <- 6
	c <- 7
	if v := newest(c, 4); v != 7 {
		t.Errorf("kept %d, want the last position", v)
	}
	close(c)
	if v := newest(c, 4); v != 4 {
		t.Errorf("closed: %d, want 4", v)
	}
}

func TestTableOf(t *testing.T) {
	store, err := record.Open(record.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	ev := ablation.Each(func(_ context.Context, c ablation.Config) (record.Record, error) {
		r := c.Record()
		r.Metrics = []record.Metric{{Name: "ppl", Value: 22.123, Stderr: 0.05, Unit: "per token", Better: record.Lower}}
		return r, nil
	})
	runs, err := ablation.Clip.Run(context.Background(), store, ev, ablation.Set("recipe", "w8a8"), ablation.Set("clip", 15), ablation.Set("corpus", "c4"), ablation.WithoutBase())
	if err != nil {
		t.Fatal(err)
	}
	g, err := TableOf(runs, "recipe", "clip", "ppl_c4", "windows", "source", "ppl_wikitext2")
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"w8a8", "15", "22.123 ± 0.050", fmt.Sprint(ablation.DefaultWindows), "computed", "–"}
	if strings.Join(g.Rows[0], "|") != strings.Join(want, "|") {
		t.Errorf("row %q, want %q", g.Rows[0], want)
	}
	if g.Head[2] != "Perplexity, C4 (per token)  ↓ better" || !strings.Contains(g.Head[5], "no record") {
		t.Errorf("head %q", g.Head)
	}
	if _, err := TableOf(runs); err == nil {
		t.Error("a table without columns")
	}
	if _, err := TableOf(nil, "clip"); err == nil {
		t.Error("a table without rows")
	}
}

func TestRequest(t *testing.T) {
	req, err := request(ablation.Config{"model": "m", "corpus": "c4", "window": "512", "windows": "2", "first": "3"})
	if err != nil || req.Window != 512 || req.Windows != 2 || req.First != 3 || req.Corpus != "c4" || req.Model != "m" {
		t.Errorf("%+v, %v", req, err)
	}
	for _, bad := range []string{"-1", "many", "1e9"} {
		if _, err := request(ablation.Config{"windows": bad}); err == nil {
			t.Errorf("windows = %q was accepted", bad)
		}
	}
}

func TestStands(t *testing.T) {
	e := stored{}
	ctx := context.Background()
	c := ablation.Config{"model": "smollm2", "recipe": "w8a8"}
	if e.Stands(ctx, c, &record.Record{Semantics: -1}) {
		t.Error("a record of another semantics version stands")
	}
	if !e.Stands(ctx, ablation.Config{"model": "smollm2", "recipe": "fp32"}, &record.Record{}) {
		t.Error("a float record depends on the integer semantics")
	}
}
