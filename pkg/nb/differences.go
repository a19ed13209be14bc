package nb

import (
	"fmt"

	"github.com/illm-go/illm/pkg/ablation"
)

// Differences says where the quality that this project's records show contradicts the paper, or other practice, on the models of
// the tables: from records alone, each with the command that prints its run. Of speed, bench.FloatsVerdict says it.
func (s *Session) Differences() ([]Finding, error) {
	if s.err != nil {
		return nil, s.err
	}
	a := &answering{s: s}
	two := ablation.Set("corpus", "wikitext2", "c4")
	texts := []string{"wikitext2", "c4"}
	add := func(question, command string, text ...string) {
		a.out = append(a.out, Finding{Question: question, Text: lines(text...), Command: command})
	}

	floats := a.all(ablation.NonLinear, two)
	add("Integer operators lose nothing", "illm study show nonlinear -m MODEL", floats.NonLinearVerdict(texts...))
	exps := a.all(ablation.Exp, two)
	add("DI-Exp as printed", "illm study show exp -m MODEL", exps.Duel("exp", "di-exp-published", "float64", texts), exps.Duel("exp", "di-exp", "float64", texts))
	mode := func(name string) ablation.ByModel {
		return a.all(ablation.Static, ablation.Set("mode", name), ablation.Set("method", "rtn"), ablation.Set("setting", ablation.Dynamic), ablation.Set("width", "w8a8"))
	}
	ours, published := mode("illm"), mode("published")
	add("The formulas as printed, at W8A8", "illm study show static -m MODEL --set mode=published --set method=rtn --set setting=dynamic", "Mode published beside ours:", ours.Beside(published, "wikitext2", "width", "w8a8"))
	methods := a.all(ablation.Methods, two, ablation.Set("arithmetic", ablation.Integer), ablation.Set("method", "omniquant", "fsbr", "best"))
	const command = "illm study show methods -m MODEL --set arithmetic=integer"
	simulated := a.runs(ablation.Methods, smollm2, two, ablation.Set("arithmetic", "simulated"), ablation.Set("method", "omniquant", "fsbr"))
	small := func(name string) bool { return name != outliers && name != smollm2 }
	add("FSBR beside its OmniQuant part", command, "the tiny models with even channels, "+only(methods, small).Duel("method", "fsbr", "omniquant", texts),
		outliers+", "+only(methods, named(outliers)).Duel("method", "fsbr", "omniquant", texts),
		smollm2+", "+only(methods, named(smollm2)).Duel("method", "fsbr", "omniquant", texts),
		smollm2+", simulated in float (illm study show methods -m "+smollm2+" --set arithmetic=simulated), "+ablation.ByModel{simulated}.Duel("method", "fsbr", "omniquant", texts))
	add("The best combination beside trained factors", command, methods.Duel("method", "best", "fsbr", texts), methods.Duel("method", "best", "omniquant", texts))
	clip := fmt.Sprintf("%s, W8A8, ", smollm2)
	trained := a.runs(ablation.Methods, smollm2, ablation.Set("width", "w8a8"), ablation.Set("method", "fsbr", "fsbr@clip"), ablation.Set("corpus", "wikitext2"), ablation.Set("windows", clippedWindows))
	add("Learned clipping of weights", fmt.Sprintf("illm study show methods -m %s --set width=w8a8 --set method=fsbr,fsbr@clip --set windows=%d", smollm2, clippedWindows),
		clip+ablation.ByModel{trained}.Duel("method", "fsbr@clip", "fsbr", texts))
	return a.out, a.err
}

// smollm2 is the one model that learned clipping at W8A8 was run on, on a few windows.
const (
	smollm2        = "smollm2"
	clippedWindows = 8
)

// only keeps the runs on the models of some names.
func only(m ablation.ByModel, keep func(name string) bool) (out ablation.ByModel) {
	for _, runs := range m {
		if keep(ablation.ModelOf(runs)) {
			out = append(out, runs)
		}
	}
	return out
}

// named is true of one model.
func named(model string) func(string) bool { return func(s string) bool { return s == model } }
