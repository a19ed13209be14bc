package ablation

import (
	"fmt"
	"math"
	"strings"

	"github.com/illm-go/illm/pkg/chart"
)

// smoothKinds are the kinds of smoothing and clipping of a gated model, as Shares and Retrained leave them out and alone.
var smoothKinds = []string{"qkv", "mlp", "vo", "qk", "gate_up", "up_down", "clip"}

// Retrained asks what Shares asks, with the factors of every row trained anew: without the kind, or of the kind alone. A
// row is a variant of the recipe, whose factors were made by
//
//	-qkv    trainer fsbr --kinds all,-qkv    MODEL-w4a4-fsbr@no_qkv.safetensors
//	qkv     trainer fsbr --kinds qkv         MODEL-w4a4-fsbr@only_qkv.safetensors
//
// with the settings of the row "all" for the rest.
var Retrained = Study{
	Name:     "retrained",
	Question: "What does each kind of smoothing contribute, left out and alone, when the rest is trained again?",
	Axes: []Axis{
		{Name: "trained", Levels: shareLevels(), Check: checkTrained, Help: `or a kind, "-" in front where it was left out`},
		{Name: "corpus", Levels: []string{"wikitext2"}, Check: checkCorpus, Help: `"c4", "enwiki", "opticks", or the path of a text file`},
	},
	Fixed:  map[string]string{"model": "tiny-llama", "width": "w4a4", "method": "fsbr", "clip": "15", "mode": "illm", "window": Longest, "first": "0", "windows": Most},
	Spread: "corpus",
	Derive: func(c Config) {
		spellMethod(c)
		switch kind, off := strings.CutPrefix(c["trained"], "-"); {
		case kind == "" || kind == AllKinds:
		case kind == noKinds:
			c["recipe"] = c["width"]
		case off:
			c["recipe"] += "@no_" + kind
		default:
			c["recipe"] += "@only_" + kind
		}
	},
	Base: map[string]string{"trained": "", "width": "fp32", "method": "", "clip": "", "mode": ""},
}

// noKinds is the level without any factor: rounding to nearest.
const noKinds = "none"

// shareLevels are all kinds, each left out, none, each alone.
func shareLevels() []string {
	levels := []string{AllKinds}
	for _, k := range smoothKinds {
		levels = append(levels, "-"+k)
	}
	return append(append(levels, noKinds), smoothKinds...)
}

func checkTrained(s string) (string, error) {
	return checkKinds(strings.TrimPrefix(s, "-"))
}

// KindTable sets the shares with the factors as they were trained together (runs of Shares) beside those that were trained
// again (runs of Retrained): the change of perplexity, paired by window, from all kinds where one is left out and from none
// where it is alone. Rows without any value are left out.
func KindTable(together, again *Runs, corpus string) chart.Grid {
	g := chart.Grid{Left: 1, Head: []string{"kind", "left out, as trained", "left out, trained again", "alone, as trained", "alone, trained again"}}
	for _, k := range smoothKinds {
		row, any := []string{k}, false
		for _, of := range []struct{ level, from string }{{"-" + k, AllKinds}, {k, noKinds}} {
			for _, side := range []struct {
				runs *Runs
				axis string
			}{{together, "kinds"}, {again, "trained"}} {
				v, ok := side.runs.changeOf(side.axis, of.level, of.from, corpus)
				any = any || ok
				if ok {
					row = append(row, changed(v))
				} else {
					row = append(row, "–")
				}
			}
		}
		if any {
			g.Rows = append(g.Rows, row)
		}
	}
	return g
}

// changeOf is the change of perplexity between two levels of an axis on a text, in percent.
func (r *Runs) changeOf(axis, level, from, corpus string) (chart.Value, bool) {
	d := r.Against(axis, from).Where(axis, level)
	for i := range d.Len() {
		if l, _ := d.Text(i, axis); l == level {
			return d.Number(i, "delta_"+corpus)
		}
	}
	return chart.Value{}, false
}

// KindChart draws one half of KindTable: left out, or with alone each kind by itself.
func KindChart(together, again *Runs, corpus string, alone bool) *chart.Chart {
	c := &chart.Chart{Kind: chart.KindBar, Title: "Left out: change from all kinds", X: chart.Axis{Name: "kind"},
		Y: chart.Axis{Name: "Change of perplexity, " + chart.Text(corpus), Unit: "%", Better: chart.Lower}}
	from, before := AllKinds, "-"
	if alone {
		c.Title, from, before = "Alone: change from no factors", noKinds, ""
	}
	var of []string
	for _, side := range []struct {
		name, axis string
		runs       *Runs
	}{{"factors as trained together", "kinds", together}, {"trained again", "trained", again}} {
		s := chart.Series{Name: side.name}
		for _, k := range smoothKinds {
			if v, ok := side.runs.changeOf(side.axis, before+k, from, corpus); ok {
				s.Points = append(s.Points, chart.Point{Label: before + k, Y: v.Y, Err: v.Err, ID: v.ID})
			}
		}
		if s.Points != nil {
			c.Series = append(c.Series, s)
			of = append(of, fmt.Sprintf("%s: %s", side.name, side.runs.measuredIn("ppl_"+corpus)))
		}
	}
	if len(of) == 2 && together.measuredIn("ppl_"+corpus) == again.measuredIn("ppl_"+corpus) {
		of = []string{together.measuredIn("ppl_" + corpus)}
	}
	c.Subtitle = strings.Join(append(of, "bars: ± 1 standard error of the difference, paired by window"), "; ")
	return c
}

// KindVerdict says of which kinds it is told that leaving them out costs something when the rest is trained again: where the
// change exceeds twice its error. The error has the windows' part and that of chance in two trainings, √2 times the standard
// deviation over the seeds (Runs.Seeds); with fewer than three seeds there is no verdict.
func KindVerdict(again *Runs, seeds Spread, corpus string) string {
	if seeds.N < 3 {
		return "Which kinds are missed beyond the chance of a training cannot be said: " + seeds.Sentence()
	}
	chance := 100 * seeds.SD / seeds.Mean
	var missed, harmful, open []string
	for _, k := range smoothKinds {
		v, ok := again.changeOf("trained", "-"+k, AllKinds, corpus)
		if !ok {
			continue
		}
		words := fmt.Sprintf("%s (%s)", k, changed(v))
		switch err := math.Sqrt(v.Err*v.Err + 2*chance*chance); {
		case v.Y > 2*err:
			missed = append(missed, words)
		case v.Y < -2*err:
			harmful = append(harmful, words)
		default:
			open = append(open, words)
		}
	}
	if len(missed)+len(harmful)+len(open) == 0 {
		return "No kind has been left out and trained again yet."
	}
	text := fmt.Sprintf("Left out and trained again, against twice the error of the windows and of two trainings (%d seeds, standard deviation %.2g %%): ", seeds.N, chance)
	for _, part := range []struct {
		names []string
		words string
	}{{missed, "missed: "}, {harmful, "better without: "}, {open, "not told apart from chance: "}} {
		if part.names != nil {
			text += part.words + strings.Join(part.names, ", ") + "; "
		}
	}
	return strings.TrimSuffix(text, "; ") + "."
}
