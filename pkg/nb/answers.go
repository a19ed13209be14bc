package nb

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/illm-go/illm/pkg/ablation"
	"github.com/illm-go/illm/pkg/chart"
)

// Finding is what the records, or the artefacts, say to one question; Command, if any, prints the records behind it.
type Finding struct{ Question, Text, Command string }

// String puts the answer below its question, and the command below both.
func (f Finding) String() string { return lines(f.Question, f.Text, f.Command) }

// lines joins what is not empty, a line each.
func lines(list ...string) string {
	return strings.Join(slices.DeleteFunc(list, func(s string) bool { return s == "" }), "\n")
}

// answering collects answers until the first error.
type answering struct {
	s             *Session
	model, beside string
	out           []Finding
	err           error
}

// runs answers a study on one model from records.
func (a *answering) runs(study ablation.Study, model string, options ...ablation.Option) *ablation.Runs {
	if a.err == nil {
		var m ablation.ByModel
		if m, a.err = a.s.ByModel(study, []string{model}, append(options, ablation.WithoutBase())...); a.err == nil {
			return m[0]
		}
	}
	return &ablation.Runs{Study: study}
}

// all answers a study on the models of the tables.
func (a *answering) all(study ablation.Study, options ...ablation.Option) (m ablation.ByModel) {
	if a.err == nil {
		m, a.err = a.s.ByModel(study, ablation.Models4, append([]ablation.Option{ablation.Set("corpus", "wikitext2"), ablation.WithoutBase()}, options...)...)
	}
	return m
}

func (a *answering) add(question string, text ...string) {
	a.out = append(a.out, Finding{Question: question, Text: lines(text...)})
}

// Answers says in a few sentences each what is known of the questions of the notebook 33-questions: on a model whose artefacts
// can be made here, and on another one or all models of the tables where only records are asked. n is how many tokens of a text
// the exponents are counted on.
func (s *Session) Answers(model, beside, text string, n int) ([]Finding, error) {
	if s.err != nil {
		return nil, s.err
	}
	a := &answering{s: s, model: model, beside: beside}
	a.scales(text, n)
	a.dynamic()
	a.cache()
	a.blocks()
	a.methods()
	return a.out, a.err
}

// scales are the questions about m, k, M and their storage.
func (a *answering) scales(text string, n int) {
	const corpus = "wikitext2"
	m := a.runs(ablation.Mantissa, a.model).Against("mantissa", "16")
	a.add("Bits of the mantissa m?", "w8a8. "+m.Resolved(corpus, "recipe", "w8a8"), "w4a4. "+m.Resolved(corpus, "recipe", "w4a4"))
	var k []string
	for _, recipe := range []string{"w8a8", "w4a4"} {
		if a.err == nil {
			var g chart.Grid
			if g, a.err = a.s.Exponents(a.model, recipe, text, n); a.err == nil {
				k = append(k, fmt.Sprintf("%s: at most %d bits tell the exponents of one kind of scale apart; the largest is %d.", recipe, largest(g, "bits above the least"), largest(g, "largest k")))
			}
		}
	}
	a.add("Bits of the exponent k?", k...)
	w := a.runs(ablation.Multiplier, a.model).Against("multiplier", "24")
	far := a.runs(ablation.Multiplier, outliers, ablation.Set("recipe", "w8a8")).Against("multiplier", "24")
	a.add("Bits of a weight channel's multiplier M?", "w8a8. "+w.Resolved(corpus, "recipe", "w8a8"), "w4a4. "+w.Resolved(corpus, "recipe", "w4a4"), outliers+", w8a8. "+far.Resolved(corpus))
	var stored []string
	if a.err == nil {
		var list []ablation.Storage
		if list, a.err = a.s.Storage(a.model, "w8a8", "w4a4"); a.err == nil {
			for _, one := range list {
				stored = append(stored, one.Sentence())
			}
		}
	}
	a.add("Storage of scales and zero points?", stored...)
}

// outliers is the model of the tables with channels of very different size.
const outliers = "tiny-llama+outliers"

// dynamic are the questions about grids of the rows' own.
func (a *answering) dynamic() {
	var headers string
	if a.err == nil {
		var g chart.Grid
		if g, a.err = a.s.Headers(a.model, "w4a4", 16); a.err == nil && len(g.Rows) > 0 {
			all := g.Rows[len(g.Rows)-1]
			headers = fmt.Sprintf("Headers add %s bits to a value of w4a4 on average.", all[len(all)-1])
		}
	}
	static := a.all(ablation.Static)
	a.add("What does dynamic quantisation cost, and buy?", headers, static.StaticVerdict("wikitext2"))
	list := slices.Clone(static)
	for _, study := range []ablation.Study{ablation.Methods, ablation.Clip, ablation.KV, ablation.Context} {
		list = append(list, a.all(study)...)
	}
	a.add("Does anything saturate?", ablation.SaturationSentence(list...))
}

// cache are the questions about keys and values and about long contexts.
func (a *answering) cache() {
	const corpus = "wikitext2"
	kv := a.runs(ablation.KV, a.model, ablation.Set("width", "w8a8", "w4a4-fsbr")).Against("kv", "8")
	far := a.runs(ablation.KV, a.beside, ablation.Set("width", "w8a8")).Against("kv", "8")
	a.add("Bits of keys and values?", "w8a8. "+kv.Resolved(corpus, "width", "w8a8"), "w4a4-fsbr. "+kv.Resolved(corpus, "width", "w4a4-fsbr"), a.beside+", w8a8. "+far.Resolved(corpus))
	long := a.runs(ablation.Context, a.model)
	longer := a.runs(ablation.Context, a.beside, ablation.Set("recipe", "w8a8", "w4a4-fsbr"), ablation.Set("window", 512, 2048, 8192), ablation.Set("tokens", 16384))
	a.add("Does the error grow along a context?", a.model+", "+long.Rises("w8a8", corpus), a.model+", "+long.Rises("w4a4", corpus),
		a.beside+", "+longer.Rises("w8a8", corpus), a.beside+", "+longer.Rises("w4a4-fsbr", corpus))
}

// blocks is the question which layers need their bits.
func (a *answering) blocks() {
	var text []string
	for _, name := range []string{a.model, a.beside} {
		if a.err != nil {
			break
		}
		var n int
		if n, a.err = a.s.Blocks(name); a.err == nil && n > 0 {
			text = append(text, a.runs(ablation.Layers, name, ablation.Set("layers", ablation.OneLayer(n))).MostSensitive("wikitext2"))
		}
	}
	a.add("Which layers need their bits?", text...)
}

// methods are the questions about calibration.
func (a *answering) methods() {
	const corpus = "wikitext2"
	shares := a.runs(ablation.Shares, outliers).Against("kinds", ablation.AllKinds)
	var out []any
	for _, l := range ablation.Shares.Axes[0].Levels {
		if strings.HasPrefix(l, "-") {
			out = append(out, l)
		}
	}
	a.add("What does each kind of smoothing contribute?", outliers+", left out of FSBR at W4A4. "+shares.Where("kinds", out...).Resolved(corpus))
	var rotation []string
	for _, name := range []string{a.model, a.beside} {
		rotation = append(rotation, name+", W4A4. "+a.runs(ablation.Rotation, name).Against("method", "fsbr").Resolved(corpus))
	}
	a.add("Rotations or factors?", rotation...)
	integer := []ablation.Option{ablation.Set("arithmetic", ablation.Integer), ablation.Set("method", "rtn", "fsbr", "best")}
	widths := a.all(ablation.Methods, integer...)
	texts := []string{corpus}
	a.add("W4A8 or W4A4?", widths.Duel("width", "w4a8", "w8a8", texts), widths.Duel("width", "w4a4", "w4a8", texts))
	var seeds []string
	for _, method := range []string{"best", "fsbr"} {
		seeds = append(seeds, method+". "+a.runs(ablation.Calibration, a.model, ablation.Set("method", method)).Seeds("ppl_"+corpus).Sentence())
	}
	a.add("How much of a calibration is chance?", seeds...)
}

// largest is the largest whole number in a column of a table, 0 where there is none.
func largest(g chart.Grid, column string) (most int) {
	at := slices.Index(g.Head, column)
	for _, row := range g.Rows {
		if at >= 0 && at < len(row) {
			if n, err := strconv.Atoi(row[at]); err == nil {
				most = max(most, n)
			}
		}
	}
	return most
}
