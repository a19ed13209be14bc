package ablation

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"gonum.org/v1/gonum/stat"

	"github.com/illm-go/illm/pkg/chart"
	"github.com/illm-go/illm/pkg/record"
)

// Relative is a study's rows against one level of an axis: the change of
// perplexity from that level, in percent, paired by window. Columns are
// "delta" and "delta_CORPUS". It is a chart.Source.
//
// With d_w the difference of the mean negative log-likelihoods of window w,
//
//	delta = 100·(exp(mean d) − 1),   its error = 100·exp(mean d)·sd(d)/√n
//
// Windows that are hard for one configuration are hard for the other, so this
// error is far smaller than that of either perplexity.
type Relative struct {
	runs  *Runs // where counterparts are looked up
	shown *Runs // the rows
	axis  string
	level string
}

// Against compares every row with the row that has level on axis and the same
// levels elsewhere.
func (r *Runs) Against(axis string, level any) *Relative {
	return &Relative{runs: r, shown: r, axis: axis, level: fmt.Sprint(level)}
}

// Len is the number of rows.
func (d *Relative) Len() int { return d.shown.Len() }

// Text is the row's level.
func (d *Relative) Text(i int, column string) (string, bool) { return d.shown.Text(i, column) }

// Caption says what the rows were measured on.
func (d *Relative) Caption() string { return d.runs.measured() + barsOfDifference }

// CaptionOf is Caption of the rows that have a value in a column, on the column's text.
func (d *Relative) CaptionOf(column string) string {
	return d.shown.measuredOn(column, func(i int) bool { _, ok := d.Number(i, column); return ok }) + barsOfDifference
}

// Where keeps rows as Runs.Where does; the rows compared with need not be kept.
func (d *Relative) Where(axis string, levels ...any) *Relative {
	out := *d
	out.shown = d.runs.Where(axis, levels...)
	return &out
}

// Number is a delta column; other columns are those of the runs. The reference
// row itself has delta 0 without an error; a row without a counterpart has none.
func (d *Relative) Number(i int, column string) (chart.Value, bool) {
	corpus, ok := strings.CutPrefix(column, "delta")
	if !ok {
		return d.shown.Number(i, column)
	}
	corpus = strings.TrimPrefix(corpus, "_")
	a, b := d.cells(i, corpus)
	if a == nil || b == nil {
		return chart.Value{}, false
	}
	mean, se, n := PairedNLL(a, b)
	if n == 0 {
		return chart.Value{}, false
	}
	v := pplChange(mean, se)
	v.ID = a.Key[:min(12, len(a.Key))]
	return v, true
}

// pplChange is the change of perplexity that a difference of mean log-likelihoods makes.
func pplChange(mean, se float64) chart.Value {
	return chart.Value{Y: 100 * math.Expm1(mean), Err: 100 * math.Exp(mean) * se, Unit: "%", Better: chart.Lower}
}

// cells finds the row's record and its counterpart's on a text; corpus "" means
// the only one.
func (d *Relative) cells(i int, corpus string) (a, b *record.Record) {
	axes := d.shown.rows[i].axes
	if axes[d.axis] == "" {
		return nil, nil
	}
	pick := func(r row) *record.Record {
		if c := r.cells[corpus]; c != nil {
			return c.record
		}
		if corpus == "" && len(r.cells) == 1 {
			for _, c := range r.cells {
				return c.record
			}
		}
		return nil
	}
	for _, r := range d.runs.rows {
		same := r.axes[d.axis] == d.level
		for k, v := range axes {
			if k != d.axis && r.axes[k] != v {
				same = false
			}
		}
		if same {
			return pick(d.shown.rows[i]), pick(r)
		}
	}
	return nil, nil
}

// PairedNLL returns mean and standard error, over the windows that both records
// hold, of the difference a − b of the windows' mean negative log-likelihood in
// nats a token. The error is 0 for a single window.
func PairedNLL(a, b *record.Record) (mean, se float64, windows int) {
	other := map[int]record.WindowStat{}
	for _, w := range b.Windows {
		other[w.Index] = w
	}
	var d []float64
	for _, w := range a.Windows {
		if o, ok := other[w.Index]; ok && o.N == w.N && w.N > 0 {
			d = append(d, (w.NLL-o.NLL)/float64(w.N))
		}
	}
	if len(d) == 0 {
		return 0, 0, 0
	}
	if len(d) == 1 {
		return d[0], 0, 1
	}
	mean, sd := stat.MeanStdDev(d, nil)
	return mean, stat.StdErr(sd, float64(len(d))), len(d)
}

// Sentences says in words what a sweep over an axis found on one text: for each
// recipe the best level, and how far the reference level and the default are from
// it. A difference that the windows do not tell from nothing (told) is called not resolved.
func (d *Relative) Sentences(corpus, standard string) string {
	var lines []string
	seen := map[string]bool{}
	for i := range d.runs.rows {
		recipe := d.runs.rows[i].axes["recipe"]
		if seen[recipe] || d.runs.rows[i].axes[d.axis] == "" {
			continue
		}
		seen[recipe] = true
		best, ok := d.runs.Best("ppl_"+corpus, "recipe", recipe)
		if !ok {
			continue
		}
		level := d.runs.rows[best].axes[d.axis]
		ppl, _ := d.runs.Number(best, "ppl_"+corpus)
		line := fmt.Sprintf("%s: lowest perplexity on %s at %s = %s, %s", recipe, chart.Text(corpus), d.axis, level, strconv.FormatFloat(ppl.Y, 'g', 5, 64))
		var windows windowRange
		if windows.add(len(d.runs.rows[best].cells[corpus].record.Windows)); windows.most > 0 {
			line += " (" + windows.String() + ")"
		}
		for _, l := range []string{d.level, standard} {
			if l == level {
				continue
			}
			if phrase, ok := d.runs.distance(recipe, corpus, d.axis, level, l); ok {
				line += "; " + phrase
			}
		}
		if harm := d.firstHarm(recipe, corpus, level, standard); harm != "" {
			line += "; " + harm
		}
		lines = append(lines, line+".")
	}
	if len(lines) == 0 {
		return "No records yet."
	}
	return strings.Join(lines, "\n")
}

// firstHarm finds, in the study's order after the default, the first level whose
// cost is beyond doubt (told, four standard errors and one percent), and says it.
func (d *Relative) firstHarm(recipe, corpus, best, standard string) string {
	past := false
	for _, a := range d.runs.Study.Axes {
		if a.Name != d.axis {
			continue
		}
		for _, level := range a.Levels {
			past = past || level == standard
			if !past || level == standard || level == best {
				continue
			}
			mean, se, n := d.runs.paired(recipe, corpus, d.axis, level, best)
			if told(mean, se, n) > 0 && mean > 4*se && mean > 0.01 {
				phrase, _ := d.runs.distance(recipe, corpus, d.axis, best, level)
				return phrase
			}
		}
	}
	return ""
}

// paired compares two levels of one recipe on one text.
func (r *Runs) paired(recipe, corpus, axis, level, other string) (mean, se float64, windows int) {
	at := func(l string) *record.Record {
		for _, row := range r.rows {
			if row.axes["recipe"] == recipe && row.axes[axis] == l {
				if c := row.cells[corpus]; c != nil {
					return c.record
				}
			}
		}
		return nil
	}
	a, b := at(level), at(other)
	if a == nil || b == nil {
		return 0, 0, 0
	}
	return PairedNLL(a, b)
}

// distance puts the change from the best level to another into words.
func (r *Runs) distance(recipe, corpus, axis, best, level string) (string, bool) {
	mean, se, n := r.paired(recipe, corpus, axis, level, best)
	if n == 0 {
		return "", false
	}
	verdict := ""
	switch {
	case n == 1 || se == 0:
		verdict = " (one window: no error known)"
	case told(mean, se, n) == 0:
		verdict = " (not resolved)"
	}
	value := pplChange(mean, se)
	return fmt.Sprintf("%s = %s costs %s %%%s", axis, level, value, verdict), true
}
