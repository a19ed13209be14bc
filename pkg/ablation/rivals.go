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

// rivalNamed is one level of rivalsOf, if it and the reference have records.
func (d *Relative) rivalNamed(level, corpus string, pairs ...string) (rival, bool) {
	list, _ := d.rivalsOf(corpus, pairs...)
	if i := slices.IndexFunc(list, func(v rival) bool { return v.level == level }); i >= 0 {
		return list[i], true
	}
	return rival{}, false
}

// Resolved says in words, for one text, for which levels a t test of the differences paired by window tells the change of
// perplexity from nothing (told), the largest first, and how far all others stay from the reference. Pairs fix other axes:
// "recipe", "w8a8".
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
	line := fmt.Sprintf("%s (%s), perplexity %s with %s = %s. A paired t test at 95 %% tells ", chart.Text(corpus), windows, four(ppl.Value), d.axis, d.level)
	slices.SortFunc(beyond, func(a, b rival) int { return cmp.Compare(math.Abs(b.ppl.Y), math.Abs(a.ppl.Y)) })
	switch {
	case len(beyond) > 0:
		var named []string
		for _, v := range beyond {
			named = append(named, fmt.Sprintf("%s (%s)", v.level, changed(v.ppl)))
		}
		line += "a change with " + strings.Join(named, ", ")
	case len(list) == 1:
		line += "no change with " + list[0].level
	default:
		line += fmt.Sprintf("no change with any of %d others", len(list))
	}
	switch {
	case len(within) == 0:
		return line + "."
	case len(beyond) == 0:
		return line + " (" + between(within) + ")."
	case len(within) == 1:
		return line + fmt.Sprintf("; with the one other, %s, none (%s).", within[0].level, between(within))
	}
	return line + fmt.Sprintf("; with the %d others none (%s).", len(within), between(within))
}

// between is the least and the greatest change of perplexity of a list, in percent, or the one that both are.
func between(list []rival) string {
	least, most := list[0].ppl.Y, list[0].ppl.Y
	for _, v := range list {
		least, most = min(least, v.ppl.Y), max(most, v.ppl.Y)
	}
	text := func(y float64) string { return strings.Replace(fmt.Sprintf("%+.2f", y), "-0.00", "+0.00", 1) }
	if text(least) == text(most) {
		return text(least) + " %"
	}
	return text(least) + " to " + text(most) + " %"
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
