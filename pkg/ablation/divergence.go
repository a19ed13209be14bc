package ablation

import (
	"math"
	"slices"
	"strings"

	"github.com/illm-go/illm/pkg/chart"
	"github.com/illm-go/illm/pkg/record"
)

// Excess is a study's rows against one level of an axis, by their divergence from the float model: column
// "excess_CORPUS" is the mean KL divergence of a row less that of its counterpart, in thousandths of a nat a token,
// paired by window. Other columns are those of Relative. It is a chart.Source.
//
// A divergence looks at the whole distribution over the vocabulary and perplexity at one entry of it, the token that
// came, so that the same windows resolve smaller differences. Excess says nothing of quality beyond fidelity to the
// float model.
type Excess struct{ *Relative }

// Excess compares divergences as Against compares perplexities.
func (d *Relative) Excess() *Excess { return &Excess{d} }

// Where keeps rows as Runs.Where does; the rows compared with need not be kept.
func (x *Excess) Where(axis string, levels ...any) *Excess {
	return &Excess{x.Relative.Where(axis, levels...)}
}

// Number is an excess column; other columns are those of Relative.
func (x *Excess) Number(i int, column string) (chart.Value, bool) {
	corpus, ok := strings.CutPrefix(column, "excess")
	if !ok {
		return x.Relative.Number(i, column)
	}
	a, b := x.cells(i, strings.TrimPrefix(corpus, "_"))
	if a == nil || b == nil {
		return chart.Value{}, false
	}
	mean, se, n := PairedKL(a, b)
	if n == 0 {
		return chart.Value{}, false
	}
	return chart.Value{Y: 1000 * mean, Err: 1000 * se, Unit: "nats/1000", Better: chart.Lower, ID: a.Key[:min(12, len(a.Key))]}, true
}

// PairedKL is PairedNLL for the windows' mean divergence from the base model. Windows without one do not count.
func PairedKL(a, b *record.Record) (mean, se float64, windows int) {
	return PairedNLL(divergences(a), divergences(b))
}

// divergences is the record with each window's divergence in its likelihood's place.
func divergences(r *record.Record) *record.Record {
	out := &record.Record{}
	for _, w := range r.Windows {
		if _, ok := r.Metric("kld_mean"); ok && !math.IsNaN(w.KL) {
			out.Windows = append(out.Windows, record.WindowStat{Index: w.Index, N: w.N, NLL: w.KL})
		}
	}
	return out
}

// Chart draws the excess over an axis as bars, one colour for each combination of levels of what else varies. Levels in
// leave are not drawn (their length would hide the others) and named below the title.
func (x *Excess) Chart(axis, corpus string, leave ...string) *chart.Chart {
	varies, levels := []string(nil), map[string]map[string]bool{}
	for _, r := range x.shown.rows {
		for k, v := range r.axes {
			if levels[k] == nil {
				levels[k] = map[string]bool{}
			}
			if v != "" {
				levels[k][v] = true
			}
		}
	}
	for _, a := range x.runs.Study.Axes {
		if a.Name != axis && len(levels[a.Name]) > 1 {
			varies = append(varies, a.Name)
		}
	}
	c := chart.Bar(x, axis, "excess_"+corpus, varies...)
	for i := range c.Series {
		s := &c.Series[i]
		s.Points = slices.DeleteFunc(s.Points, func(p chart.Point) bool { return p.Label == x.level || slices.Contains(leave, p.Label) })
		if s.Name == "" {
			s.Name = "more than " + x.level
		}
	}
	c.Titled("Divergence from fp32 beyond that of "+x.level+", "+chart.Text(corpus), x.shown.measuredIn("kld_mean_"+corpus)+"; bars: ± 1 standard error of the difference")
	if len(leave) > 0 {
		c.Subtitle += "; not drawn: " + strings.Join(leave, ", ")
	}
	c.Y.Name = "Excess divergence"
	return c.Size(1000, 420)
}
