package bench

import (
	"fmt"
	"slices"

	"github.com/illm-go/illm/pkg/chart"
	"github.com/illm-go/illm/pkg/record"
)

// rows are the records of forms, without those of their components.
func (m Measured) rows() Measured {
	return slices.DeleteFunc(slices.Clone(m), func(r *record.Record) bool { return r.Axes["component"] != "" })
}

// prompt is the number of tokens of the prompt that the records are about, "–" where they differ or do not say.
func (m Measured) prompt() string {
	n := "–"
	for i, r := range m {
		switch p := r.Axes["prefill"]; {
		case p == "":
		case i == 0 || n == p:
			n = p
		default:
			return "–"
		}
	}
	return n
}

// EfficiencyAnswer says in two sentences what integers save against float32 on a model, and what float operators between the
// same integer products change.
func (m Measured) EfficiencyAnswer() string {
	var float float64
	var weights, prefill, decode, floats []float64
	slower, faster := 0, 0
	for _, r := range m.rows() {
		switch {
		case r.Axes["study"] != StudyEfficient:
		case r.Axes["recipe"] == fp32:
			float = number(r, "weight_bytes")
		case r.Axes["operators"] == "float32":
			floats = append(floats, number(r, "slower"))
			if number(r, "slower_low") > 1 {
				slower++
			}
			if number(r, "slower_high") < 1 {
				faster++
			}
		default:
			weights = append(weights, float/number(r, "weight_bytes"))
			prefill, decode = append(prefill, number(r, "prefill_speedup")), append(decode, number(r, "decode_speedup"))
		}
	}
	if len(weights) == 0 || len(floats) == 0 {
		return m.Where()
	}
	of := func(list []float64) string { return fmt.Sprintf("%.2f to %.2f", slices.Min(list), slices.Max(list)) }
	return fmt.Sprintf("%s, integers alone against float32, over %d widths: weights %s times smaller, a prompt of %s tokens %s times as fast, decoding behind it %s times as fast.\n"+
		"Float operators between the same integer products: the prompt takes %s times the time of integers alone; beyond the interval slower at %d of %d widths, faster at %d.",
		m[0].Axes["model"], len(weights), of(weights), m.rows().prompt(), of(prefill), of(decode), of(floats), slower, len(floats), faster)
}

// megabytes prints a number of bytes.
func megabytes(r *record.Record, name string) string {
	v, ok := r.Metric(name)
	if !ok {
		return "–"
	}
	return fmt.Sprintf("%.2f", v.Value/1e6)
}

// quotient prints a by b.
func quotient(a, b float64) string {
	if a == 0 || b == 0 {
		return "–"
	}
	return fmt.Sprintf("%.2f", a/b)
}

// efficiencyGrid is the table of memory and time.
func (m Measured) efficiencyGrid() chart.Grid {
	rows := m.rows()
	prompt := rows.prompt()
	g := chart.Grid{Left: 1, Head: []string{"form", "weights (MB)", "fp32 by it", "session (MB)", "of it KV cache", "running (MB)", "resident peak (MB)",
		"prefill of " + prompt + " (ms)", "times as fast as fp32", "decode behind them (ms a token)", "times as fast as fp32", "prefill by integer operators'"}}
	var float float64
	for _, r := range rows {
		if r.Axes["recipe"] == fp32 {
			float = number(r, "weight_bytes")
		}
	}
	for _, r := range rows {
		running := fmt.Sprintf("%.2f", (number(r, "weight_bytes")+number(r, "session_bytes"))/1e6)
		g.Rows = append(g.Rows, []string{r.Axes["form"], megabytes(r, "weight_bytes"), quotient(float, number(r, "weight_bytes")), megabytes(r, "session_bytes"),
			megabytes(r, "kv_bytes"), running, megabytes(r, "resident_bytes"), cell(r, "prefill_ms", 1), ranged(r, "prefill_speedup"),
			cell(r, "decode_ms", 2), ranged(r, "decode_speedup"), ranged(r, "slower")})
		if r.Axes["recipe"] == fp32 { // what storage alone would be: every number in two bytes
			g.Rows = append(g.Rows, []string{"fp16 storage (counted, not run)", fmt.Sprintf("%.2f", float/2e6), "2.00", "–", "–", "–", "–", "–", "–", "–", "–", "–"})
		}
	}
	return g
}

// weightWhy says of each part of the weights why it is as large as it is.
var weightWhy = []struct{ part, why string }{
	{"codes", "the blocks' matrices, 5 to 8 bits in a byte, 4 in half of one; channels padded to whole panels of 64"},
	{"multipliers", "4 bytes an output channel"},
	{"zero points", "1 byte an output channel"},
	{"channel sums", "4 bytes an output channel: what the zero point of the activations is multiplied by"},
	{"biases", "4 bytes an output channel that has one"},
	{"norms", "4 bytes a channel for Γ, 8 for β"},
	{"embedding", "8 bits a weight at every width, with its own multipliers, zero points and sums; a tied head is in it"},
	{"head", "the same, where it is not the embedding"},
	{"positions", "learned ones"},
}

// WeightGrid counts the bytes of the weights part by part, of each width once, and says why each is what it is.
func (m Measured) WeightGrid() chart.Grid {
	g := chart.Grid{Left: 1, Head: []string{"bytes of"}}
	var list Measured
	for _, r := range m.rows() {
		if r.Axes["study"] == StudyEfficient && !slices.ContainsFunc(list, func(o *record.Record) bool { return o.Axes["recipe"] == r.Axes["recipe"] }) {
			list, g.Head = append(list, r), append(g.Head, r.Axes["recipe"])
		}
	}
	if len(list) == 0 {
		return chart.Grid{Head: []string{m.Where()}}
	}
	g.Head = append(g.Head, "why")
	line := func(name, why string, value func(r *record.Record) float64, format string) {
		row, any := []string{name}, false
		for _, r := range list {
			v := value(r)
			any = any || v > 0
			row = append(row, fmt.Sprintf(format, v))
		}
		if any {
			g.Rows = append(g.Rows, append(row, why))
		}
	}
	for _, p := range weightWhy {
		line(p.part, p.why, func(r *record.Record) float64 { return number(r, "bytes "+p.part) }, "%.0f")
	}
	all := func(r *record.Record) float64 { return number(r, "weight_bytes") }
	line("together", "", all, "%.0f")
	if list[0].Axes["recipe"] == fp32 {
		float := list[0]
		numbers := number(float, "weight_bytes") / 4
		line("times less than fp32", "", func(r *record.Record) float64 { return number(float, "weight_bytes") / all(r) }, "%.3f")
		line("times less, the codes alone", "what the matrices of the blocks would give if nothing else were there", func(r *record.Record) float64 {
			return number(float, "bytes codes") / number(r, "bytes codes")
		}, "%.3f")
		line("bits a number", "", func(r *record.Record) float64 { return 8 * all(r) / numbers }, "%.3f")
	}
	return g
}

// efficiencyChart stacks the components of prefill, form by form.
func (m Measured) efficiencyChart(c *chart.Chart) {
	c.Titled("Where a prompt's time goes, form by form", m.Where())
	c.X, c.Y = chart.Axis{Name: "form"}, chart.Axis{Name: "Prefill", Unit: "ms", Better: chart.Lower}
	c.Stack().Size(1000, 480)
	for _, part := range efficiencyParts {
		s := chart.Series{Name: part, Method: map[string]string{"add": "fp16", "rest": "float"}[part]} // more parts than colours
		any := false
		for _, r := range m {
			if r.Axes["component"] == part {
				any = any || number(r, "prefill_ms") > 0
				s.Points = append(s.Points, chart.Point{Label: r.Axes["form"], Y: number(r, "prefill_ms"), ID: id(r)})
			}
		}
		if any {
			c.Series = append(c.Series, s)
		}
	}
}

// PartsGrid is that chart as a table: milliseconds of prefill by component and form.
func (m Measured) PartsGrid() chart.Grid {
	g := chart.Grid{Left: 1, Head: []string{"prefill of " + m.rows().prompt() + " (ms)"}}
	for _, r := range m.rows() {
		if r.Axes["study"] == StudyEfficient {
			g.Head = append(g.Head, r.Axes["form"])
		}
	}
	if len(g.Head) == 1 {
		return chart.Grid{Head: []string{m.Where()}}
	}
	for _, part := range efficiencyParts {
		row := []string{part}
		for _, f := range g.Head[1:] {
			text := "–"
			for _, r := range m {
				if r.Axes["component"] == part && r.Axes["form"] == f {
					text = cell(r, "prefill_ms", 1)
				}
			}
			row = append(row, text)
		}
		g.Rows = append(g.Rows, row)
	}
	return g
}

// formOf is the form that a record of a block is about.
func formOf(r *record.Record) form { return form{r.Axes["recipe"], r.Axes["operators"]} }

// byForm orders the records of blocks as the efficiency table is: by shape, then by form.
func (m Measured) byForm() Measured {
	at := func(r *record.Record) int {
		shape := slices.IndexFunc(shapes(), func(x shape) bool { return x.name == r.Axes["shape"] })
		f := formOf(r)
		if f.recipe != fp32 && f.operators == "" {
			f.operators = "integer" // a record from before there were blocks with float operators
		}
		return shape*len(efficiencyForms()) + slices.Index(efficiencyForms(), f)
	}
	return slices.SortedStableFunc(slices.Values(m), func(a, b *record.Record) int { return at(a) - at(b) })
}

// shapesGrid is the table of the blocks.
func (m Measured) shapesGrid() chart.Grid {
	g := chart.Grid{Left: 2, Head: []string{"one block of", "form", "weights (MB)", "fp32 by it", "prefill of " + fmt.Sprint(shapeRows) + " (ms)", "times as fast as fp32",
		"decode (ms a token)", "times as fast as fp32", "floats by integers, prefill", "all blocks' weights (MB)"}}
	float := map[string]float64{}
	for _, r := range m {
		if r.Axes["recipe"] == fp32 {
			float[r.Axes["shape"]] = number(r, "weight_bytes")
		}
	}
	for _, r := range m.byForm() {
		g.Rows = append(g.Rows, []string{r.Axes["shape"] + " (" + r.Axes["weights"] + ")", formOf(r).String(), megabytes(r, "weight_bytes"), quotient(float[r.Axes["shape"]], number(r, "weight_bytes")),
			cell(r, "prefill_ms", 1), ranged(r, "prefill_speedup"), cell(r, "decode_ms", 2), ranged(r, "decode_speedup"), ranged(r, "prefill_slower"), fmt.Sprintf("%.0f", number(r, "weight_bytes")*number(r, "blocks")/1e6)})
	}
	return g
}

// shapesChart draws how many times as fast as float32.
func (m Measured) shapesChart(c *chart.Chart) {
	c.Titled("One decoder block of a large model's shape, synthetic weights", m.Where())
	c.X, c.Y = chart.Axis{Name: "shape and work"}, chart.Axis{Name: "Times as fast as float32", Better: chart.Higher}
	c.Size(1000, 420).Baseline(fp32, 1)
	for _, r := range m.byForm() {
		f := formOf(r)
		if f.recipe == fp32 || f.operators == "float32" { // what floats cost is in the table
			continue
		}
		i := slices.IndexFunc(c.Series, func(s chart.Series) bool { return s.Name == f.recipe })
		if i < 0 {
			i, c.Series = len(c.Series), append(c.Series, chart.Series{Name: f.recipe})
		}
		for _, work := range []string{"prefill", "decode"} {
			c.Series[i].Points = append(c.Series[i].Points, chart.Point{Label: r.Axes["shape"] + " " + work, Y: number(r, work+"_speedup"), ID: id(r)})
		}
	}
}
