package ablation

import (
	"fmt"
	"math"
	"strconv"

	"github.com/illm-go/illm/pkg/baseline"
	"github.com/illm-go/illm/pkg/chart"
)

// scoreBits is the width of the score codes in every recipe.
const scoreBits = 8

// Rule is EXAQ's clip value for a model's scores: c = a·σ + b with a and b for 8-bit codes (baseline.ExaqLine) and σ, in
// natural units, the deviation of the scores of a row, averaged over rows and weighted by their keys. The rule is derived
// for codes of 2 to 4 bits, where steps are coarse; at 8 bits it is the published line continued.
type Rule struct {
	Recipe      string
	Sigma, Clip float64
	Rows        uint64
}

// Rule applies EXAQ's rule to the scores that were seen.
func (s *Scores) Rule(recipe string) Rule {
	a, b := baseline.ExaqLine(scoreBits)
	sigma := s.Sigma()
	rows, _ := s.Count()
	return Rule{Recipe: recipe, Sigma: sigma, Clip: a*sigma + b, Rows: rows}
}

// Sigma is the deviation of a row's scores in natural units, averaged over rows, each weighted by its number of keys.
func (s *Scores) Sigma() float64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.total == 0 {
		return 0
	}
	return s.sigma.float(sigmaBits) / float64(s.total)
}

// ClipChart draws the change of perplexity over the clip value, a number here, a line a recipe; "none" is the line at 0.
// Levels that cost more than most percent are left out and counted below the title; gains are all drawn. Marks are the rules'
// clip values.
func (d *Relative) ClipChart(corpus string, most float64, rules ...Rule) *chart.Chart {
	c := &chart.Chart{Kind: chart.KindLine, Title: "Change of perplexity by clip value, " + chart.Text(corpus), Subtitle: d.CaptionOf("delta_" + corpus),
		X: chart.Axis{Name: "clip c", Unit: "natural units"}, Y: chart.Axis{Name: "Change of perplexity", Unit: "%", Better: chart.Lower}}
	at := map[string]int{}
	left := 0
	for i := range d.shown.rows {
		recipe, level := d.shown.rows[i].axes["recipe"], d.shown.rows[i].axes["clip"]
		x, err := strconv.ParseFloat(level, 64)
		if err != nil { // "none", and the float model
			continue
		}
		v, ok := d.Number(i, "delta_"+corpus)
		if !ok {
			continue
		}
		if v.Y > most {
			left++
			continue
		}
		j, seen := at[recipe]
		if !seen {
			j = len(c.Series)
			at[recipe] = j
			c.Series = append(c.Series, chart.Series{Name: recipe, Method: recipe})
		}
		c.Series[j].Points = append(c.Series[j].Points, chart.Point{X: x, Y: v.Y, Err: v.Err, ID: v.ID})
	}
	switch {
	case left == 1:
		c.Subtitle += fmt.Sprintf("; one point above +%g %% not drawn", most)
	case left > 1:
		c.Subtitle += fmt.Sprintf("; %d points above +%g %% not drawn", left, most)
	}
	c.Baseline("no clip", 0)
	for _, r := range rules {
		if r.Rows > 0 {
			c.Mark(fmt.Sprintf("a·σ + b, %s: %.1f", r.Recipe, r.Clip), r.Clip)
		}
	}
	return c
}

// RuleGrid sets the rules beside what was measured on a text: the level with the lowest perplexity, and the smallest that
// is not told to cost anything against no clip (told, on the paired difference).
func (d *Relative) RuleGrid(corpus string, rules ...Rule) chart.Grid {
	g := chart.Grid{Head: []string{"widths", "σ of a row's scores", "rule: a·σ + b", "lowest perplexity at c", "its change", "smallest c without a cost", "c = 15 changes"}}
	for _, r := range rules {
		row := []string{r.Recipe, short(r.Sigma), short(r.Clip), "–", "–", "–", "–"}
		best, least := math.Inf(1), math.Inf(1)
		for i := range d.shown.rows {
			axes := d.shown.rows[i].axes
			v, ok := d.Number(i, "delta_"+corpus)
			if axes["recipe"] != r.Recipe || !ok {
				continue
			}
			if v.Y < best {
				best, row[3], row[4] = v.Y, axes["clip"], changed(v)
			}
			if x, err := strconv.ParseFloat(axes["clip"], 64); err == nil && x < least && told(PairedNLL(d.cells(i, corpus))) <= 0 {
				least, row[5] = x, axes["clip"]
			}
			if axes["clip"] == "15" {
				row[6] = changed(v)
			}
		}
		g.Rows = append(g.Rows, row)
	}
	return g
}
