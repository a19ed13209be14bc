package ablation

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/illm-go/illm/pkg/baseline"
	"github.com/illm-go/illm/pkg/chart"
	"github.com/illm-go/illm/pkg/quant"
	"github.com/illm-go/illm/pkg/record"
)

// ExpErrors lists the error of every exponential over all 65 536 distances of 16-bit scores cut at clip, and how often it
// rises there, and over 8-bit ones at 1281 scales.
func ExpErrors(clip quant.Clip) (chart.Grid, error) {
	g := chart.Grid{Left: 2, Head: []string{"exponential", "what it is", "table", "max abs.", "mean abs.", "max rel., x ≤ 5", "max rel., x ≤ 15", "rises", "8 bits: max abs."}}
	if clip <= 0 {
		return g, fmt.Errorf("ablation: errors of exponentials: clip %s: expected a value above 0, the end of the domain", clip)
	}
	for _, x := range baseline.Exponentials() {
		r, r8 := x.Error(clip, baseline.Scores16(clip)), x.Error(clip, baseline.Scores8(clip))
		g.Rows = append(g.Rows, []string{x.Name, x.Doc, fmt.Sprintf("%d bytes", x.TableBytes), short(r.MaxAbs), short(r.MeanAbs), short(r.MaxRel5), short(r.MaxRel15), strconv.Itoa(r.Falls), short(r8.MaxAbs)})
	}
	return g, nil
}

func short(v float64) string { return strconv.FormatFloat(v, 'g', 3, 64) }

// expTimes returns the newest timing record of each exponential for one form (bench.Runner.ExpSpeed), by row length.
func expTimes(store *record.Store, form string, score int) map[string]map[int]*record.Record {
	out := map[string]map[int]*record.Record{}
	for _, r := range store.Latest(func(r *record.Record) bool {
		return r.Kind == record.Timing && r.Axes["study"] == Exp.Name && r.Axes["form"] == form && r.Axes["score"] == strconv.Itoa(score)
	}) {
		row, err := strconv.Atoi(r.Axes["row"])
		if err != nil {
			continue
		}
		name := r.Axes["exp"]
		if out[name] == nil {
			out[name] = map[int]*record.Record{}
		}
		if old := out[name][row]; old == nil || r.Time.After(old.Time) {
			out[name][row] = r
		}
	}
	return out
}

// ExpTimes lists nanoseconds an element by row length, from the records of bench.Runner.ExpSpeed; a form is one of
// baseline's, such as baseline.FormDirect. Exponentials without a record are left out.
func ExpTimes(store *record.Store, form string, score int) chart.Grid {
	times, lengths := expTimes(store, form, score), []int(nil)
	for _, rows := range times {
		for n := range rows {
			if !slices.Contains(lengths, n) {
				lengths = append(lengths, n)
			}
		}
	}
	slices.Sort(lengths)
	g := chart.Grid{Head: []string{"exponential"}}
	for _, n := range lengths {
		g.Head = append(g.Head, fmt.Sprintf("%d keys", n))
	}
	for _, name := range expNames() {
		if times[name] == nil {
			continue
		}
		row := []string{name}
		for _, n := range lengths {
			cell := "–"
			if r := times[name][n]; r != nil {
				if m, ok := r.Metric("ns_elem"); ok {
					cell = fmt.Sprintf("%.2f", m.Value)
				}
			}
			row = append(row, cell)
		}
		g.Rows = append(g.Rows, row)
	}
	return g
}

// ExpFront draws the greatest absolute error over all distances of 16-bit scores against nanoseconds an element on rows
// of the given length. The front are those that no other exponential beats in both.
func ExpFront(store *record.Store, clip quant.Clip, form string, score, row int) (*chart.Chart, error) {
	if clip <= 0 {
		return nil, fmt.Errorf("ablation: front of exponentials: clip %s: expected a value above 0, the end of the domain", clip)
	}
	times, cpu := expTimes(store, form, score), ""
	var points []chart.Point
	for _, x := range baseline.Exponentials() {
		r := times[x.Name][row]
		if r == nil {
			continue
		}
		m, ok := r.Metric("ns_elem")
		if e := x.Error(clip, baseline.Scores16(clip)); ok && m.Value > 0 && e.MaxAbs > 0 {
			points = append(points, chart.Point{X: m.Value, Y: e.MaxAbs, Label: x.Name, ID: r.Key})
			cpu = r.Env.CPU
		}
	}
	if len(points) == 0 {
		return nil, fmt.Errorf("ablation: front of exponentials: rows of %d, form %s, %d-bit scores: no timing record: measure with bench.Runner.ExpSpeed", row, form, score)
	}
	front, behind := chart.Series{Name: "front", Method: "integer"}, chart.Series{Name: "beaten in both", Method: "float"}
	for _, p := range points {
		if onFront(p, points) {
			front.Points = append(front.Points, p)
		} else {
			behind.Points = append(behind.Points, p)
		}
	}
	return &chart.Chart{
		Kind: chart.KindScatter, Title: "Error of an exponential against its time", Subtitle: fmt.Sprintf("rows of %d keys, one core, %s", row, cpu),
		X:      chart.Axis{Name: "Time", Unit: "ns/element", Log: true, Better: chart.Lower},
		Y:      chart.Axis{Name: "Greatest absolute error", Log: true, Better: chart.Lower},
		Series: []chart.Series{front, behind},
	}, nil
}

// onFront says that no point is at least as good in both and better in one.
func onFront(p chart.Point, points []chart.Point) bool {
	for _, q := range points {
		if q.X <= p.X && q.Y <= p.Y && (q.X < p.X || q.Y < p.Y) {
			return false
		}
	}
	return true
}

// expTableBytes is what each exponential looks up, as text.
func expTableBytes() map[string]string {
	out := map[string]string{}
	for _, x := range baseline.Exponentials() {
		out[x.Name] = strconv.Itoa(x.TableBytes)
	}
	return out
}
