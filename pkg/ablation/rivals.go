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
	level string
	ppl   chart.Value // change of perplexity in percent
	nll   difference  // of the mean log-likelihoods behind it
	kl    difference  // excess divergence
}

// resolved says that the change of perplexity is told from nothing.
func (v rival) resolved() bool { return v.nll.told() != 0 }

// rivalsOf lists the levels of an axis that have records beside the reference's, each row once.
func (d *Relative) rivalsOf(corpus string, pairs ...string) (out []rival, reference *record.Record) {
	for i := range d.shown.rows {
		a, b := d.cells(i, corpus)
		if a == nil || b == nil || !d.shown.has(i, pairs) {
			continue
		}
		reference = b
		v := rival{level: d.shown.rows[i].axes[d.axis]}
		v.nll.mean, v.nll.se, v.nll.windows = PairedNLL(a, b)
		v.kl.mean, v.kl.se, v.kl.windows = PairedKL(a, b)
		v.ppl = pplChange(v.nll.mean, v.nll.se)
		if v.level != d.level {
			out = append(out, v)
		}
	}
	return out, reference
}

// Resolved says in words, for one text, for which levels a t test of the differences paired by window tells the change of
// perplexity from nothing (told), and how far all others stay from the reference. Pairs fix other axes: "recipe", "w8a8".
func (d *Relative) Resolved(corpus string, pairs ...string) string {
	list, reference := d.rivalsOf(corpus, pairs...)
	if len(list) == 0 {
		return chart.Text(corpus) + ": no records yet."
	}
	var beyond, within []rival
	var windows windowRange
	for _, v := range list {
		if v.resolved() {
			beyond = append(beyond, v)
		} else {
			within = append(within, v)
		}
		windows.add(v.nll.windows)
	}
	ppl, _ := reference.Metric("ppl")
	line := fmt.Sprintf("%s, perplexity with %s %.4g (%s):", chart.Text(corpus), d.level, ppl.Value, windows)
	slices.SortFunc(beyond, func(a, b rival) int { return cmp.Compare(math.Abs(b.ppl.Y), math.Abs(a.ppl.Y)) })
	if len(beyond) == 0 {
		line += fmt.Sprintf(" no other of %d changes it by a paired t test at 95 %%", len(list))
	} else {
		var named []string
		for _, v := range beyond {
			named = append(named, fmt.Sprintf("%s %+.2f ± %.2f %%", v.level, v.ppl.Y, v.ppl.Err))
		}
		line += " by a paired t test at 95 % it changes with " + strings.Join(named, ", ")
	}
	if len(within) > 0 {
		least, most := within[0].ppl.Y, within[0].ppl.Y
		for _, v := range within {
			least, most = min(least, v.ppl.Y), max(most, v.ppl.Y)
		}
		if len(within) == 1 {
			line += fmt.Sprintf("; the remaining one, %s, lies at %+.2f %%, not resolved", within[0].level, least)
		} else {
			line += fmt.Sprintf("; the remaining %d lie between %+.2f and %+.2f %%, not resolved", len(within), least, most)
		}
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
	var windows windowRange
	for _, v := range list {
		windows.add(v.kl.windows)
	}
	parts := []string{fmt.Sprintf("%s, divergence from fp32 with %s %s nats/1000 (%s)", chart.Text(corpus), d.level, chart.Value{Y: 1000 * kl.Value, Err: 1000 * kl.Stderr}, windows)}
	for _, l := range levels {
		for _, v := range list {
			if v.level == l {
				verdict := ""
				if v.kl.told() == 0 {
					verdict = " (not resolved)"
				}
				parts = append(parts, fmt.Sprintf("%s adds %s%s", l, chart.Value{Y: 1000 * v.kl.mean, Err: 1000 * v.kl.se}, verdict))
			}
		}
	}
	return strings.Join(parts, "; ") + "."
}
