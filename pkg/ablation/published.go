package ablation

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/illm-go/illm/pkg/chart"
	"github.com/illm-go/illm/pkg/record"
)

// printed is one row of mode published beside the same widths of mode illm and the float model, all on the windows that both
// records hold: records of the two modes may have different numbers of windows.
type printed struct {
	model, width     string
	float, own, ppl  float64 // perplexities: float model, mode illm, mode published
	ownKL, kl        float64 // divergence from the float model in nats
	change, changeSE float64 // of ppl from float in percent, paired by window
	told             int     // which way it is told from nothing
	windows          int
}

// printedRows pairs the rows of two modes, model by model and width by width.
func printedRows(own, published ByModel, corpus string) (out []printed) {
	for _, there := range published {
		at := slices.IndexFunc(own, func(r *Runs) bool { return r.model() == there.model() })
		if at < 0 {
			continue
		}
		for _, row := range there.rows {
			theirs := row.cells[corpus]
			if theirs == nil || theirs.record == nil || row.axes["setting"] == "" {
				continue
			}
			for _, other := range own[at].rows {
				ours := other.cells[corpus]
				if ours == nil || ours.record == nil || other.axes["width"] != row.axes["width"] || other.axes["setting"] != row.axes["setting"] || other.axes["method"] != row.axes["method"] {
					continue
				}
				if p, ok := beside(ours.record, theirs.record); ok {
					p.model, p.width = there.model(), row.axes["width"]
					out = append(out, p)
				}
			}
		}
	}
	return out
}

// beside sums two records up over the windows that both hold; ok is false where they share none or do not hold the float
// model's likelihood.
func beside(own, published *record.Record) (p printed, ok bool) {
	ours := map[int]record.WindowStat{}
	for _, w := range own.Windows {
		ours[w.Index] = w
	}
	var n, float, nll, ownNLL, kl, ownKL float64
	var a, b record.Record // published and float model, to be paired
	for _, w := range published.Windows {
		o, both := ours[w.Index]
		if !both || o.N != w.N || w.N == 0 || w.BaseNLL == 0 {
			continue
		}
		n += float64(w.N)
		float, nll, ownNLL = float+w.BaseNLL, nll+w.NLL, ownNLL+o.NLL
		kl, ownKL = kl+w.KL, ownKL+o.KL
		a.Windows = append(a.Windows, w)
		w.NLL = w.BaseNLL
		b.Windows = append(b.Windows, w)
	}
	if n == 0 {
		return p, false
	}
	mean, se, windows := PairedNLL(&a, &b)
	return printed{
		float: math.Exp(float / n), own: math.Exp(ownNLL / n), ppl: math.Exp(nll / n), ownKL: ownKL / n, kl: kl / n,
		change: 100 * math.Expm1(mean), changeSE: 100 * math.Exp(mean) * se, told: told(mean, se, windows), windows: windows,
	}, true
}

// PublishedBeside lays mode published out beside mode illm on one text, both on the windows that they share.
func PublishedBeside(own, published ByModel, corpus string) chart.Grid {
	g := chart.Grid{Left: 2, Head: []string{"model", "widths", "fp32 PPL ↓", "illm PPL ↓", "published PPL ↓", "published, change from fp32 (%)", "illm KL (nats) ↓", "published KL (nats) ↓", "windows"}}
	for _, p := range printedRows(own, published, corpus) {
		g.Rows = append(g.Rows, []string{p.model, p.width, four(p.float), four(p.own), four(p.ppl),
			chart.Value{Y: p.change, Err: p.changeSE}.String(), fmt.Sprintf("%.3g", p.ownKL), fmt.Sprintf("%.3g", p.kl), fmt.Sprint(p.windows)})
	}
	if len(g.Rows) == 0 {
		return chart.Grid{Head: []string{"no record yet"}}
	}
	return g
}

// PublishedVerdict says what the paper's literal formulas lose against the float model at one width, and what the forms used
// here lose on the same windows. The paper claims that its integer operators lose next to nothing at W8A8.
func PublishedVerdict(own, published ByModel, corpus, width string) string {
	var worse, rest []string
	for _, p := range printedRows(own, published, corpus) {
		if p.width != width {
			continue
		}
		line := fmt.Sprintf("%s %s → %s (%s %%; mode illm %s)", p.model, four(p.float), four(p.ppl), signed(p.change, p.changeSE), four(p.own))
		if p.told > 0 {
			worse = append(worse, line)
		} else {
			rest = append(rest, line)
		}
	}
	head := fmt.Sprintf("the operators as the paper prints them (mode published), perplexity on %s at %s from fp32 on", chart.Text(corpus), width)
	var lines []string
	if len(worse) > 0 {
		lines = append(lines, "Against the paper's claim of next to no loss, "+head+": "+strings.Join(worse, "; ")+".")
	}
	if len(rest) > 0 {
		lines = append(lines, "Not told from fp32, or better, "+head+": "+strings.Join(rest, "; ")+".")
	}
	if len(lines) == 0 {
		return fmt.Sprintf("Mode published, %s, %s: no records yet.", width, chart.Text(corpus))
	}
	return strings.Join(lines, "\n")
}

// signed is a value with its sign and error, in the error's digits.
func signed(y, err float64) string {
	s := chart.Value{Y: y, Err: err}.String()
	if y > 0 {
		s = "+" + s
	}
	return s
}
