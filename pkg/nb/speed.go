package nb

import (
	"fmt"

	"github.com/illm-go/illm/pkg/chart"
	"github.com/illm-go/illm/pkg/record"
)

// speedPrompt is the prompt whose records tables of speed show.
const speedPrompt = "512"

// SpeedOf is prefill, decode and memory of a model's recipes with the engine's own operators, from the newest record of
// each. Missing are the recipes without one.
func SpeedOf(store *record.Store, model string) (c *chart.Chart, g chart.Grid, used []*record.Record, missing []string) {
	newest := map[string]*record.Record{}
	for _, r := range store.Filter(func(r *record.Record) bool {
		return r.Kind == record.Timing && r.Config["task"] == "speed" && r.Axes["model"] == model && r.Axes["operators"] == "" && r.Axes["prefill"] == speedPrompt
	}) {
		if old := newest[r.Axes["recipe"]]; old == nil || !r.Time.Before(old.Time) {
			newest[r.Axes["recipe"]] = r
		}
	}
	c = &chart.Chart{Kind: chart.KindBar, X: chart.Axis{Name: "widths"}, Y: chart.Axis{Name: "Speed", Unit: "tokens/s", Better: chart.Higher}}
	c.Titled("Prefill and decode of "+model, "no record")
	prefill, decode := chart.Series{Name: "prefill of " + speedPrompt, Method: "w8a8"}, chart.Series{Name: "decode", Method: "w4a4"}
	g = chart.Grid{Head: []string{model, "prefill (tokens/s)", "times fp32", "decode (tokens/s)", "times fp32", "weights (MB)", "KV cache (MB)"}}
	value := func(r *record.Record, name string, scale float64) float64 {
		if r == nil {
			return 0
		}
		m, _ := r.Metric(name)
		return m.Value * scale
	}
	base := newest["fp32"]
	ratio := func(r *record.Record, name string) string {
		if b := value(base, name, 1); b > 0 {
			return fmt.Sprintf("%.2f", value(r, name, 1)/b)
		}
		return "–"
	}
	for _, recipe := range []string{"fp32", "w8a8", "w6a6", "w4a8", "w4a4"} {
		r := newest[recipe]
		if r == nil {
			missing = append(missing, model+" "+recipe)
			continue
		}
		used = append(used, r)
		p, d := value(r, "prefill_tok_s", 1), value(r, "decode_tok_s", 1)
		g.Rows = append(g.Rows, []string{recipe, fmt.Sprintf("%.0f", p), ratio(r, "prefill_tok_s"), fmt.Sprintf("%.0f", d), ratio(r, "decode_tok_s"),
			fmt.Sprintf("%.1f", value(r, "weight_bytes", 1e-6)), fmt.Sprintf("%.1f", value(r, "kv_bytes", 1e-6))})
		id := r.Key[:min(12, len(r.Key))]
		prefill.Points = append(prefill.Points, chart.Point{Label: recipe, Y: p, ID: id})
		decode.Points = append(decode.Points, chart.Point{Label: recipe, Y: d, ID: id})
		c.Subtitle = fmt.Sprintf("median of interleaved runs; %s, %d threads", r.Env.CPU, r.Env.Threads)
	}
	c.Series = []chart.Series{prefill, decode}
	return c.Panels(), g, used, missing
}

// Speeds shows SpeedOf.
func (s *Session) Speeds(model string) error {
	if s.err != nil {
		return s.err
	}
	c, g, used, missing := SpeedOf(s.all, model)
	if len(used) == 0 {
		Show(model + ": no record of its speed (illm bench --model " + model + " makes some)")
		note(Hole{What: "speed of " + model, Model: model, Why: "no record", Cure: "illm bench --model " + model})
		return nil
	}
	Show(c, g)
	for _, m := range missing {
		Show("no record of " + m)
		note(Hole{What: "speed of " + m, Model: model, Why: "no record", Cure: "illm bench --model " + model})
	}
	return nil
}
