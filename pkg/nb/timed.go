package nb

import (
	"cmp"
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/illm-go/illm/pkg/ablation"
	"github.com/illm-go/illm/pkg/baseline"
	"github.com/illm-go/illm/pkg/bench"
	"github.com/illm-go/illm/pkg/chart"
	"github.com/illm-go/illm/pkg/quant"
	"github.com/illm-go/illm/pkg/record"
)

// Measured returns the newest record of one speed study that answers ask (see bench.Measured.Answering), or measures it here
// and now as ask says and keeps nothing. It shows which of the two it is, and what there is a record of instead. A model
// that is not here leaves it empty, with the reason shown.
func (s *Session) Measured(ask bench.StudyRequest) (bench.Measured, error) {
	if s.err != nil {
		return nil, s.err
	}
	if len(ask.Studies) != 1 {
		return nil, fmt.Errorf("nb: measured: expected one study, found %d", len(ask.Studies))
	}
	all := bench.Measured(s.all.Filter(func(r *record.Record) bool { return r.Config["task"] == "speed-study" }))
	if m := all.Answering(ask); len(m) > 0 {
		Show("From the records: " + m.Where())
		return m, nil
	}
	none := "No record yet"
	if other := all.Of(ask.Studies[0], ask.Model); len(other) > 0 {
		none = fmt.Sprintf("No record of what is asked for%s, only of another", asked(ask))
	}
	ctx, stop := interruptible()
	defer stop()
	m, err := bench.StudyNow(ctx, ask)
	if err != nil {
		if ctx.Err() != nil {
			return nil, err
		}
		Show(fmt.Errorf("no record of %s on %s%s, and none could be measured: %w", ask.Studies[0], ask.Model, asked(ask), err))
		return nil, nil
	}
	Show(fmt.Sprintf("%s: measured here and now, %d rounds. %s", none, max(ask.Runs, 1), m.Where()))
	return m, nil
}

// asked lists what a request names besides study and model, in brackets; "" if nothing.
func asked(ask bench.StudyRequest) string {
	var parts []string
	if ask.Recipe != "" {
		parts = append(parts, ask.Recipe)
	}
	if ask.Prefill != 0 {
		parts = append(parts, fmt.Sprintf("prompt of %d tokens", ask.Prefill))
	}
	if len(ask.Rows) > 0 {
		parts = append(parts, "rows of "+strings.Trim(fmt.Sprint(ask.Rows), "[]"))
	}
	if len(parts) == 0 {
		return ""
	}
	return " (" + strings.Join(parts, ", ") + ")"
}

// Recorded is the newest record of a speed study on a model, shipped or of one's own; empty where there is none.
func (s *Session) Recorded(study, model string) bench.Measured {
	Check(s.err)
	return bench.Measured(s.all.Filter(func(r *record.Record) bool { return r.Config["task"] == "speed-study" })).Of(study, model)
}

// expLengths are the row lengths that the exponentials are timed on.
var expLengths = []int{64, 256, 1024, 4096, 16384}

// ExpTimes are the times of the exponentials: the records if they have rows of the given length, else a short
// measurement here and now of rows of that and of expLengths, of which nothing is kept.
type ExpTimes struct {
	store *record.Store
	row   int
	Where string // what they were measured on
}

// ExpTimes looks for times on rows of so many keys, or takes them.
func (s *Session) ExpTimes(row int) (*ExpTimes, error) {
	if s.err != nil {
		return nil, s.err
	}
	of := func(r *record.Record) bool {
		return r.Kind == record.Timing && r.Axes["study"] == ablation.Exp.Name && r.Axes["row"] == strconv.Itoa(row)
	}
	if list := s.all.Latest(of); len(list) > 0 {
		r := list[0]
		return &ExpTimes{s.all, row, fmt.Sprintf("from the records: %s, one core, %s", r.Env.CPU, r.Time.Format("2006-01-02"))}, nil
	}
	dir, err := os.MkdirTemp("", "illm-exp-")
	if err != nil {
		return nil, fmt.Errorf("nb: times of exponentials: %w", err)
	}
	defer os.RemoveAll(dir)
	store, err := record.Open(record.Options{Dir: dir})
	if err != nil {
		return nil, err
	}
	ctx, stop := interruptible()
	defer stop()
	r := &bench.Runner{Store: store}
	defer r.Close()
	lengths := expLengths
	if !slices.Contains(lengths, row) {
		lengths = append([]int{row}, lengths...)
	}
	if _, err := r.ExpSpeed(ctx, bench.ExpRequest{Lengths: lengths, Runs: 9, Warmup: 2, Sample: 200 * time.Microsecond}); err != nil {
		return nil, err
	}
	return &ExpTimes{store, row, fmt.Sprintf("no record yet: measured here and now, 9 rounds, %s, one core; other work on the machine shows", record.Environment().CPU)}, nil
}

// Front is ablation.ExpFront of these times for codes of 16 bits, each computed by itself, without taylor3-raw, whose
// error and time hide all others. Points of a series too near for two names have one, beside the rightmost; a beaten point
// too near to one of the front leaves it the place, and has its name in the table and under the pointer.
func (t *ExpTimes) Front(clip quant.Clip) (*chart.Chart, error) {
	c, err := ablation.ExpFront(t.store, clip, baseline.FormDirect, 16, t.row)
	if err != nil {
		return nil, err
	}
	for i := range c.Series {
		s := &c.Series[i]
		s.Points = slices.DeleteFunc(s.Points, func(p chart.Point) bool { return p.Label == "taylor3-raw" })
		slices.SortFunc(s.Points, func(a, b chart.Point) int { return cmp.Compare(a.X, b.X) })
		for j := range s.Points {
			s.Points[j].Name = s.Points[j].Label
		}
		shareLabels(s.Points)
	}
	if hidden := giveWay(c.Series[1].Points, c.Series[0].Points); len(hidden) > 0 {
		c.Subtitle += "; without a label, close to the front: " + strings.Join(hidden, ", ")
	}
	c.Subtitle += "; taylor3-raw not drawn"
	return c.Size(1000, 480), nil
}

// near says that the labels beside two points would touch: an eighth of the time and a quarter of the error
// are about a name's size.
func near(a, b chart.Point) bool {
	return math.Abs(math.Log(b.X/a.X)) < math.Log(1.13) && math.Abs(math.Log(b.Y/a.Y)) < 0.3
}

// shareLabels gives points that are too near for two labels one, at the rightmost; the points are sorted by X.
func shareLabels(points []chart.Point) {
	for i := range points {
		p := &points[i]
		for j := i + 1; j < len(points); j++ {
			if q := &points[j]; near(*p, *q) {
				p.Label, q.Label = "", p.Label+", "+q.Label
				break
			}
		}
	}
}

// giveWay takes the labels from points that are too near to a labelled one of front, and returns them.
func giveWay(points, front []chart.Point) (hidden []string) {
	for i := range points {
		p := &points[i]
		if p.Label != "" && slices.ContainsFunc(front, func(q chart.Point) bool { return q.Label != "" && near(*p, q) }) {
			hidden, p.Label = append(hidden, p.Label), ""
		}
	}
	return hidden
}

// Lengths lists nanoseconds a key in the softmax by row length, for codes of so many bits, with what computes each: the
// instruction set of its row kernel, or Go.
func (t *ExpTimes) Lengths(bits int) chart.Grid {
	g := ablation.ExpTimes(t.store, baseline.FormSoftmax, bits)
	if len(g.Head) == 0 {
		return g
	}
	kernel := map[string]string{}
	for _, x := range baseline.Exponentials() {
		kernel[x.Name] = x.Instructions()
	}
	g.Left, g.Head = 2, slices.Insert(g.Head, 1, "instructions")
	for i := 2; i < len(g.Head); i++ {
		g.Head[i] += " (ns a key) ↓"
	}
	for i, row := range g.Rows {
		g.Rows[i] = slices.Insert(row, 1, kernel[row[0]])
	}
	return g
}

// Points lists what Front draws, the quickest first, and taylor3-raw with it.
func (t *ExpTimes) Points(clip quant.Clip) (chart.Grid, error) {
	g := chart.Grid{Head: []string{"exponential", "time (ns a key) ↓", "greatest absolute error ↓", "on the front"}}
	c, err := ablation.ExpFront(t.store, clip, baseline.FormDirect, 16, t.row)
	if err != nil {
		return g, err
	}
	var all []chart.Point
	front := map[string]string{}
	for i, s := range c.Series {
		all = append(all, s.Points...)
		for _, p := range s.Points {
			if front[p.Label] = "no"; i == 0 {
				front[p.Label] = "yes"
			}
		}
	}
	slices.SortFunc(all, func(a, b chart.Point) int { return cmp.Compare(a.X, b.X) })
	for _, p := range all {
		g.Rows = append(g.Rows, []string{p.Label, fmt.Sprintf("%.2f", p.X), fmt.Sprintf("%.2g", p.Y), front[p.Label]})
	}
	return g, nil
}

// Best says which exponentials are on the front of error against time, and how far DI-Exp is from the quickest.
func (t *ExpTimes) Best(clip quant.Clip) (string, error) {
	c, err := ablation.ExpFront(t.store, clip, baseline.FormDirect, 16, t.row)
	if err != nil {
		return "", err
	}
	var front []chart.Point
	var own, quick chart.Point
	for i, s := range c.Series {
		for _, p := range s.Points {
			if i == 0 {
				front = append(front, p)
			}
			if p.Label == "di-exp" {
				own = p
			}
			if quick.X == 0 || p.X < quick.X {
				quick = p
			}
		}
	}
	slices.SortFunc(front, func(a, b chart.Point) int { return cmp.Compare(a.X, b.X) })
	var names []string
	for _, p := range front {
		names = append(names, fmt.Sprintf("%s (%.2f ns, error %.2g)", p.Label, p.X, p.Y))
	}
	text := "On the front of error against time: " + strings.Join(names, ", ") + "."
	if own.X > 0 && quick.X > 0 {
		text += fmt.Sprintf(" DI-Exp takes %.2f times the time of the quickest, %s, and has %.2g times its greatest error.", own.X/quick.X, quick.Label, own.Y/quick.Y)
	}
	return text, nil
}

// Table lists nanoseconds a key: alone for codes of 16 bits, and in the softmax up to its numerators.
func (t *ExpTimes) Table() chart.Grid {
	g := chart.Grid{Head: []string{"exponential", "alone, 16-bit codes (ns)", "in the softmax, 8-bit codes", "in the softmax, 16-bit codes"}}
	columns := []map[string]string{}
	for _, f := range []struct {
		form  string
		score int
	}{{baseline.FormDirect, 16}, {baseline.FormSoftmax, 8}, {baseline.FormSoftmax, 16}} {
		of, at := ablation.ExpTimes(t.store, f.form, f.score), map[string]string{}
		column := slices.Index(of.Head, fmt.Sprintf("%d keys", t.row))
		for _, r := range of.Rows {
			if column > 0 {
				at[r[0]] = r[column]
			}
		}
		columns = append(columns, at)
	}
	for _, x := range baseline.Exponentials() {
		row, any := []string{x.Name}, false
		for _, at := range columns {
			v, ok := at[x.Name]
			if !ok {
				v = "–"
			}
			row, any = append(row, v), any || ok
		}
		if any {
			g.Rows = append(g.Rows, row)
		}
	}
	return g
}
