package ablation

import (
	"fmt"
	"slices"
	"strings"

	"github.com/illm-go/illm/pkg/chart"
)

// tally counts comparisons of one level with the reference: the level's value above, below and within two standard errors.
type tally struct {
	level              string
	above, below, even int
	least, most        float64
	named              []string // where it is beyond, in words
}

func (t tally) all() int { return t.above + t.below + t.even }

// tallies compares every level of an axis with a reference over models, texts and all other axes, by the metric "delta"
// (change of perplexity in percent) or "excess" (divergence in nats/1000).
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
				if !ok || v.Err <= 0 { // one window: no error is known
					continue
				}
				at := slices.IndexFunc(out, func(t *tally) bool { return t.level == level })
				if at < 0 {
					at, out = len(out), append(out, &tally{level: level, least: v.Y, most: v.Y})
				}
				t := out[at]
				t.least, t.most = min(t.least, v.Y), max(t.most, v.Y)
				switch {
				case v.Y > 2*v.Err:
					t.above++
				case v.Y < -2*v.Err:
					t.below++
				default:
					t.even++
				}
				if v.Y > 2*v.Err || v.Y < -2*v.Err {
					where := runs.model()
					for _, a := range runs.Study.Axes {
						if l := row.axes[a.Name]; l != "" && a.Name != axis && a.Name != runs.Study.Spread && a.Name != "model" {
							where += " " + l
						}
					}
					t.named = append(t.named, fmt.Sprintf("%s %s: %s", where, chart.Text(text), v))
				}
			}
		}
	}
	return out
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
		lines = append(lines, fmt.Sprintf("Against the claim that integer operators lose nothing: DI-Exp is not free. Its divergence from fp32 is beyond two standard errors above that of an exact exponential in %d of %d comparisons (by %s nats/1000).", t.above, t.all(), fromTo(t.least, t.most)))
	default:
		lines = append(lines, fmt.Sprintf("As the claim has it that integer operators lose nothing: in %d comparisons DI-Exp's divergence from fp32 is nowhere above that of an exact exponential.", t.all()))
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
		lines = append(lines, "Integer exponentials whose divergence is nowhere told from the exact one's: "+strings.Join(good, ", ")+".")
	}
	if len(bad) > 0 {
		lines = append(lines, "Everywhere worse than DI-Exp at its worst: "+strings.Join(bad, ", ")+".")
	}
	if ppl := tallyOf(m.tallies("exp", "float64", "delta", texts), own); ppl != nil {
		lines = append(lines, fmt.Sprintf("Perplexity does not see it so: with DI-Exp it changes by %s %%, beyond two standard errors upwards in %d of %d comparisons, downwards in %d.", fromTo(ppl.least, ppl.most), ppl.above, ppl.all(), ppl.below))
	}
	return strings.Join(lines, "\n")
}

// NonLinearVerdict says, over models and texts, whether float operators bring the integer engine closer to the float model, in
// one sentence for each pair of widths. What speaks against integer operators comes first.
func (m ByModel) NonLinearVerdict(texts ...string) string {
	var against, even []string
	for _, widths := range m.levels("recipe") {
		kl := m.tallies("operators", Integer, "excess", texts, "recipe", widths)
		var closer, rest []string
		for _, t := range kl {
			line := fmt.Sprintf("%s in %d of %d", t.level, t.below, t.all())
			if t.below > t.above {
				closer = append(closer, line)
			} else {
				rest = append(rest, line)
			}
		}
		switch {
		case len(kl) == 0:
		case len(closer) > 0:
			against = append(against, fmt.Sprintf("Against integer operators, %s: closer to fp32 beyond two standard errors, by divergence, are %s comparisons.", widths, strings.Join(closer, ", ")))
		default:
			even = append(even, fmt.Sprintf("Not against them, %s: no float operators are closer to fp32 more often than farther from it (%s comparisons).", widths, strings.Join(rest, ", ")))
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
// fp32, least to most, and how often beyond two standard errors.
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

// ExpChanges says for one text which exponentials change the perplexity of each model beyond two standard errors, and what
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
