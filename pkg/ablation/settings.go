package ablation

import (
	"fmt"
	"strings"

	"github.com/illm-go/illm/pkg/chart"
	"github.com/illm-go/illm/pkg/quant"
)

// Settings lists what stands behind the rows of table T1: how wide each part is, the clip value, which operators ran, and
// what the factor file says of how it was made (made returns its header by the recipe; nil where nothing was calibrated).
func (r *Runs) Settings(made func(recipe string) map[string]string) chart.Grid {
	g := chart.Grid{Left: 2, Head: []string{"width", "method", "linears W·A", "q, k/v", "SwiGLU", "softmax", "head, embedding", "clip", "operators", "factors", "trained on", "training"}}
	for _, row := range r.rows {
		var c Config
		clip := ""
		for _, level := range r.levels() {
			if cell := row.cells[level]; cell != nil && cell.record != nil {
				c, clip = cell.config, ClipOf(cell.record)
				break
			}
		}
		if c == nil || row.axes["method"] == "" {
			continue
		}
		line := []string{row.axes["width"], methodName(row.axes)}
		n, err := quant.ParseRecipe(c["recipe"])
		if err != nil {
			continue
		}
		operators, score := "integer, "+c["mode"], fmt.Sprint(n.Score)
		if clip == "" {
			clip = c["clip"]
		}
		if a := c["arithmetic"]; a != "" && a != Integer {
			operators = "float, values on the grids"
		}
		line = append(line, fmt.Sprintf("%d·%d", n.Weight, n.Act), fmt.Sprintf("%d, %d", n.Query, n.KV), fmt.Sprint(n.GLU), score, fmt.Sprintf("%d, %d", n.Head, n.Emb), clip, operators)
		g.Rows = append(g.Rows, append(line, factorWords(made(c["recipe"]))...))
	}
	return g
}

// factorWords says in three cells what the header of a factor file holds: what was found and how it begins, on which text,
// and how it was trained.
func factorWords(m map[string]string) []string {
	if m == nil {
		return []string{"none", "–", "–"}
	}
	join := func(parts ...string) string {
		var list []string
		for _, p := range parts {
			if p != "" {
				list = append(list, p)
			}
		}
		if len(list) == 0 {
			return "–"
		}
		return strings.Join(list, "; ")
	}
	with := func(prefix, key string) string {
		if m[key] == "" {
			return ""
		}
		return prefix + m[key]
	}
	yes := func(key, words string) string {
		if m[key] != "true" {
			return ""
		}
		return words
	}
	text := with("", "text")
	if m["windows"] != "" {
		text = fmt.Sprintf("%s, %s × %s tokens", text, m["windows"], m["window"])
	}
	if m["rounding_windows"] != "" {
		text = strings.TrimPrefix(text+fmt.Sprintf("; rounding: %s, %s × %s tokens", m["rounding_text"], m["rounding_windows"], m["rounding_window"]), "; ")
	}
	if m["clips_windows"] != "" {
		text = strings.TrimPrefix(text+fmt.Sprintf("; clips: %s, %s × %s tokens", m["clips_text"], m["clips_windows"], m["clips_window"]), "; ")
	}
	training := ""
	if m["epochs"] != "" {
		training = join(m["epochs"]+" epochs, batch "+m["batch"], "rates "+m["lr"]+", "+m["lr_clip"]+" × batch^"+m["lr_batch_power"], yes("cosine", "cosine"),
			with("loss ", "loss"), with("seed ", "seed"), with("", "backend"))
	}
	return []string{join(with("", "kinds"), with("α ", "alpha"), with("rotated ", "rotation"), with("signs of seed ", "rotation_seed"), with("rounding ", "rounding"),
		with("clipped by ", "rounding_clip"), with("ranges by ", "rounding_range"), yes("as_published", "begun as published"), yes("float_input", "float embedding")), join(text), join(training)}
}
