package ablation

import (
	"fmt"
	"slices"
	"strings"

	"github.com/illm-go/illm/pkg/chart"
)

// tally counts comparisons of one level with the reference: the level's value told above, told below and not told from the
// reference's (told).
type tally struct {
	level              string
	above, below, even int
	least, most        float64
	windows            windowRange // behind a comparison
	lower              []string    // where it is told below, in words
}

func (t tally) all() int { return t.above + t.below + t.even }

// tallies compares every level of an axis with a reference over models, texts and all other axes, by the metric "delta"
// (change of perplexity in percent) or "excess" (divergence in nats/1000). What has one window counts as not told.
func (m ByModel) tallies(axis, reference, metric string, texts []string, pairs ...string) []*tally {
	var out []*tally
	for _, runs := range m {
		rel := runs.Against(axis, reference).Excess()
		for i, row := range runs.rows {
			level := row.axes[axis]
			if level == "" || level == reference || !runs.has(i, pairs) {
				continue
			}
			for _, text := range texts {
				v, ok := rel.Number(i, metric+"_"+text)
				if !ok {
					continue
				}
				at := slices.IndexFunc(out, func(t *tally) bool { return t.level == level })
				if at < 0 {
					at, out = len(out), append(out, &tally{level: level, least: v.Y, most: v.Y})
				}
				t, d := out[at], rel.difference(i, metric, text)
				t.least, t.most = min(t.least, v.Y), max(t.most, v.Y)
				t.windows.add(d.windows)
				switch d.told() {
				case 1:
					t.above++
				case -1:
					t.below++
					t.lower = append(t.lower, fmt.Sprintf("%s, %s, %s: %s", runs.model(), runs.levelsOf(row), chart.Text(text), v))
				default:
					t.even++
				}
			}
		}
	}
	return out
}

// levelsOf says a row's levels but model and text: "w8a8 rtn mixed".
func (r *Runs) levelsOf(row row) string {
	var levels []string
	for _, a := range r.Study.Axes {
		if l := row.axes[a.Name]; l != "" && a.Name != r.Study.Spread && a.Name != "model" {
			levels = append(levels, l)
		}
	}
	return strings.Join(levels, " ")
}

// difference is what lies behind the column "delta" or "excess" of a text.
func (x *Excess) difference(i int, metric, text string) (d difference) {
	if a, b := x.cells(i, text); a != nil && b != nil {
		paired := PairedNLL
		if metric == "excess" {
			paired = PairedKL
		}
		d.mean, d.se, d.windows = paired(a, b)
	}
	return d
}

// tallyOf returns a level's tally; nil: none.
func tallyOf(list []*tally, level string) *tally {
	for _, t := range list {
		if t.level == level {
			return t
		}
	}
	return nil
}

// ExpVerdict says, over models and texts, whether DI-Exp loses against an exact exponential and which rivals do not. What
// contradicts the paper, whose integer operators are to lose nothing, comes first.
func (m ByModel) ExpVerdict(texts ...string) string {
	const own = "di-exp"
	kl := m.tallies("exp", "float64", "excess", texts)
	t := tallyOf(kl, own)
	if t == nil {
		return "No records yet."
	}
	var lines []string
	switch {
	case t.above > 0:
		lines = append(lines, fmt.Sprintf("Against the claim that integer operators lose nothing: DI-Exp is not free. By paired t tests at 95 %% (%s each) its divergence from fp32 is above that of an exact exponential in %d of %d comparisons, below it in %d (it adds %s nats/1000).", t.windows, t.above, t.all(), t.below, fromTo(t.least, t.most)))
	default:
		lines = append(lines, fmt.Sprintf("As the claim has it that integer operators lose nothing: in %s (paired t tests at 95 %%, %s each) DI-Exp's divergence from fp32 is nowhere told to be above that of an exact exponential.", counted(t.all(), "comparison"), t.windows))
	}
	var good, bad []string
	for _, k := range kl {
		switch {
		case k.level == own || k.level == "float32" || k.level == "half":
		case k.above == 0:
			good = append(good, k.level)
		case k.least > t.most:
			bad = append(bad, k.level)
		}
	}
	if len(good) > 0 {
		lines = append(lines, "Integer exponentials whose divergence is nowhere told to be above the exact one's: "+strings.Join(good, ", ")+".")
	}
	if len(bad) > 0 {
		lines = append(lines, "Everywhere worse than DI-Exp at its worst: "+strings.Join(bad, ", ")+".")
	}
	if ppl := tallyOf(m.tallies("exp", "float64", "delta", texts), own); ppl != nil {
		lines = append(lines, fmt.Sprintf("Perplexity with DI-Exp changes by %s %%: upwards in %d, downwards in %d, not told in %d of %d comparisons.", fromTo(ppl.least, ppl.most), ppl.above, ppl.below, ppl.even, ppl.all()))
	}
	return strings.Join(lines, "\n")
}

// NonLinearVerdict says, over models and texts, whether float operators bring the integer engine closer to the float model: for
// each pair of widths and each set of float operators, how often closer and how often farther. Widths at which some set is more
// often closer than farther, which speaks against integer operators, come first.
func (m ByModel) NonLinearVerdict(texts ...string) string {
	var against, even []string
	for _, widths := range m.levels("recipe") {
		var sets []string
		var windows windowRange
		closer := false
		for _, t := range m.tallies("operators", Integer, "excess", texts, "recipe", widths) {
			sets = append(sets, fmt.Sprintf("%s closer %d, farther %d of %d", t.level, t.below, t.above, t.all()))
			windows.add(t.windows.least)
			windows.add(t.windows.most)
			closer = closer || t.below > t.above
		}
		line := fmt.Sprintf("%s, by divergence from fp32 (paired t tests at 95 %%, %s each): %s.", widths, windows, strings.Join(sets, "; "))
		switch {
		case len(sets) == 0:
		case closer:
			against = append(against, "Against integer operators, "+line)
		default:
			even = append(even, "Not against integer operators, "+line)
		}
	}
	if len(against)+len(even) == 0 {
		return "No records yet."
	}
	return strings.Join(append(against, even...), "\n")
}

// levels lists what an axis of the study has in any of the models, in the study's order.
func (m ByModel) levels(axis string) (out []string) {
	for _, runs := range m {
		for _, row := range runs.rows {
			if l := row.axes[axis]; l != "" && !slices.Contains(out, l) && row.axes[runs.Study.Axes[1].Name] != "" {
				out = append(out, l)
			}
		}
	}
	return out
}

// NonLinearChanges counts, over models and texts, what each set of float operators changes: perplexity and divergence from
// fp32, least to most, and how often a paired t test tells that (told).
func (m ByModel) NonLinearChanges(texts ...string) chart.Grid {
	g := chart.Grid{Left: 2, Head: []string{"widths", "operators", "perplexity (%)", "lower", "higher", "divergence from fp32 (nats/1000)", "lower", "higher", "comparisons"}}
	for _, widths := range m.levels("recipe") {
		kl := m.tallies("operators", Integer, "excess", texts, "recipe", widths)
		for _, p := range m.tallies("operators", Integer, "delta", texts, "recipe", widths) {
			row := []string{widths, p.level, fromTo(p.least, p.most), fmt.Sprint(p.below), fmt.Sprint(p.above), none, none, none, fmt.Sprint(p.all())}
			if d := tallyOf(kl, p.level); d != nil {
				row[5], row[6], row[7] = fromTo(d.least, d.most), fmt.Sprint(d.below), fmt.Sprint(d.above)
			}
			g.Rows = append(g.Rows, row)
		}
	}
	return g
}

// ExpChanges says for one text which exponentials change the perplexity of each model by a paired t test, and what
// some of them add to the divergence from fp32.
func (m ByModel) ExpChanges(corpus string) string {
	var lines []string
	for _, runs := range m {
		change := runs.Against("exp", "float64")
		lines = append(lines, runs.model()+", "+change.Resolved(corpus))
		if text := change.Divergences(corpus, []string{"di-exp", "di-exp+", "lut32", "i-bert", "di-exp-published", "taylor3-raw"}); !strings.HasSuffix(text, "no records yet.") {
			lines = append(lines, runs.model()+", "+text)
		}
	}
	return strings.Join(lines, "\n")
}
