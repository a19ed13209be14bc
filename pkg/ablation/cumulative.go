package ablation

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/illm-go/illm/pkg/chart"
)

// Steps of Cumulative, in order.
const (
	StepProducts = "fsbr, integer products"
	StepSoftmax  = "+ DI-ClippedSoftmax"
	StepSwiGLU   = "+ DI-SwiGLU"
	StepNorm     = "+ DI-Norm"
)

// Cumulative goes from calibrated weights under float inference to integers alone, one operator after the other
// (table T5): three methods simulated in float, then FSBR's artefact in the integer engine with float32 non-linear
// operators, which give way to the integer ones in the paper's order. The axis is called "method" as in Methods.
var Cumulative = Study{
	Name:     "cumulative",
	Question: "What does each step from simulated quantisation to integers alone cost?",
	Axes: []Axis{
		{Name: "width", Levels: []string{"w6a6", "w4a4"}, Check: checkRecipe, Help: "or another recipe of package quant without a method"},
		{Name: "method", Levels: []string{"smoothquant", "omniquant", "fsbr", StepProducts, StepSoftmax, StepSwiGLU, StepNorm}},
		{Name: "corpus", Levels: []string{"wikitext2", "c4"}, Check: checkCorpus, Help: `or "opticks", or the path of a text file`},
	},
	Fixed:  map[string]string{"model": "tiny-llama", "clip": "15", "mode": "illm", "window": Longest, "first": "0", "windows": Most},
	Spread: "corpus",
	Derive: deriveStep,
	Base:   map[string]string{"width": "fp32", "method": "", "clip": "", "mode": ""},
}

// deriveStep spells a step as recipe, arithmetic and operators.
func deriveStep(c Config) {
	floats := map[string]string{StepProducts: "float32", StepSoftmax: "float32:activation+norm", StepSwiGLU: "float32:norm", StepNorm: Integer}
	ops, integer := floats[c["method"]]
	switch {
	case c["method"] == "":
		c["recipe"] = c["width"]
	case integer:
		c["recipe"], c["arithmetic"], c["operators"] = c["width"]+"-fsbr", Integer, ops
	default:
		c["recipe"], c["arithmetic"] = c["width"]+"-"+c["method"], "simulated"
	}
}

// steps is the way of Cumulative, from the simulation that it starts at.
var steps = []string{"fsbr", StepProducts, StepSoftmax, StepSwiGLU, StepNorm}

// StepCosts says in words what each step of Cumulative costs against the one before it, and what all of them do, a line a
// width: change of perplexity, and of the divergence from the float model in nats/1000, told by paired t tests.
func (r *Runs) StepCosts(corpus string) string {
	var lines []string
	for _, width := range (ByModel{r}).levels("width") {
		if line := r.stepCosts(corpus, width); line != "" {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "\n")
}

func (r *Runs) stepCosts(corpus, width string) string {
	var ppl, kl []string
	var windows windowRange
	measured := 0
	for i, step := range steps[1:] {
		v, ok := r.Against("method", steps[i]).rivalNamed(step, corpus, "width", width)
		if !ok {
			continue
		}
		measured++
		windows.add(v.nll.windows)
		if v.resolved() {
			ppl = append(ppl, step+" "+changed(v.ppl))
		}
		if v.kl.told() != 0 {
			kl = append(kl, step+" "+v.kl.thousandths())
		}
	}
	if measured == 0 {
		return ""
	}
	told := func(list []string) string {
		if len(list) == 0 {
			return fmt.Sprintf("none of %d steps is told", measured)
		}
		return strings.Join(list, ", ") + fmt.Sprintf(" (%d of %d steps told)", len(list), measured)
	}
	line := fmt.Sprintf("%s, %s (%s), a step against the one before it, paired t tests at 95 %%. Perplexity: %s. Divergence (nats/1000): %s.",
		width, chart.Text(corpus), windows, told(ppl), told(kl))
	if v, ok := r.Against("method", steps[0]).rivalNamed(StepNorm, corpus, "width", width); ok {
		mark := func(told bool) string {
			if told {
				return ""
			}
			return " (not resolved)"
		}
		line += fmt.Sprintf(" All of them: perplexity %s%s, divergence %s%s.", changed(v.ppl), mark(v.resolved()), v.kl.thousandths(), mark(v.kl.told() != 0))
	}
	return line
}

// farBar is how many times the next one a bar may be before it is left out: beyond it the others are a line on the axis.
const farBar = 10

// StepsChart draws the divergence from the float model on one text over the steps, a panel a width. A method whose bar would
// hide the others (farBar) is left out of its panel and stands below the title with its value.
func (r *Runs) StepsChart(corpus string) *chart.Chart {
	c := chart.Bar(r, "method", "kld_mean_"+corpus, "width").Panels().Size(1000, 420)
	c.Title = "Divergence from fp32 step by step, " + chart.Text(corpus) + ": " + r.model()
	var left []string
	for i := range c.Series {
		s := &c.Series[i]
		for _, p := range farPoints(s.Points) {
			left = append(left, fmt.Sprintf("%s %s %s", s.Name, p.Label, chart.Value{Y: p.Y, Err: p.Err}))
			s.Points = slices.DeleteFunc(s.Points, func(q chart.Point) bool { return q.Label == p.Label })
		}
	}
	if len(left) > 0 {
		c.Subtitle += fmt.Sprintf("; not drawn, more than %d times the others: %s", farBar, strings.Join(left, ", "))
	}
	return c
}

// farPoints are those above a gap of farBar times, the highest first. At least two are left.
func farPoints(points []chart.Point) []chart.Point {
	byY := slices.Clone(points)
	slices.SortStableFunc(byY, func(a, b chart.Point) int { return cmp.Compare(b.Y, a.Y) })
	far := 0
	for i := 0; i+2 < len(byY); i++ { // two bars are left to compare
		if byY[i+1].Y > 0 && byY[i].Y > farBar*byY[i+1].Y {
			far = i + 1
		}
	}
	return byY[:far]
}
