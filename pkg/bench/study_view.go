package bench

import (
	"fmt"
	"slices"
	"sort"
	"strconv"
	"strings"

	"github.com/illm-go/illm/data"
	"github.com/illm-go/illm/pkg/chart"
	"github.com/illm-go/illm/pkg/record"
)

// Measured are records of speed studies. Tables, goals and charts are functions of them.
type Measured []*record.Record

// Studies reads the shipped and the user's records of speed studies, for a notebook.
func Studies() (Measured, error) {
	store, err := record.Open(record.Options{Shipped: data.Records()})
	if err != nil {
		return nil, err
	}
	return store.Filter(func(r *record.Record) bool { return r.Axes["study"] != "" && r.Config["task"] == "speed-study" }), nil
}

// Of returns the newest run of a study of a model ("": of studies without one, or of any): the records that share the
// newest one's time, processor and number of threads.
func (m Measured) Of(study, model string) Measured {
	var out Measured
	for _, r := range m {
		if r.Axes["study"] != study || model != "" && r.Axes["model"] != "" && r.Axes["model"] != model {
			continue
		}
		if len(out) > 0 {
			switch {
			case r.Time.Before(out[0].Time):
				continue
			case r.Time.After(out[0].Time) || r.Env.CPU != out[0].Env.CPU || r.Env.Threads != out[0].Env.Threads:
				out = nil
			}
		}
		out = append(out, r)
	}
	return out
}

// Where says what the records were measured on.
func (m Measured) Where() string {
	if len(m) == 0 {
		return "no record: illm bench --study makes some"
	}
	r := m[0]
	s := fmt.Sprintf("%s, %d threads", r.Env.CPU, r.Env.Threads)
	if r.Env.Threads == 1 {
		s = r.Env.CPU + ", 1 thread"
	}
	what := strings.TrimSuffix(r.Axes["model"]+", "+r.Axes["recipe"], ", ")
	if r.Axes["study"] == StudyEfficient { // of all recipes
		what = r.Axes["model"]
	}
	if r.Axes["model"] != "" {
		s = what + "; " + s
	}
	commit := r.Commit[:min(len(r.Commit), 12)]
	if r.Dirty {
		commit += ", changed since"
	}
	return fmt.Sprintf("%s, commit %s, %s", s, commit, r.Time.Format("2006-01-02"))
}

// number is a metric, NaN-free: 0 where there is none.
func number(r *record.Record, name string) float64 {
	v, _ := r.Metric(name)
	return v.Value
}

// cell prints a metric with so many digits behind the point, "–" where there is none.
func cell(r *record.Record, name string, digits int) string {
	v, ok := r.Metric(name)
	if !ok {
		return "–"
	}
	s := strconv.FormatFloat(v.Value, 'f', digits, 64)
	if v.Stderr > 0 {
		s += " ± " + strconv.FormatFloat(v.Stderr, 'f', digits, 64)
	}
	return s
}

// ranged prints a share with its interval.
func ranged(r *record.Record, name string) string {
	if _, ok := r.Metric(name); !ok {
		return "–"
	}
	return fmt.Sprintf("%.2f (%.2f–%.2f)", number(r, name), number(r, name+"_low"), number(r, name+"_high"))
}

// byAxis orders records by an axis as a number.
func (m Measured) byAxis(name string) Measured {
	out := slices.Clone(m)
	sort.SliceStable(out, func(i, j int) bool {
		a, _ := out[i].AxisFloat(name)
		b, _ := out[j].AxisFloat(name)
		return a < b
	})
	return out
}

// prefillHead heads the time of a prompt, with its length where the records share one.
func (m Measured) prefillHead() string {
	if n := m.prompt(); n != "–" {
		return "prefill of " + n + " (ms)"
	}
	return "prefill (ms)"
}

// Answering returns the newest run of the one study that ask names: of its model, and of its recipe, its prompt's length
// and its row lengths as far as ask names them and the study has them. Every other field of ask is about a new
// measurement alone.
func (m Measured) Answering(ask StudyRequest) Measured {
	study := ask.Studies[0]
	var fit Measured
	for _, r := range m {
		n, recipe := r.Axes["prefill"], r.Axes["recipe"]
		if study == StudyEfficient || study == StudyShapes { // all recipes in one run
			recipe = ""
		}
		if ask.Prefill == 0 || n == "" || n == strconv.Itoa(ask.Prefill) {
			if ask.Recipe == "" || recipe == "" || recipe == ask.Recipe {
				fit = append(fit, r)
			}
		}
	}
	fit = fit.Of(study, ask.Model)
	for _, n := range ask.Rows {
		if study == StudyOperators && !slices.ContainsFunc(fit, func(r *record.Record) bool {
			return r.Axes["operator"] == "softmax" && r.Axes["n"] == strconv.Itoa(n)
		}) {
			return nil
		}
	}
	return fit
}

// with keeps the records that have the axis.
func (m Measured) with(axis string) Measured {
	return slices.DeleteFunc(slices.Clone(m), func(r *record.Record) bool { return r.Axes[axis] == "" })
}

// Grid is the table of one study's records.
func (m Measured) Grid() chart.Grid {
	if len(m) == 0 {
		return chart.Grid{Head: []string{m.Where()}}
	}
	g := chart.Grid{Left: 1}
	row := func(cells ...string) { g.Rows = append(g.Rows, cells) }
	switch m[0].Axes["study"] {
	case StudyOperators:
		g.Left = 2
		g.Head = []string{"operator", "row", "integer (ns)", "float32", "… to codes", "… in the engine", "half", "half in the engine", "integer by its rival", "by float32 alone", "by float32 in the engine"}
		for _, r := range m {
			row(r.Axes["operator"], r.Axes["n"], cell(r, "integer_ns", 0), cell(r, "float32_ns", 0), cell(r, "float32_codes_ns", 0), cell(r, "float32_engine_ns", 0),
				cell(r, "half_ns", 0), cell(r, "half_engine_ns", 0), ranged(r, "share"), ranged(r, "share_alone"), ranged(r, "share_engine"))
		}
	case StudyParts:
		g.Head = []string{"component", "share (%)", "µs a token"}
		for _, r := range m.sortedBy("share") {
			row(r.Axes["component"], cell(r, "share", 1), fmt.Sprintf("%.1f", number(r, "ns_token")/1e3))
		}
	case StudyEfficient:
		return m.efficiencyGrid()
	case StudyShapes:
		return m.shapesGrid()
	case StudyDynamic:
		return m.dynamicGrid()
	case StudyFloatPart:
		return m.floatPartsGrid()
	case StudyFloats:
		g.Head = []string{"operators", m.prefillHead(), "times the integer ones'", "decode (ms a token)", "conversions a token"}
		for _, r := range m {
			row(r.Axes["operators"], cell(r, "prefill_ms", 1), ranged(r, "slower"), cell(r, "decode_ms", 2), cell(r, "conversions_token", 0))
		}
	case StudyScaling:
		g.Head = []string{"threads", m.prefillHead(), "times one thread", "decode (ms a token)", "times one thread"}
		for _, r := range m {
			row(r.Axes["threads"], cell(r, "prefill_ms", 1), ranged(r, "prefill_speedup"), cell(r, "decode_ms", 2), ranged(r, "decode_speedup"))
		}
	case StudyContext:
		f := m.Fit()
		g.Head = []string{"tokens", "prefill (ms)", "fit (ms)", "residual (%)", "linear parts (µs a token)", "off their mean (%)", "attention (ns a pair)", "of that a row's own (%)", "off its fit (%)"}
		for _, p := range f.Points {
			row(fmt.Sprint(p.Tokens), fmt.Sprintf("%.1f", p.Total), fmt.Sprintf("%.1f", p.Fitted), fmt.Sprintf("%+.1f", 100*(p.Total/p.Fitted-1)),
				fmt.Sprintf("%.1f", 1e3*p.Linear/float64(p.Tokens)), fmt.Sprintf("%+.1f", 100*p.LinearOff),
				fmt.Sprintf("%.1f ± %.1f", 1e6*p.Attention/p.Pairs, 1e6*p.AttentionErr/p.Pairs), fmt.Sprintf("%.0f", 100*f.RowShare(p.Tokens)), fmt.Sprintf("%+.1f", 100*p.AttentionOff))
		}
	case StudyRoofline:
		g.Head = []string{"what", "operations a byte", "GOPS", "GB/s of weights", "of its roof (%)"}
		for _, r := range m.with("roof") {
			row(r.Axes["roof"], "", cell(r, "gops", 0), cell(r, "gbyte_s", 1), "")
		}
		for _, r := range m.with("rows").byAxis("rows") {
			row("prompt of "+r.Axes["rows"], cell(r, "ops_byte", 1), cell(r, "gops", 0), cell(r, "gbyte_s", 1), fmt.Sprintf("%.0f", 100*number(r, "gops")/m.roof(number(r, "ops_byte"))))
		}
	}
	return g
}

// sortedBy orders records by a falling metric.
func (m Measured) sortedBy(name string) Measured {
	out := slices.Clone(m)
	sort.SliceStable(out, func(i, j int) bool { return number(out[i], name) > number(out[j], name) })
	return out
}

// roof is what arithmetic and memory allow at so many operations a byte, in GOPS.
func (m Measured) roof(opsByte float64) float64 {
	var peak, read float64
	for _, r := range m.with("roof") {
		peak, read = peak+number(r, "gops"), read+number(r, "gbyte_s")
	}
	if peak == 0 {
		return read * opsByte
	}
	return min(peak, read*opsByte)
}

// Goal is one of the project's numbers with what was measured.
type Goal struct {
	What             string
	Value, Low, High float64
	Goal             float64
	AtMost           bool // the goal is an upper bound
}

// State is "reached", "missed", or "open" where the interval holds the goal.
func (g Goal) State() string {
	low, high, goal := g.Low, g.High, g.Goal
	if g.AtMost {
		low, high, goal = -g.High, -g.Low, -g.Goal
	}
	switch {
	case low >= goal:
		return "reached"
	case high < goal:
		return "missed"
	}
	return "open"
}

// String is one line of the report.
func (g Goal) String() string {
	sign := "≥"
	if g.AtMost {
		sign = "≤"
	}
	return fmt.Sprintf("%s: %.3g (%.3g–%.3g), goal %s %g: %s", g.What, g.Value, g.Low, g.High, sign, g.Goal, g.State())
}

// Goals holds one study's records against the project's goals.
func (m Measured) Goals() (out []Goal) {
	for _, r := range m {
		at := func(what, metric string, goal float64, most bool) {
			if v, ok := r.Metric(metric); ok {
				g := Goal{What: what, Value: v.Value, Low: v.Value, High: v.Value, Goal: goal, AtMost: most}
				if _, ok := r.Metric(metric + "_low"); ok {
					g.Low, g.High = number(r, metric+"_low"), number(r, metric+"_high")
				} else {
					g.Low, g.High = v.Value-1.96*v.Stderr, v.Value+1.96*v.Stderr
				}
				out = append(out, g)
			}
		}
		switch a := r.Axes; a["study"] {
		case StudyOperators:
			rival := "float32 with codes"
			if a["operator"] == "softmax" {
				rival = "float32"
			}
			at(fmt.Sprintf("%s, rows of %s: time of the integer form by %s", a["operator"], a["n"], rival), "share", 1, true)
		case StudyParts:
			if a["component"] == requantisation {
				at("dynamic requantisation's share of prefill (%)", "share", 8, true)
			}
		case StudyFloats:
			if a["operators"] == "float32" {
				at("prefill with float32 operators by prefill with integer ones", "slower", 1.2, false)
			}
		case StudyEfficient:
			if a["component"] == "" && a["form"] == "w8a8" {
				at("prefill in float32 by prefill in 8-bit integers", "prefill_speedup", 2.5, false)
			}
		case StudyScaling:
			if a["threads"] == "2" {
				at("prefill on one thread by prefill on two", "prefill_speedup", 1.85, false)
			}
		}
	}
	if len(m) > 0 && m[0].Axes["study"] == StudyContext {
		out = append(out, m.Fit().goals()...)
	}
	return out
}

// Sentences are the goals, a line each, and where they were measured.
func (m Measured) Sentences() string {
	var b strings.Builder
	fmt.Fprintln(&b, m.Where())
	if len(m) > 0 && m[0].Note != "" {
		fmt.Fprintln(&b, "("+m[0].Note+")")
	}
	if len(m) > 0 {
		if form, _ := m[0].Config["half"].(string); form != "" {
			fmt.Fprintln(&b, "half precision: "+form)
		}
	}
	for _, g := range m.Goals() {
		fmt.Fprintln(&b, "• "+g.String())
	}
	return strings.TrimRight(b.String(), "\n")
}
