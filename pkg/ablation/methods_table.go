package ablation

import (
	"fmt"
	"math"
	"strings"

	"github.com/illm-go/illm/pkg/chart"
	"github.com/illm-go/illm/pkg/record"
)

// methodNames spells methods out for tables; the words for what computed a row stand behind.
var methodNames = map[string]string{"rtn": "RTN", "smoothquant": "SmoothQuant", "omniquant": "OmniQuant-like", "fsbr": "FSBR", "gptq": "GPTQ", "rotate": "Hadamard", "best": "best combined", "best@trained": "best on trained factors"}

// methodName is the name of a row.
func methodName(axes map[string]string) string {
	if axes["method"] == "" {
		return "FP32"
	}
	name := methodNames[axes["method"]]
	if name == "" {
		name = axes["method"]
	}
	if axes["arithmetic"] != Integer && axes["arithmetic"] != "" {
		name += ", " + axes["arithmetic"]
	}
	return name
}

// MethodTable is table T1: for every width a row a method, for every text the perplexity, its change from the float model
// paired by window, and the divergence from it. A row without any record is left out and counted in missing.
func (r *Runs) MethodTable() (g chart.Grid, missing int) {
	g = chart.Grid{Left: 2, Head: []string{"width", "method"}}
	levels := r.levels()
	for _, level := range levels {
		g.Head = append(g.Head, "PPL, "+chart.Text(level), "change", "KL")
	}
	for _, row := range r.rows {
		cells := []string{row.axes["width"], methodName(row.axes)}
		any := false
		for _, level := range levels {
			ppl, change, kl := "–", "–", "–"
			if c := row.cells[level]; c != nil && c.record != nil {
				any = true
				if m, ok := c.record.Metric("ppl"); ok {
					ppl = four(m.Value)
				}
				if v, ok := r.change(c.record, level); ok && row.axes["method"] != "" {
					change = changed(v)
				}
				if m, ok := c.record.Metric("kld_mean"); ok {
					kl = chart.Value{Y: m.Value, Err: m.Stderr}.String()
				}
			}
			cells = append(cells, ppl, change, kl)
		}
		if !any {
			missing++
			continue
		}
		g.Rows = append(g.Rows, cells)
	}
	return g, missing
}

// change is the perplexity's change from the float model on a text, in percent, paired by window.
func (r *Runs) change(a *record.Record, level string) (chart.Value, bool) {
	for _, row := range r.rows {
		if c := row.cells[level]; row.axes["method"] == "" && c != nil && c.record != nil {
			mean, se, n := PairedNLL(a, c.record)
			return chart.Value{Y: 100 * math.Expm1(mean), Err: 100 * math.Exp(mean) * se, Unit: "%", Better: chart.Lower}, n > 0
		}
	}
	return chart.Value{}, false
}

// MethodSentences says for each width what each method costs on a text.
func (r *Runs) MethodSentences(level string) string {
	var lines []string
	at := map[string]int{}
	base := ""
	for _, row := range r.rows {
		c := row.cells[level]
		if c == nil || c.record == nil {
			continue
		}
		m, ok := c.record.Metric("ppl")
		if !ok {
			continue
		}
		if row.axes["method"] == "" {
			base = fmt.Sprintf("%s: the float model has perplexity %s on %s, %d windows.", c.config["model"], four(m.Value), chart.Text(level), len(c.record.Windows))
			continue
		}
		v, ok := r.change(c.record, level)
		if !ok {
			continue
		}
		width := row.axes["width"]
		i, seen := at[width]
		if !seen {
			i = len(lines)
			at[width] = i
			lines = append(lines, width+":")
		} else {
			lines[i] += ";"
		}
		lines[i] += fmt.Sprintf(" %s %s (%s)", methodName(row.axes), four(m.Value), changed(v))
	}
	if len(lines) == 0 {
		return "No records yet."
	}
	return strings.Join(append([]string{base}, lines...), "\n")
}

// TakenBack says for each width what part of the loss of rounding to nearest each other method takes back on a text: of the
// mean difference from the float model in nats a token, paired by window, so that a part does not depend on how large the
// loss is. Rows on other windows than those of round to nearest are left out.
func (r *Runs) TakenBack(level string) string {
	loss := func(row row) (nats float64, windows int, ok bool) {
		c := row.cells[level]
		for _, base := range r.rows {
			if b := base.cells[level]; base.axes["method"] == "" && b != nil && b.record != nil && c != nil && c.record != nil {
				nats, _, windows = PairedNLL(c.record, b.record)
			}
		}
		return nats, windows, windows > 0
	}
	var lines []string
	model := ""
	for _, rtn := range r.rows {
		if rtn.axes["method"] != "rtn" {
			continue
		}
		all, windows, ok := loss(rtn)
		if !ok {
			continue
		}
		model = rtn.cells[level].config["model"]
		if all < takeBackFrom {
			lines = append(lines, fmt.Sprintf("%s: rounding to nearest loses %.2g nats a token: nothing to take back", rtn.axes["width"], all))
			continue
		}
		var parts []string
		for _, row := range r.rows {
			if row.axes["width"] != rtn.axes["width"] || row.axes["arithmetic"] != rtn.axes["arithmetic"] || row.axes["method"] == "rtn" {
				continue
			}
			if x, n, ok := loss(row); ok && n == windows {
				parts = append(parts, fmt.Sprintf("%s %.0f %%", methodName(row.axes), 100*(1-x/all)))
			}
		}
		if parts != nil {
			lines = append(lines, fmt.Sprintf("%s: of the %.3g nats a token that rounding to nearest loses, %s", rtn.axes["width"], all, strings.Join(parts, ", ")))
		}
	}
	if lines == nil {
		return "No records yet."
	}
	return model + ", taken back by each method. " + strings.Join(lines, "; ") + "."
}

// takeBackFrom is the loss in nats a token from which parts of it mean something: 1 % of perplexity.
const takeBackFrom = 0.01

// changed prints a change in percent, and one beyond 1000 % as a factor.
func changed(v chart.Value) string {
	if v.Y > 1000 {
		return fmt.Sprintf("× %.3g", 1+v.Y/100)
	}
	if v.Y > 0 {
		return "+" + v.String() + " %"
	}
	return v.String() + " %"
}
