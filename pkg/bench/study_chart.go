package bench

import (
	"fmt"
	"slices"
	"strings"

	"github.com/illm-go/illm/data"
	"github.com/illm-go/illm/pkg/chart"
	"github.com/illm-go/illm/pkg/peers"
	"github.com/illm-go/illm/pkg/record"
)

// id is the short form of a record's key, as charts show it.
func id(r *record.Record) string { return r.Key[:min(len(r.Key), 12)] }

// Chart draws one study's records.
func (m Measured) Chart() *chart.Chart {
	c := &chart.Chart{Kind: chart.KindBar}
	if len(m) == 0 {
		return c.Titled("No record", m.Where())
	}
	switch m[0].Axes["study"] {
	case StudyOperators:
		m.operatorsChart(c)
	case StudyParts:
		c.Titled("Where a prompt's time goes", m.Where())
		c.Y = chart.Axis{Name: "Time of one thread", Unit: "µs a token", Better: chart.Lower}
		s := chart.Series{Name: "prefill"}
		for _, r := range m.sortedBy("ns_token") {
			v, _ := r.Metric("share")
			t := number(r, "ns_token") / 1e3
			s.Points = append(s.Points, chart.Point{Label: r.Axes["component"], Y: t, Err: t * v.Stderr / max(v.Value, 1e-9), ID: id(r)})
		}
		c.Series = []chart.Series{s}
		c.Size(1000, 420)
	case StudyEfficient:
		m.efficiencyChart(c)
	case StudyShapes:
		m.shapesChart(c)
	case StudyDynamic:
		m.dynamicChart(c)
	case StudyFloatPart:
		m.floatPartsChart(c)
	case StudyFloats:
		c.Titled("Prefill with integer and with float operators", m.Where())
		c.Y = chart.Axis{Name: "Prefill", Unit: "ms", Better: chart.Lower}
		m.bars(c, "operators", "prefill_ms")
	case StudyScaling:
		c.Titled("Threads", m.Where())
		c.Y = chart.Axis{Name: "Prefill", Unit: "ms", Better: chart.Lower}
		m.bars(c, "threads", "prefill_ms")
	case StudyContext:
		m.contextChart(c)
	case StudyRoofline:
		m.rooflineChart(c)
	}
	return c
}

// bars is one bar for each level of an axis.
func (m Measured) bars(c *chart.Chart, axis, metric string) {
	c.X.Name = axis
	for _, r := range m {
		c.Series = append(c.Series, chart.Series{Name: r.Axes[axis], Points: []chart.Point{{Label: r.Axes[axis], Y: number(r, metric), ID: id(r)}}})
	}
}

// operatorsChart draws nanoseconds an element.
func (m Measured) operatorsChart(c *chart.Chart) {
	c.Titled("Integer and float operators, a row at a time", m.Where())
	c.X, c.Y = chart.Axis{Name: "operator, row length"}, chart.Axis{Name: "Time", Unit: "ns an element", Better: chart.Lower}
	c.Size(1000, 420)
	for _, f := range []struct{ name, metric, instead string }{
		{"integer", "integer_ns", ""}, {"float32", "float32_codes_ns", "float32_ns"}, {"half", "half_codes_ns", "half_ns"}} {
		s := chart.Series{Name: f.name}
		for _, r := range m {
			v, ok := r.Metric(f.metric)
			if !ok {
				v, ok = r.Metric(f.instead)
			}
			if n, _ := r.AxisFloat("n"); ok && n > 0 {
				s.Points = append(s.Points, chart.Point{Label: r.Axes["operator"] + " " + r.Axes["n"], Y: v.Value / n, ID: id(r)})
			}
		}
		c.Series = append(c.Series, s)
	}
}

// contextChart draws time a token against the length: a horizontal line is linear cost.
func (m Measured) contextChart(c *chart.Chart) {
	f := m.Fit()
	c.Kind = chart.KindLine
	c.Titled("Cost of a token against the length of the prompt", m.Where())
	c.X, c.Y = chart.Axis{Name: "Prompt", Unit: "tokens"}, chart.Axis{Name: "Time of one thread", Unit: "µs a token", Better: chart.Lower}
	measured, fit, linear, attention := chart.Series{Name: "measured"}, chart.Series{Name: "fit"}, chart.Series{Name: "linear parts"}, chart.Series{Name: "attention"}
	for _, p := range f.Points {
		n := float64(p.Tokens)
		measured.Points = append(measured.Points, chart.Point{X: n, Y: 1e3 * p.Total / n})
		fit.Points = append(fit.Points, chart.Point{X: n, Y: 1e3 * p.Fitted / n})
		linear.Points = append(linear.Points, chart.Point{X: n, Y: 1e3 * p.Linear / n, Err: 1e3 * p.AttentionErr / n})
		attention.Points = append(attention.Points, chart.Point{X: n, Y: 1e3 * p.Attention / n, Err: 1e3 * p.AttentionErr / n})
	}
	c.Series = []chart.Series{measured, fit, linear, attention}
}

// rooflineChart draws both roofs and prompts of rising length below them.
func (m Measured) rooflineChart(c *chart.Chart) {
	c.Kind = chart.KindLine
	c.Titled("Speed against operations a byte of weights", m.Where())
	c.X = chart.Axis{Name: "Operations a byte of weights", Log: true}
	c.Y = chart.Axis{Name: "Speed", Unit: "GOPS", Log: true, Better: chart.Higher}
	roof, runs := chart.Series{Name: "roof"}, chart.Series{Name: "prompts of 1, 2, 4 … tokens"}
	points := m.with("rows").byAxis("rows")
	if len(points) == 0 {
		return
	}
	least, most := number(points[0], "ops_byte"), number(points[len(points)-1], "ops_byte")
	var read, peak float64
	for _, r := range m.with("roof") {
		read, peak = read+number(r, "gbyte_s"), peak+number(r, "gops")
	}
	at := []float64{least / 1.5}
	if ridge := peak / max(read, 1e-9); peak > 0 && ridge > at[0] && ridge < most*1.5 {
		at = append(at, ridge)
	}
	for _, x := range append(at, most*1.5) {
		roof.Points = append(roof.Points, chart.Point{X: x, Y: m.roof(x)})
	}
	for _, r := range points {
		runs.Points = append(runs.Points, chart.Point{X: number(r, "ops_byte"), Y: number(r, "gops"), ID: id(r)})
	}
	c.Series = []chart.Series{roof, runs}
}

// Beside are records of bench --peers: rivals and us in the same rounds.
type Beside []*record.Record

// Peered reads the newest shipped or own comparison with llama.cpp on a model.
func Peered(model string) (out Beside, err error) {
	store, err := record.Open(record.Options{Shipped: data.Records()})
	if err != nil {
		return nil, err
	}
	newest := map[string]*record.Record{}
	var order []string
	for _, r := range store.Filter(func(r *record.Record) bool { return r.Axes["subject"] != "" && r.Axes["model"] == model }) {
		key := strings.Join([]string{r.Axes["case"], r.Axes["subject"], r.Axes["form"]}, "\x00")
		if old := newest[key]; old == nil {
			order = append(order, key)
		} else if r.Time.Before(old.Time) {
			continue
		}
		newest[key] = r
	}
	for _, key := range order {
		out = append(out, newest[key])
	}
	return out, nil
}

// best keeps the faster form of each subject in each case of some kinds of work.
func (b Beside) best(ops ...peers.Op) (out Beside) {
	for _, r := range b {
		if !slices.Contains(ops, peers.Op(r.Axes["op"])) {
			continue
		}
		i := slices.IndexFunc(out, func(o *record.Record) bool {
			return o.Axes["case"] == r.Axes["case"] && o.Axes["subject"] == r.Axes["subject"]
		})
		switch {
		case i < 0:
			out = append(out, r)
		case number(r, "seconds") < number(out[i], "seconds"):
			out[i] = r
		}
	}
	return out
}

// Chart draws tokens a second in prefill, or in decoding.
func (b Beside) Chart(op peers.Op) *chart.Chart {
	c := &chart.Chart{Kind: chart.KindBar, Y: chart.Axis{Name: "Speed", Unit: "tokens/s", Better: chart.Higher}}
	best := b.best(op)
	if len(best) == 0 {
		return c.Titled("No record of rivals", "illm bench --peers makes some")
	}
	c.Titled("Beside llama.cpp, the better of its attention forms: "+string(op), Measured(best).Where())
	for _, r := range best {
		name := r.Axes["subject"]
		i := slices.IndexFunc(c.Series, func(s chart.Series) bool { return s.Name == name })
		if i < 0 {
			i = len(c.Series)
			c.Series = append(c.Series, chart.Series{Name: name, Method: strings.TrimPrefix(name, "illm ")})
		}
		c.Series[i].Points = append(c.Series[i].Points, chart.Point{Label: r.Axes["case"], Y: number(r, "rate"), ID: id(r)})
	}
	return c.Size(1000, 420)
}

// Grid shows how many times faster one of ours is than each rival, with the 95 % interval over paired rounds.
func (b Beside) Grid(ours ...string) chart.Grid {
	g := chart.Grid{Left: 2, Head: []string{"work", "rival", "tokens/s"}}
	for _, name := range ours {
		g.Head = append(g.Head, "times faster: "+name)
	}
	for _, r := range b.best(peers.Prefill, peers.Decode) {
		if strings.HasPrefix(r.Axes["subject"], "illm") {
			continue
		}
		row := []string{r.Axes["case"], strings.TrimSpace(r.Axes["subject"] + ", " + r.Axes["form"]), cell(r, "rate", 0)}
		for _, name := range ours {
			row = append(row, ranged(r, "ratio_"+name))
		}
		g.Rows = append(g.Rows, row)
	}
	if len(g.Rows) == 0 {
		g.Rows = append(g.Rows, []string{"no record", fmt.Sprintf("illm bench --peers measures %s", strings.Join(peers.Rivals(), ", ")), ""})
	}
	return g
}
