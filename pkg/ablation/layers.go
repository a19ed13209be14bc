package ablation

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/illm-go/illm/pkg/chart"
)

// Layers asks how sensitive each decoder block is to the width of its weights: one block at 4 bits among blocks at 8, and
// one at 8 among blocks at 4. A level is a digit a block, in order; its bits are those of the block's seven matrices. The
// activations keep the recipe's 8 bits. The engine takes each block from the artefact of its width (catalog.Weights).
var Layers = Study{
	Name:     "layers",
	Question: "Which blocks lose most when their weights have 4 bits, and what does a mixed plan give for its bytes?",
	Axes: []Axis{
		{Name: "layers", Levels: OneLayer(9), Check: checkLayers, Help: "or another digit of 2 … 8 for each layer"},
		{Name: "corpus", Levels: []string{"wikitext2"}, Check: checkCorpus, Help: `or "c4", "opticks", or the path of a text file`},
	},
	Fixed:  map[string]string{"model": "tiny-llama", "recipe": "w8a8", "clip": "15", "mode": "illm", "window": Longest, "first": "0", "windows": Most},
	Spread: "corpus",
	Base:   map[string]string{"layers": "", "recipe": "fp32", "clip": "", "mode": ""},
}

// OneLayer lists the levels of n layers: all at 8 bits, each alone at 4, all at 4, each alone at 8.
func OneLayer(n int) []string {
	var out []string
	for _, pair := range [][2]string{{"8", "4"}, {"4", "8"}} {
		rest, own := pair[0], pair[1]
		out = append(out, strings.Repeat(rest, n))
		for i := range n {
			out = append(out, strings.Repeat(rest, i)+own+strings.Repeat(rest, n-1-i))
		}
	}
	return out
}

func checkLayers(s string) (string, error) {
	if s == "" || strings.Trim(s, "2345678") != "" {
		return "", fmt.Errorf("expected a digit of 2 … 8 for each layer, found %q", s)
	}
	return s, nil
}

// alone returns the block that alone has the digit own among blocks of digit rest, or -1.
func alone(level, rest, own string) int {
	if strings.Count(level, own) != 1 || strings.Count(level, rest) != len(level)-1 {
		return -1
	}
	return strings.Index(level, own)
}

// Order lists blocks from the least to the most sensitive.
type Order []int

// String lists the blocks, or says that they have no order yet.
func (o Order) String() string {
	if len(o) == 0 {
		return "not known, a block has no record"
	}
	return fmt.Sprint([]int(o))
}

// makesLayers is the command that computes what Layers lacks, on the models of its notebook.
const makesLayers = "illm reproduce questions --full"

// Sensitivity lists the blocks from the least to the most sensitive: by the divergence from the float model of the row in
// which the block alone has 4 bits. Nil unless every block of the rows has been measured.
func (r *Runs) Sensitivity(corpus string) (order Order) {
	kl := map[int]float64{}
	n := 0
	for i := range r.rows {
		level := r.rows[i].axes["layers"]
		n = max(n, len(level))
		if at := alone(level, "8", "4"); at >= 0 {
			if v, ok := r.Number(i, "kld_mean_"+corpus); ok {
				kl[at] = v.Y
				order = append(order, at)
			}
		}
	}
	if len(order) != n {
		return nil
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Or(cmp.Compare(kl[a], kl[b]), a-b) })
	return order
}

// Plans lists the widths that lowering one block after the other from 8 to 4 bits gives, all 8 and all 4 included.
func Plans(order []int) []string {
	level := []byte(strings.Repeat("8", len(order)))
	out := []string{string(level)}
	for _, i := range order {
		level[i] = '4'
		out = append(out, string(level))
	}
	return out
}

// SensitivityChart draws, for each block, what it adds to the divergence when it alone has 4 bits, and what it takes away
// when it alone keeps 8.
func (r *Runs) SensitivityChart(corpus string) *chart.Chart {
	c := &chart.Chart{Kind: chart.KindBar, Title: "Divergence from fp32 that one block makes", Subtitle: r.measuredIn("kld_mean_" + corpus),
		X: chart.Axis{Name: "block"}, Y: chart.Axis{Name: "Change of mean KL divergence", Unit: "nats"}}
	for _, side := range []struct{ name, rest, own string }{{"4 bits in it alone: adds", "8", "4"}, {"8 bits in it alone: saves", "4", "8"}} {
		var from chart.Value
		s := chart.Series{Name: side.name}
		for i := range r.rows {
			level := r.rows[i].axes["layers"]
			v, ok := r.Number(i, "kld_mean_"+corpus)
			if !ok {
				continue
			}
			if level != "" && strings.Count(level, side.rest) == len(level) {
				from = v
			}
			if at := alone(level, side.rest, side.own); at >= 0 && from.ID != "" {
				y := v.Y - from.Y
				if side.own == "8" {
					y = -y
				}
				s.Points = append(s.Points, chart.Point{Label: fmt.Sprint(at), Y: y, ID: v.ID})
			}
		}
		if len(s.Points) > 0 {
			c.Series = append(c.Series, s)
		}
	}
	if len(c.Series) == 0 {
		return c.Without(fmt.Sprintf("no record of %s on %s has one block at another width than the rest (%s makes them)", r.model(), chart.Text(corpus), makesLayers))
	}
	return c
}

// FrontChart draws a metric ("ppl") against the bytes of all weights, tables included, along the plans of each order.
func (r *Runs) FrontChart(metric, corpus string, orders map[string][]int) *chart.Chart {
	c := &chart.Chart{Kind: chart.KindLine, Title: chart.Heading(metric) + " for the bytes of the weights", Subtitle: r.measuredIn(metric + "_" + corpus),
		X: chart.Axis{Name: "weights", Unit: "MB"}, Y: chart.Axis{Name: chart.Heading(metric) + ", " + chart.Text(corpus), Better: chart.Lower}}
	for _, name := range sortedKeys(orders) {
		s := chart.Series{Name: name}
		for _, level := range Plans(orders[name]) {
			for i := range r.rows {
				if r.rows[i].axes["layers"] != level {
					continue
				}
				v, ok := r.Number(i, metric+"_"+corpus)
				bytes, ok2 := r.Number(i, "weight_bytes_"+corpus)
				if ok && ok2 {
					s.Points = append(s.Points, chart.Point{X: bytes.Y / 1e6, Y: v.Y, ID: v.ID})
				}
			}
		}
		slices.Reverse(s.Points)
		if len(s.Points) > 0 {
			c.Series = append(c.Series, s)
		}
	}
	for i := range r.rows {
		if v, ok := r.Number(i, metric+"_"+corpus); ok && r.rows[i].axes["layers"] == "" {
			c.Baselines = append(c.Baselines, chart.Reference{Name: "fp32", Value: v.Y})
		}
	}
	return c
}

// Budgets says for each number of megabytes which of the measured plans fits and diverges least from the float model.
func (r *Runs) Budgets(corpus string, megabytes ...float64) chart.Grid {
	g := chart.Grid{Left: 2, Head: []string{"weights, at most (MB)", "widths by block", "bytes (MB)", "PPL, " + chart.Text(corpus), "KL", "blocks at 4 bits"}}
	for _, budget := range megabytes {
		row := []string{fmt.Sprintf("%g", budget), "none fits", "–", "–", "–", "–"}
		best := chart.Value{}
		for i := range r.rows {
			level := r.rows[i].axes["layers"]
			bytes, ok := r.Number(i, "weight_bytes_"+corpus)
			kl, ok2 := r.Number(i, "kld_mean_"+corpus)
			if level == "" || !ok || !ok2 || bytes.Y > budget*1e6 || best.ID != "" && kl.Y >= best.Y {
				continue
			}
			best = kl
			ppl, _ := r.Number(i, "ppl_"+corpus)
			row = []string{row[0], level, fmt.Sprintf("%.2f", bytes.Y/1e6), four(ppl.Y), kl.String(), fmt.Sprint(strings.Count(level, "4"))}
		}
		g.Rows = append(g.Rows, row)
	}
	return g
}
