package ablation

import (
	"fmt"
	"slices"
	"strings"

	"github.com/illm-go/illm/pkg/chart"
)

// Models4 are the models that the tables of the ablations stand on: the paper's two families, one with the outlier channels
// of a large model, and one that was not trained here.
var Models4 = []string{"tiny-llama", "tiny-llama+outliers", "tiny-opt", "smollm2"}

// none stands in a table where no record has a value.
const none = "–"

// column is a column of an ablation's table.
type column struct {
	head  string
	words bool
	cell  func(s chart.Source, row int) string
}

// tableOf lays a source out.
func tableOf(s chart.Source, columns []column) (g chart.Grid) {
	for _, c := range columns {
		g.Head = append(g.Head, c.head)
		if c.words {
			g.Left++
		}
	}
	for i := range s.Len() {
		row := make([]string, len(columns))
		for j, c := range columns {
			if row[j] = c.cell(s, i); row[j] == "" {
				row[j] = none
			}
		}
		g.Rows = append(g.Rows, row)
	}
	return g
}

// words is a level, or a setting.
func words(head, name string) column {
	return column{head, true, func(s chart.Source, row int) string { v, _ := s.Text(row, name); return v }}
}

// value is a metric with its error.
func value(head, name string) column { return scaled(head, name, 1) }

// scaled is a metric in another unit: 100 for percent of a share, 1e-6 for megabytes.
func scaled(head, name string, times float64) column {
	return column{head, false, func(s chart.Source, row int) string {
		v, ok := s.Number(row, name)
		if !ok {
			return none
		}
		v.Y, v.Err = times*v.Y, times*v.Err
		return v.String()
	}}
}

// perToken is the time of a token in milliseconds, from tokens a second, with the quartiles of its runs.
func perToken(head, name string, tokens float64) column {
	return column{head, false, func(s chart.Source, row int) string {
		of := func(suffix string) float64 {
			v, ok := s.Number(row, name+suffix+"_"+Speed)
			if !ok || v.Y <= 0 {
				return 0
			}
			return 1000 * tokens / v.Y
		}
		mid, fast, slow := of(""), of("_q3"), of("_q1")
		switch {
		case mid == 0:
			return none
		case fast == 0 || slow == 0:
			return fmt.Sprintf("%.3g", mid)
		}
		return fmt.Sprintf("%.3g (%.3g–%.3g)", mid, fast, slow)
	}}
}

// quality are perplexity and its change from the reference on both texts.
func quality() []column {
	return []column{
		value("WikiText-2 PPL ↓", "ppl_wikitext2"), value("change (%)", "delta_wikitext2"),
		value("C4 PPL ↓", "ppl_c4"), value("change (%)", "delta_c4"),
	}
}

// answers are the mean accuracy over the zero-shot tasks and its paired difference from the float model.
func answers() []column {
	return []column{scaled("zero-shot mean (%) ↑", "zero_shot_mean_"+ZeroShot, 100), scaled("less fp32 (points)", "zero_shot_diff_"+ZeroShot, 100)}
}

// costs are times and memory of Speed's prompt of 512 tokens and 128 decoded ones.
func costs() []column {
	return []column{
		perToken("prompt of 512 (ms) ↓", "prefill_tok_s", 512), perToken("decode (ms a token) ↓", "decode_tok_s", 1),
		scaled("weights (MB) ↓", "weight_bytes_"+Speed, 1e-6), scaled("running (MB) ↓", "running_bytes_"+Speed, 1e-6),
	}
}

// StaticTable is table A of one model: what constant grids cost and save.
func StaticTable(runs *Runs) chart.Grid {
	return tableOf(runs.Against("setting", Dynamic), slices.Concat(
		[]column{words("widths", "width"), words("method", "method"), words("grid", "setting")},
		quality(), answers(), costs(), []column{value("cut codes (%)", "saturated_share_wikitext2"), words("windows", "windows")}))
}

// NonLinearTable is table D of one model: integer and float operators around integer products.
func NonLinearTable(runs *Runs) chart.Grid {
	return tableOf(runs.Against("operators", Integer).Excess(), slices.Concat(
		[]column{words("widths", "recipe"), words("operators", "operators")},
		quality(), []column{value("excess KL, WikiText-2 (nats/1000) ↓", "excess_wikitext2")}, answers(), costs(),
		[]column{value("to float, a token", "to_float_token_"+Speed), value("to integer", "to_integer_token_"+Speed), words("windows", "windows")}))
}

// ExpTable is table B of one model: perplexity and divergence with each exponential, and what each looks up. Its times
// do not depend on a model: ExpLengths.
func ExpTable(runs *Runs) chart.Grid {
	bytes := expTableBytes()
	return tableOf(runs.Against("exp", "float64").Excess(), slices.Concat(
		[]column{words("widths", "recipe"), words("exponential", "exp"), {"table (bytes) ↓", false, func(s chart.Source, row int) string {
			name, _ := s.Text(row, "exp")
			return bytes[name]
		}}},
		quality(), []column{value("KL, WikiText-2 (nats) ↓", "kld_mean_wikitext2"), value("more than float64 (nats/1000)", "excess_wikitext2"),
			value("KL, C4 (nats) ↓", "kld_mean_c4"), value("more than float64 (nats/1000)", "excess_c4"), words("windows", "windows")}))
}

// Gaps names the rows without a record, text by text: "c4: 3 of 31 rows (w8a8 static, …)"; "" for none.
func (r *Runs) Gaps() string {
	var parts, axes []string
	for _, a := range r.Study.Axes { // those that tell rows apart
		seen := map[string]bool{}
		for _, row := range r.rows {
			if v := row.axes[a.Name]; v != "" {
				seen[v] = true
			}
		}
		if len(seen) > 1 {
			axes = append(axes, a.Name)
		}
	}
	for _, level := range r.levels() {
		var rows []string
		all := 0
		for _, row := range r.rows {
			c := row.cells[level]
			if c == nil {
				continue
			}
			if all++; c.record == nil {
				var levels []string
				for _, a := range axes {
					if v := row.axes[a]; v != "" {
						levels = append(levels, v)
					}
				}
				if len(levels) == 0 {
					levels = []string{"the float model"}
				}
				rows = append(rows, strings.Join(levels, " "))
			}
		}
		switch {
		case len(rows) == 0:
		case len(rows) == all:
			parts = append(parts, fmt.Sprintf("%s: all %d rows", chart.Text(level), all))
		default:
			parts = append(parts, fmt.Sprintf("%s: %d of %d rows (%s)", chart.Text(level), len(rows), all, strings.Join(firstFew(rows, 3), ", ")))
		}
	}
	return strings.Join(parts, "; ")
}

// firstFew cuts a list, with an ellipsis for what is left out.
func firstFew(list []string, n int) []string {
	if len(list) <= n {
		return list
	}
	return append(slices.Clone(list[:n]), "…")
}

// ByModel are the runs of one study on several models.
type ByModel []*Runs

// model is the one that the runs are about.
func (r *Runs) model() string {
	for _, row := range r.rows {
		for _, c := range row.cells {
			return c.config["model"]
		}
	}
	return "no model"
}

// Table puts the tables of the models below each other, as layout lays one out. Models without any record are left out:
// Gaps names them.
func (m ByModel) Table(layout func(*Runs) chart.Grid) (all chart.Grid) {
	for _, r := range m {
		if len(r.Records()) == 0 {
			continue
		}
		g := layout(r)
		if all.Head == nil {
			all.Head, all.Left = append([]string{"model"}, g.Head...), max(g.Left, 1)+1
		}
		for _, row := range g.Rows {
			all.Rows = append(all.Rows, append([]string{r.model()}, row...))
		}
	}
	if all.Head == nil {
		all.Head = []string{"no record yet"}
	}
	return all
}

// Gaps names what has no record, and which columns of times the records there are leave empty, a model a line.
func (m ByModel) Gaps() string {
	var lines, incomplete, mixed []string
	stale := 0
	for _, r := range m {
		if gap := r.Gaps(); gap != "" {
			lines = append(lines, r.model()+": "+gap)
		}
		incomplete = append(incomplete, r.incomplete()...)
		if from := r.clocks(); len(from) > 1 {
			mixed = append(mixed, fmt.Sprintf("%s: times of %d builds or machines stand side by side and cannot be compared (%s): measure them in one run.", r.model(), len(from), strings.Join(from, "; ")))
		}
		stale += r.Stale
	}
	text := "Every row has its records."
	if len(lines) > 0 {
		text = "No record yet (illm study run " + m[0].Study.Name + " -m MODEL makes some):\n" + strings.Join(lines, "\n")
	}
	for _, line := range append(incomplete, mixed...) {
		text += "\n" + line
	}
	if stale > 0 {
		text += fmt.Sprintf("\n%d records of another version of the arithmetic or of other weights were left out.", stale)
	}
	return text
}

// speedParts are the metrics of Speed that costs shows, with what a sentence calls them.
var speedParts = []struct{ metric, name string }{{"prefill_tok_s", "time of a prompt"}, {"decode_tok_s", "time of a decoded token"}, {"weight_bytes", "bytes of weights"}, {"running_bytes", "running memory"}}

// incomplete names what the records of times lack of the metrics that tables show, with the command that measures them
// anew: a row beside which there is a record, and still a dash in a column.
func (r *Runs) incomplete() (lines []string) {
	for _, part := range speedParts {
		var lack, recipes []string
		all, operators := 0, false
		for _, row := range r.rows {
			c := row.cells[Speed]
			if c == nil || c.record == nil {
				continue
			}
			all++
			if recipe := c.config["recipe"]; !slices.Contains(recipes, recipe) { // all of them: times compare within a run
				recipes = append(recipes, recipe)
			}
			if _, ok := c.record.Metric(part.metric); ok {
				continue
			}
			lack = append(lack, strings.TrimSpace(c.config["recipe"]+" "+c.config["operators"]))
			operators = operators || c.config["operators"] != "" && c.config["operators"] != Integer
		}
		if len(lack) == 0 {
			continue
		}
		line := fmt.Sprintf("%s: speed: no %s in %d of %d records (%s)", r.model(), part.name, len(lack), all, strings.Join(firstFew(lack, 3), ", "))
		if !operators { // which bench does not set
			line += fmt.Sprintf(": illm bench -m %s -r %s measures it", r.model(), strings.Join(recipes, ","))
		}
		lines = append(lines, line+".")
	}
	return lines
}

// clocks lists the builds and machines that the rows' times were taken with.
func (r *Runs) clocks() (out []string) {
	for _, row := range r.rows {
		if c := row.cells[Speed]; c != nil && c.record != nil {
			e := c.record
			from := fmt.Sprintf("%s, %d threads, code %s", e.Env.CPU, e.Env.Threads, e.Commit[:min(12, len(e.Commit))])
			if !slices.Contains(out, from) {
				out = append(out, from)
			}
		}
	}
	return out
}

// ModelOf names the model that runs are about.
func ModelOf(r *Runs) string { return r.model() }

// ZeroShotSentences says of each model which tasks say nothing about it (Runs.ZeroShotSentence), a model a line.
func (m ByModel) ZeroShotSentences() string {
	var lines []string
	for _, r := range m {
		line := r.ZeroShotSentence()
		if !strings.HasPrefix(line, r.model()) {
			line = r.model() + ": " + line
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}
