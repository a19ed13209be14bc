package ablation

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/illm-go/illm/pkg/chart"
	"github.com/illm-go/illm/pkg/record"
)

// rival is one level of an axis beside the reference, on one text.
type rival struct {
	level     string
	ppl, ppl2 float64 // change of perplexity in percent, and its error
	kl, kl2   float64 // excess divergence in nats/1000, and its error
	windows   int
}

// resolved says that the change of perplexity is not within two of its errors of nothing.
func (v rival) resolved() bool { return math.Abs(v.ppl) > 2*v.ppl2 && v.ppl2 > 0 }

// rivalsOf lists the levels of an axis that have records beside the reference's, each row once.
func (d *Relative) rivalsOf(corpus string, pairs ...string) (out []rival, reference *record.Record) {
	for i := range d.shown.rows {
		a, b := d.cells(i, corpus)
		if a == nil || b == nil || !d.shown.has(i, pairs) {
			continue
		}
		reference = b
		v := rival{level: d.shown.rows[i].axes[d.axis]}
		mean, se, n := PairedNLL(a, b)
		v.ppl, v.ppl2, v.windows = 100*math.Expm1(mean), 100*math.Exp(mean)*se, n
		mean, se, _ = PairedKL(a, b)
		v.kl, v.kl2 = 1000*mean, 1000*se
		if v.level != d.level {
			out = append(out, v)
		}
	}
	return out, reference
}

// Resolved says in words, for one text, which levels change the perplexity by more than two standard errors of the
// paired difference, and how far all others stay from the reference. Pairs fix other axes: "recipe", "w8a8".
func (d *Relative) Resolved(corpus string, pairs ...string) string {
	list, reference := d.rivalsOf(corpus, pairs...)
	if len(list) == 0 {
		return chart.Text(corpus) + ": no records yet."
	}
	var beyond, within []rival
	windows := list[0].windows
	for _, v := range list {
		if v.resolved() {
			beyond = append(beyond, v)
		} else {
			within = append(within, v)
		}
		windows = min(windows, v.windows)
	}
	ppl, _ := reference.Metric("ppl")
	line := fmt.Sprintf("%s, perplexity with %s %.4g (%d windows):", chart.Text(corpus), d.level, ppl.Value, windows)
	slices.SortFunc(beyond, func(a, b rival) int { return cmp.Compare(math.Abs(b.ppl), math.Abs(a.ppl)) })
	if len(beyond) == 0 {
		line += fmt.Sprintf(" no other of %d changes it beyond two standard errors", len(list))
	} else {
		var named []string
		for _, v := range beyond {
			named = append(named, fmt.Sprintf("%s %+.2f ± %.2f %%", v.level, v.ppl, v.ppl2))
		}
		line += " beyond two standard errors are " + strings.Join(named, ", ")
	}
	if len(within) > 0 {
		least, most := within[0].ppl, within[0].ppl
		for _, v := range within {
			least, most = min(least, v.ppl), max(most, v.ppl)
		}
		line += fmt.Sprintf("; the remaining %d lie between %+.2f and %+.2f %%, not resolved", len(within), least, most)
	}
	return line + "."
}

// Divergences says in words, for one text, the divergence of the reference from the float model and what each of the
// named levels adds to it, paired by window.
func (d *Relative) Divergences(corpus string, levels []string, pairs ...string) string {
	list, reference := d.rivalsOf(corpus, pairs...)
	if len(list) == 0 {
		return chart.Text(corpus) + ": no records yet."
	}
	kl, _ := reference.Metric("kld_mean")
	parts := []string{fmt.Sprintf("%s, divergence from fp32 with %s %s nats/1000", chart.Text(corpus), d.level, chart.Value{Y: 1000 * kl.Value, Err: 1000 * kl.Stderr})}
	for _, l := range levels {
		for _, v := range list {
			if v.level == l {
				verdict := ""
				if math.Abs(v.kl) <= 2*v.kl2 {
					verdict = " (not resolved)"
				}
				parts = append(parts, fmt.Sprintf("%s adds %s%s", l, chart.Value{Y: v.kl, Err: v.kl2}, verdict))
			}
		}
	}
	return strings.Join(parts, "; ") + "."
}
