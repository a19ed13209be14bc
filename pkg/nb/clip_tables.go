package nb

import (
	"github.com/illm-go/illm/pkg/ablation"
	"github.com/illm-go/illm/pkg/chart"
)

// clipMost is the cost of a clip value, in percent, beyond which ClipTables draws no point.
const clipMost = 8

// ClipTables is table T6 of one model, to be shown in this order: for each text with records a chart of what a clip value
// changes against none, the text's name, and the clip value of EXAQ's rule beside what the records say; at the end all rows.
// The rule stands on the scores of the model over the first n tokens of a text.
func (s *Session) ClipTables(model, text string, n int, recipes ...string) ([]any, error) {
	runs, err := s.Run(ablation.Clip, ablation.Set("model", model), ablation.Set("corpus", "wikitext2", "c4"), ablation.Set("recipe", recipes), ablation.WithoutBase(), ablation.Stored())
	if err != nil {
		return nil, err
	}
	rules, err := s.Rules(model, text, n, recipes...)
	if err != nil {
		return nil, err
	}
	change := runs.Against("clip", "none")
	columns, out := []string{"recipe", "clip"}, []any{model}
	for _, on := range change.Texts() {
		out = append(out, change.ClipChart(on, clipMost, rules[:min(1, len(rules))]...), chart.Text(on), change.RuleGrid(on, rules...))
		columns = append(columns, "ppl_"+on, "delta_"+on)
	}
	rows, err := TableOf(change, append(columns, "windows")...)
	return append(out, rows), err
}
