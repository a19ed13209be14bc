package nb

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/illm-go/illm/pkg/bench"
	"github.com/illm-go/illm/pkg/chart"
	"github.com/illm-go/illm/pkg/quant"
	"github.com/illm-go/illm/pkg/record"
)

// TestExpTimes: without a record times are taken here and nothing is kept; with one it is read.
func TestExpTimes(t *testing.T) {
	empty, err := record.Open(record.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	s := &Session{all: empty, store: empty}
	times, err := s.ExpTimes(64)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(times.Where, "measured here and now") || len(empty.Latest(func(*record.Record) bool { return true })) != 0 {
		t.Errorf("without records: %s", times.Where)
	}
	c, err := times.Front(quant.DefaultClip)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Validate(); err != nil {
		t.Error(err)
	}
	names, labels := map[string]int{}, ""
	for _, series := range c.Series {
		for _, p := range series.Points {
			names[p.Name]++
			labels += ", " + p.Label
		}
	}
	if len(names) < 20 || names["di-exp"] != 1 || names["taylor5"] != 1 || names[""] != 0 || names["taylor3-raw"] != 0 {
		t.Errorf("names %v", names)
	}
	for _, p := range c.Series[0].Points { // beside a point of the front or, of two close ones, the second
		if strings.Count(labels+", ", ", "+p.Name+", ") != 1 {
			t.Errorf("labels %q: expected %q of the front once", labels, p.Name)
		}
	}
	if g := times.Table(); len(g.Rows) < 20 || len(g.Rows[0]) != 4 || g.Rows[0][1] == "–" {
		t.Errorf("table %v", g)
	}
	// rows of every length, by what computes them; and the front has what nothing beats: the least time and the least error
	if g := times.Lengths(8); len(g.Head) != 2+len(expLengths) || len(g.Rows) < 20 || g.Rows[0][1] == "" || slices.Contains(g.Rows[0], "–") {
		t.Errorf("lengths %v", g)
	}
	points, err := times.Points(quant.DefaultClip)
	if err != nil || len(points.Rows) < 20 {
		t.Fatal(points, err)
	}
	best, err := times.Best(quant.DefaultClip)
	if err != nil || !strings.Contains(best, "DI-Exp takes") {
		t.Error(best, err)
	}
	if quick := points.Rows[0]; quick[3] != "yes" || !strings.Contains(best, quick[0]) {
		t.Errorf("the quickest, %v, is not on the front: %s", quick, best)
	}

	r := &bench.Runner{Store: empty}
	if _, err := r.ExpSpeed(context.Background(), bench.ExpRequest{Names: []string{"di-exp"}, Lengths: []int{64}, Runs: 1, Warmup: 1, Sample: time.Microsecond}); err != nil {
		t.Fatal(err)
	}
	if times, err = s.ExpTimes(64); err != nil || !strings.Contains(times.Where, "from the records") {
		t.Errorf("with records: %+v, %v", times, err)
	}
	if g := times.Table(); len(g.Rows) != 1 {
		t.Errorf("with one exponential: %v", g)
	}
}

// TestLabels: labels are joined within a series alone, and a beaten point leaves its place to one of the front.
func TestLabels(t *testing.T) {
	label := func(x, y float64, s string) chart.Point { return chart.Point{X: x, Y: y, Label: s} }
	front := []chart.Point{label(1, 0.01, "a"), label(2, 0.002, "b"), label(2.1, 0.0021, "c")}
	behind := []chart.Point{label(1.05, 0.011, "near a"), label(1.05, 0.1, "far"), label(1.1, 0.1, "by far"), label(2.2, 0.0022, "near c")}
	shareLabels(front)
	shareLabels(behind)
	hidden := giveWay(behind, front)
	var got []string
	for _, p := range slices.Concat(front, behind) {
		got = append(got, p.Label)
	}
	if want := []string{"a", "", "b, c", "", "", "far, by far", ""}; !slices.Equal(got, want) {
		t.Errorf("labels %q, want %q", got, want)
	}
	if !slices.Equal(hidden, []string{"near a", "near c"}) {
		t.Errorf("hidden %q", hidden)
	}
}

// TestMeasured: a record answers a request for its own recipe and its own prompt; any other is measured, and the cell says so.
func TestMeasured(t *testing.T) {
	if testing.Short() {
		t.Skip("runs a model")
	}
	store, err := record.Open(record.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	rec := &record.Record{Kind: record.Timing, Config: map[string]any{"task": "speed-study", "study": bench.StudyFloats, "case": "test"},
		Axes:    map[string]string{"study": bench.StudyFloats, "model": "tiny-llama", "recipe": "w8a8", "operators": "integer", "prefill": "512"},
		Metrics: []record.Metric{{Name: "prefill_ms", Value: 7}}}
	if err := store.Append(rec); err != nil {
		t.Fatal(err)
	}
	s := &Session{all: store, store: store}
	ask := func(recipe string, prefill int) bench.StudyRequest {
		return bench.StudyRequest{Studies: []string{bench.StudyFloats}, Model: "tiny-llama", Recipe: recipe, Prefill: prefill, Runs: 1}
	}
	for _, test := range []struct {
		ask    bench.StudyRequest
		rows   int    // the record has one, a measurement one for each set of operators
		prompt string // in the head of the table
	}{
		{ask("", 0), 1, "512"},
		{ask("w8a8", 512), 1, "512"},
		{ask("w8a8", 24), 3, "24"},
		{ask("w6a6", 0), 3, "512"},
	} {
		m, err := s.Measured(test.ask)
		if err != nil {
			t.Fatal(err)
		}
		g := m.Grid()
		if len(g.Rows) != test.rows || g.Head[1] != "prefill of "+test.prompt+" (ms)" {
			t.Errorf("%q, prompt of %d: %d rows under %q", test.ask.Recipe, test.ask.Prefill, len(g.Rows), g.Head)
		}
		if r := test.ask.Recipe; r != "" && m[0].Axes["recipe"] != r {
			t.Errorf("asked for %s, found %s", r, m[0].Axes["recipe"])
		}
	}
	if got := asked(ask("w6a6", 24)); got != " (w6a6, prompt of 24 tokens)" {
		t.Errorf("asked: %q", got)
	}
	if all := store.Filter(func(*record.Record) bool { return true }); len(all) != 1 {
		t.Errorf("%d records, want the one that was there", len(all))
	}
}

// TestConversions: integer operators convert nothing, and a set of two operators what each of them does.
func TestConversions(t *testing.T) {
	if testing.Short() {
		t.Skip("runs a model")
	}
	s := Open()
	defer s.Close()
	g, err := s.Conversions("tiny-llama", "w8a8", "opticks", 16, "integer", "half:norm", "half:softmax", "half:norm+softmax")
	if err != nil {
		t.Fatal(err)
	}
	if len(g.Rows) != 4 || g.Rows[0][1] != "0.0" || g.Rows[0][2] != "0.0" {
		t.Fatalf("%v", g)
	}
	number := func(row, column int) (v float64) {
		for i, c := range g.Rows[row][column] {
			if c != '.' {
				v = 10*v + float64(c-'0')
			} else if i != len(g.Rows[row][column])-2 {
				t.Fatalf("%q", g.Rows[row][column])
			}
		}
		return v
	}
	for column := 1; column <= 3; column++ {
		if a, b, both := number(1, column), number(2, column), number(3, column); a <= 0 || b <= 0 || a+b < both-1 || a+b > both+1 {
			t.Errorf("column %s: %g and %g alone, %g together (tenths)", g.Head[column], a, b, both)
		}
	}
	for _, bad := range []int{0, 1 << 20} {
		if _, err := s.Conversions("tiny-llama", "w8a8", "opticks", bad); err == nil || !strings.Contains(err.Error(), "expected 1 to") {
			t.Errorf("%d tokens: %v", bad, err)
		}
	}
}
