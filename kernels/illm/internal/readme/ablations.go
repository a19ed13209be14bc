package readme

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/illm-go/illm/pkg/ablation"
	"github.com/illm-go/illm/pkg/eval"
	"github.com/illm-go/illm/pkg/record"
)

// crossing is a table of an ablation: a row for every model and combination of the levels of rows, a column for every
// level of one axis. Rows without a record are left out.
type crossing struct {
	study  ablation.Study
	corpus string
	rows   []axis
	column axis
	heads  []string // of the levels of column
	first  int      // the column that the others are compared with
	base   bool     // a row of the float model, whose value stands in the first column
	value  func(runs *ablation.Runs, at, standard []string) string
}

// axis is some levels of one.
type axis struct {
	name   string
	levels []string
}

// crossings are the tables of the README that show ablations.
var crossings = map[string]crossing{
	"static": {
		study: ablation.Static, corpus: "wikitext2", rows: []axis{{"width", []string{"w8a8", "w6a6", "w4a4"}}, {"method", []string{"rtn", "fsbr"}}},
		column: axis{"setting", []string{"dynamic", "static", "static999", "statichead", "mixed"}},
		heads:  []string{"each token's own", "min/max", "99.9 %", "min/max a head", "mixed"}, value: perplexity,
	},
	"nonlinear": {
		study: ablation.NonLinear, corpus: "wikitext2", rows: []axis{{"recipe", []string{"w8a8", "w6a6", "w4a4"}}},
		column: axis{"operators", []string{"integer", "half:softmax", "half:activation", "half:norm", "half", "float32"}},
		heads:  []string{"all integer", "half softmax", "half SwiGLU or ReLU", "half norm", "half, all three", "float32, all three"}, value: perplexity,
	},
	"cumulative": {
		study: ablation.Cumulative, corpus: "wikitext2", rows: []axis{{"width", []string{"w6a6", "w4a4"}}},
		column: axis{"method", []string{"smoothquant", "omniquant", "fsbr", ablation.StepProducts, ablation.StepSoftmax, ablation.StepSwiGLU, ablation.StepNorm}},
		heads:  []string{"SmoothQuant", "OmniQuant", "FSBR", "FSBR, integer products", "+ DI-ClippedSoftmax", "+ DI-SwiGLU", "+ DI-Norm"}, first: 2, value: perplexity,
	},
	"zeroshot": {
		study: ablation.ZeroShots, corpus: ablation.ZeroShot, rows: []axis{{"width", []string{"w8a8", "w6a6", "w4a8", "w4a4"}}},
		column: axis{"method", calibratedMethods}, heads: calibratedHeads, base: true, value: answered,
	},
}

// exponentials are the rivals that the README shows, of the notebook's two dozen.
var exponentials = []string{"float64", "di-exp", "di-exp+", "di-exp-published", "lut256", "lut32i", "taylor3", "i-bert", "shiftmax", "softermax", "exaq"}

// crossed lays a crossing out over the four models.
func crossed(c crossing, store *record.Store) (string, error) {
	head := []string{"model"}
	counted := c.corpus != ablation.ZeroShot
	if counted {
		head = append(head, "windows")
	} else {
		head = append(head, "questions a task")
	}
	for _, a := range c.rows {
		head = append(head, map[string]string{"width": "widths", "recipe": "widths", "method": "calibration"}[a.name])
	}
	head = append(head, c.heads...)
	var rows [][]string
	for _, model := range ablation.Models4 {
		runs, err := c.study.Run(context.Background(), store, nil, onModel(model, c.corpus)...)
		if err != nil {
			return "", err
		}
		size := "–"
		for _, r := range runs.Records() {
			if counted {
				size = fmt.Sprintf("%d × %v", len(r.Windows), r.Config["window"])
			} else {
				size = fmt.Sprint(r.Config["items"])
				break // a row that has another number says so
			}
		}
		if c.base {
			width := c.rows[0].name
			if v := c.value(runs, []string{width, "fp32"}, nil); v != none {
				rows = append(rows, append(append([]string{model, size, "fp32"}, v), slices.Repeat([]string{""}, len(c.heads)-1)...))
			}
		}
		for _, levels := range combinations(c.rows) {
			row, any := []string{model, size}, false
			pairs := []string{}
			for i, level := range levels {
				row, pairs = append(row, level), append(pairs, c.rows[i].name, level)
			}
			standard := append(slices.Clone(pairs), c.column.name, c.column.levels[c.first])
			for _, level := range c.column.levels {
				v := c.value(runs, append(slices.Clone(pairs), c.column.name, level), standard)
				any = any || v != none
				row = append(row, v)
			}
			if any {
				rows = append(rows, row)
			}
		}
	}
	if rows == nil {
		return "No records yet.\n", nil
	}
	return grid(head, rows), nil
}

// onModel asks for the records of one model on one text, in windows as long as its positions or 2048.
func onModel(model, corpus string) []ablation.Option {
	list := []ablation.Option{ablation.Stored(), ablation.Set("model", model), ablation.Set("corpus", corpus)}
	switch {
	case corpus == ablation.ZeroShot: // has no windows
		list = append(list, ablation.Set("arithmetic", ablation.Integer), ablation.OwnWindows())
	case model == "smollm2":
		list = append(list, ablation.Set("window", "2048"))
	default: // the models that this repository trains
		list = append(list, ablation.Set("window", "1024"))
	}
	return list
}

// combinations lists every choice of one level an axis, the last axis fastest.
func combinations(axes []axis) [][]string {
	out := [][]string{nil}
	for _, a := range axes {
		var next [][]string
		for _, c := range out {
			for _, level := range a.levels {
				next = append(next, append(slices.Clone(c), level))
			}
		}
		out = next
	}
	return out
}

// none stands where no record has a value.
const none = "–"

// perplexity is a row's, with its change from the standard in percent; beyond ten times the standard it is the ratio.
func perplexity(runs *ablation.Runs, at, standard []string) string {
	v, ok := runs.At("ppl", at...)
	if !ok {
		return none
	}
	s, ok := runs.At("ppl", standard...)
	if !ok || slices.Equal(at, standard) {
		return figure(v.Y)
	}
	return against(v.Y, s.Y)
}

// against is a perplexity and its change from another.
func against(v, standard float64) string {
	if v >= 10*standard {
		return fmt.Sprintf("%s (× %s)", figure(v), large(v/standard))
	}
	return fmt.Sprintf("%s (%+.1f %%)", figure(v), 100*(v/standard-1))
}

// figure is a perplexity, with two decimals below 1000.
func figure(v float64) string {
	if v >= 1000 {
		return large(v)
	}
	return fmt.Sprintf("%.2f", v)
}

// large writes a number without decimals, with an exponent if it is long.
func large(v float64) string {
	if v >= 1e7 {
		return fmt.Sprintf("%.1e", v)
	}
	return fmt.Sprintf("%.0f", v)
}

// answered is accuracy, with the number of questions a task where it is not the grid's.
func answered(runs *ablation.Runs, at, _ []string) string {
	cell := accuracy(runs, at, nil)
	v, _ := runs.At("zero_shot_mean", at...)
	for _, r := range runs.Records() {
		if n := fmt.Sprint(r.Config["items"]); v.ID != "" && strings.HasPrefix(r.Key, v.ID) && n != fmt.Sprint(eval.GridItems) {
			cell += " (" + n + ")"
		}
	}
	return cell
}

// accuracy is the mean over the zero-shot tasks in percent, with its error.
func accuracy(runs *ablation.Runs, at, _ []string) string {
	v, ok := runs.At("zero_shot_mean", at...)
	if !ok {
		return none
	}
	return fmt.Sprintf("%.1f ± %.1f", 100*v.Y, 100*v.Err)
}

// softmaxes is the table of exponentials: perplexity and divergence at W8A8 with each inside the integer softmax.
func softmaxes(store *record.Store) (string, error) {
	head := []string{"exponential"}
	columns := map[string][]string{}
	for _, model := range ablation.Models4 {
		runs, err := ablation.Exp.Run(context.Background(), store, nil, onModel(model, "wikitext2")...)
		if err != nil {
			return "", err
		}
		list := runs.Records()
		if len(list) == 0 {
			continue
		}
		head = append(head, fmt.Sprintf("%s, PPL (%d × %v)", model, len(list[0].Windows), list[0].Config["window"]), "KL to fp32 (nats/1000)")
		for _, x := range exponentials {
			ppl, kl := none, none
			if v, ok := runs.At("ppl", "recipe", "w8a8", "exp", x); ok {
				ppl = fmt.Sprintf("%.2f", v.Y)
			}
			if v, ok := runs.At("kld_mean", "recipe", "w8a8", "exp", x); ok {
				kl = fmt.Sprintf("%.2f", 1000*v.Y)
			}
			columns[x] = append(columns[x], ppl, kl)
		}
	}
	if len(head) == 1 {
		return "No records yet.\n", nil
	}
	var rows [][]string
	for _, x := range exponentials {
		rows = append(rows, append([]string{x}, columns[x]...))
	}
	return grid(head, rows), nil
}
