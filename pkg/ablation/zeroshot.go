package ablation

import (
	"fmt"
	"strings"

	"github.com/illm-go/illm/pkg/chart"
	"github.com/illm-go/illm/pkg/eval/tasks"
	"github.com/illm-go/illm/pkg/record"
)

// ZeroShots asks the six zero-shot tasks under the rows of table T1 (tables T2 and T3): the same questions of each task
// for every row, in the float simulation and in integers. Its level of "corpus" is no text, so it has no windows.
var ZeroShots = Study{
	Name:     "zeroshot",
	Question: "What do widths and methods leave of the answers to zero-shot questions?",
	Axes: []Axis{
		{Name: "width", Levels: []string{"w8a8", "w6a6", "w4a8", "w4a4"}, Check: checkRecipe, Help: "or another recipe of package quant without a method"},
		{Name: "method", Levels: []string{"rtn", "smoothquant", "omniquant", "fsbr", "best"}, Check: checkMethod, Help: "or a variant such as fsbr@seed3"},
		{Name: "arithmetic", Levels: []string{"simulated", Integer}},
		{Name: "corpus", Levels: []string{ZeroShot}},
	},
	Fixed:  map[string]string{"model": "tiny-llama", "clip": "15", "mode": "illm", "items": Most},
	Spread: "corpus",
	Derive: spellMethod,
	Base:   map[string]string{"width": "fp32", "method": "", "arithmetic": "", "clip": "", "mode": ""},
}

// AnswerRow reports whether a row of ZeroShots belongs to tables T2 and T3: those of T1 (PaperRow), and every method in
// integers alone.
func AnswerRow(axes Config) bool { return axes["arithmetic"] == Integer || PaperRow(axes) }

// EveryQuestion are the options of the final table of zero-shot accuracy: all questions of the six tasks, to the float model and
// to FSBR at the ends of the widths, simulated and in integers. The other rows have the grid's number of questions.
func EveryQuestion() []Option { return []Option{Set("items", 0), Only(finalRow)} }

func finalRow(axes Config) bool {
	return axes["method"] == "" || axes["method"] == "fsbr" && (axes["width"] == "w8a8" || axes["width"] == "w4a4")
}

// spellMethod puts width and method together to a recipe's name.
func spellMethod(c Config) {
	c["recipe"] = c["width"]
	if m := c["method"]; m != "" && m != "rtn" {
		c["recipe"] += "-" + m
	}
}

// Marks behind an accuracy of ZeroShotTable.
const (
	atChance = "°" // a binomial test does not tell it from guessing
	constant = "*" // no better than the most frequent answer
)

// ZeroShotTable has a row a method and width: accuracy ± its standard error (in percent; by log probability, not by length) on
// each task, their mean, and the difference of the mean from the float model, paired by question. An accuracy that a
// binomial test does not tell from guessing has a ° and one not told from a constant answer a *: there the task says nothing
// about the row. A row on another number of questions a task than the first (OwnWindows) has it behind its name. missing counts
// rows without a record.
func (r *Runs) ZeroShotTable() (g chart.Grid, missing int) {
	g = chart.Grid{Left: 2, Head: []string{"width", "method"}}
	for _, t := range tasks.All() {
		g.Head = append(g.Head, t.Title+" (%)")
	}
	g.Head = append(g.Head, "mean (%)", "difference from FP32 (points)")
	g.Rows, missing = r.zeroShotRows(func(rec *record.Record) (cells []string) {
		chance, fixed := zeroShotMarks(rec.Note)
		for _, t := range tasks.All() {
			cell := points(rec, "acc_"+t.Name)
			switch {
			case cell == none:
			case chance[t.Name]:
				cell += atChance
			case fixed[t.Name]:
				cell += constant
			}
			cells = append(cells, cell)
		}
		return append(cells, points(rec, "zero_shot_mean"), points(rec, "zero_shot_diff"))
	})
	return g, missing
}

// ZeroShotNormTable is ZeroShotTable by the log probability of an answer over its characters (acc_norm), for the tasks for
// which the harness defines it. Records hold neither its mean nor its difference from the float model, and no test of it.
func (r *Runs) ZeroShotNormTable() (g chart.Grid, missing int) {
	g = chart.Grid{Left: 2, Head: []string{"width", "method"}}
	for _, t := range tasks.All() {
		if t.Normed {
			g.Head = append(g.Head, t.Title+", acc_norm (%)")
		}
	}
	g.Rows, missing = r.zeroShotRows(func(rec *record.Record) (cells []string) {
		for _, t := range tasks.All() {
			if t.Normed {
				cells = append(cells, points(rec, "acc_norm_"+t.Name))
			}
		}
		return cells
	})
	return g, missing
}

// zeroShotRows are width, method and the cells of each row with a record, and the number of rows without one.
func (r *Runs) zeroShotRows(cells func(*record.Record) []string) (rows [][]string, missing int) {
	items := ""
	for _, row := range r.rows {
		c := row.cells[ZeroShot]
		if c == nil || c.record == nil {
			missing++
			continue
		}
		name := methodName(row.axes)
		if n := c.config["items"]; items == "" {
			items = n
		} else if n != items {
			name += " (" + n + ")"
		}
		rows = append(rows, append([]string{row.axes["width"], name}, cells(c.record)...))
	}
	return rows, missing
}

// points prints a metric and its error in percentage points.
func points(r *record.Record, name string) string {
	m, ok := r.Metric(name)
	if !ok {
		return none
	}
	sign := ""
	if strings.HasSuffix(name, "_diff") && m.Value > 0 {
		sign = "+"
	}
	return fmt.Sprintf("%s%.1f ± %.1f", sign, 100*m.Value, 100*m.Stderr)
}

// zeroShotMarks reads out of a record's note (eval.ZeroShotNote) which tasks say nothing.
func zeroShotMarks(note string) (chance, fixed map[string]bool) {
	chance, fixed = map[string]bool{}, map[string]bool{}
	for _, part := range strings.Split(note, "; ") {
		head, list, ok := strings.Cut(part, ": ")
		if !ok {
			continue
		}
		into := fixed
		if strings.HasPrefix(head, "at chance") {
			into = chance
		}
		for _, item := range strings.Split(list, ", ") {
			name, _, _ := strings.Cut(item, " ")
			into[name] = true
		}
	}
	return chance, fixed
}

// ZeroShotSentence says how many of the tasks a model answers better than guessing and a constant answer do in float: only
// those can tell rows apart.
func (r *Runs) ZeroShotSentence() string {
	for _, row := range r.rows {
		c := row.cells[ZeroShot]
		if row.axes["method"] != "" || c == nil || c.record == nil {
			continue
		}
		chance, fixed := zeroShotMarks(c.record.Note)
		mean, _ := c.record.Metric("zero_shot_mean")
		var mute []string
		for _, t := range tasks.All() {
			if chance[t.Name] || fixed[t.Name] {
				mute = append(mute, t.Title)
			}
		}
		line := fmt.Sprintf("%s: mean of the six tasks %.1f ± %.1f %% in float, %d questions", c.config["model"], 100*mean.Value, 100*mean.Stderr, mean.N)
		if len(mute) > 0 {
			line += fmt.Sprintf("; %d of %d tasks say nothing about this model: %s", len(mute), len(tasks.All()), strings.Join(mute, ", "))
		}
		return line + "."
	}
	return r.model() + ": no record of the float model yet."
}
