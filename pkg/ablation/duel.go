package ablation

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/illm-go/illm/pkg/chart"
	"github.com/illm-go/illm/pkg/record"
)

// Duel says how one level of an axis compares with another by perplexity, over models, texts and all other axes: how often it
// is told to be lower or higher by the windows' paired differences (see told), from where to where the change goes, and where it
// is higher, the worst first. Pairs fix other axes: "arithmetic", Integer.
func (m ByModel) Duel(axis, level, reference string, texts []string, pairs ...string) string {
	type loss struct {
		where string
		by    chart.Value
	}
	var losses []loss
	lower, even, least, most := 0, 0, 0.0, 0.0
	for _, runs := range m {
		change := runs.Against(axis, reference)
		for i, row := range runs.rows {
			if row.axes[axis] != level || !runs.has(i, pairs) {
				continue
			}
			for _, text := range texts {
				a, b := change.cells(i, text)
				if a == nil || b == nil {
					continue
				}
				mean, se, n := PairedNLL(a, b)
				if n < 2 || se <= 0 { // no error is known
					continue
				}
				v := pplChange(mean, se)
				if lower+even+len(losses) == 0 {
					least, most = v.Y, v.Y
				}
				least, most = min(least, v.Y), max(most, v.Y)
				switch told(mean, se, n) {
				case 1:
					losses = append(losses, loss{runs.model() + runs.others(row, axis, pairs) + " " + chart.Text(text), v})
				case -1:
					lower++
				default:
					even++
				}
			}
		}
	}
	all := lower + even + len(losses)
	if all == 0 {
		return fmt.Sprintf("%s against %s: no records yet.", level, reference)
	}
	s := fmt.Sprintf("%s against %s: perplexity is lower in %d of %d comparisons, higher in %d, not told apart in %d (paired t test at 95 %%); it changes by %s %%.", level, reference, lower, all, len(losses), even, fromTo(least, most))
	if len(losses) > 0 {
		slices.SortStableFunc(losses, func(a, b loss) int { return cmp.Compare(b.by.Y, a.by.Y) })
		var named []string
		for _, l := range losses {
			named = append(named, l.where+" "+changed(l.by))
		}
		s += " Higher: " + strings.Join(firstFew(named, 6), "; ") + "."
	}
	return s
}

// others names a row's levels on the axes that are neither compared nor fixed and of which the runs have more than one level, a
// space before each.
func (r *Runs) others(of row, axis string, pairs []string) (s string) {
	for _, a := range r.Study.Axes {
		if a.Name == axis || a.Name == r.Study.Spread || a.Name == "model" || of.axes[a.Name] == "" {
			continue
		}
		fixed := !slices.ContainsFunc(r.rows, func(o row) bool { return o.axes[a.Name] != "" && o.axes[a.Name] != of.axes[a.Name] })
		for k := 0; k+1 < len(pairs); k += 2 {
			fixed = fixed || pairs[k] == a.Name
		}
		if !fixed {
			s += " " + of.axes[a.Name]
		}
	}
	return s
}

// Beside says of each model what its row with the given levels is worth in other runs of the same study, a mode for example,
// against the row in these runs: perplexity and divergence from the float model, paired by window. Models without both are left
// out.
func (m ByModel) Beside(there ByModel, corpus string, pairs ...string) string {
	var lines []string
	for _, here := range m {
		at := slices.IndexFunc(there, func(r *Runs) bool { return r.model() == here.model() })
		if at < 0 {
			continue
		}
		ours, theirs := here.recordAt(corpus, pairs), there[at].recordAt(corpus, pairs)
		if ours == nil || theirs == nil {
			continue
		}
		mean, se, n := PairedNLL(theirs, ours)
		if n == 0 {
			continue
		}
		line := fmt.Sprintf("%s, %d windows: perplexity %s", here.model(), n, changed(pplChange(mean, se)))
		if more, err, n := PairedKL(theirs, ours); n > 0 {
			kl, _ := ours.Metric("kld_mean")
			line += fmt.Sprintf(", divergence from fp32 larger by %s nats than the %.3g of ours", chart.Value{Y: more, Err: err}, kl.Value)
		}
		lines = append(lines, line+".")
	}
	if len(lines) == 0 {
		return "No records yet."
	}
	return strings.Join(lines, "\n")
}

// recordAt is the record on a text of the first row with the given levels; nil: none.
func (r *Runs) recordAt(corpus string, pairs []string) *record.Record {
	for i, row := range r.rows {
		if c := row.cells[corpus]; c != nil && c.record != nil && r.has(i, pairs) {
			return c.record
		}
	}
	return nil
}

// Texts lists the levels of the spread axis on which any row is compared with another, in the study's order.
func (d *Relative) Texts() (out []string) {
	for _, level := range d.runs.levels() {
		for i, row := range d.shown.rows {
			if a, b := d.cells(i, level); a != nil && b != nil && row.axes[d.axis] != d.level {
				out = append(out, level)
				break
			}
		}
	}
	return out
}
