package ablation

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/illm-go/illm/pkg/chart"
	"github.com/illm-go/illm/pkg/quant"
)

// Plain is the level of Calibration that ships under the method's name, with seed 2.
const Plain = "plain"

// Windows of the plain row, as the shipped files say (TestPlainWindows of package nb): the paper's for trained factors, and
// for closed forms those of the rounding or of the maxima.
const (
	plainTrained = 128
	plainRounded = 32
	plainMaxima  = 16
)

// Calibration asks how much of a method is chance and how much text it needs. A level is a variant of the recipe:
//
//	plain    as it ships, seed 2                    MODEL-w4a4-fsbr.safetensors
//	n16      the first 16 windows, as many steps    MODEL-w4a4-fsbr@n16.safetensors
//	seed3    other windows, in another order        MODEL-w4a4-fsbr@seed3.safetensors
//
// Steps are equal because at equal epochs a smaller set would also be trained less. A closed form has no steps: its windows
// are those of its rounding, and the seed of "best" draws the signs of its rotations.
var Calibration = Study{
	Name:     "calibration",
	Question: "How many windows does calibration need, and how far apart are two runs of it?",
	Axes: []Axis{
		{Name: "made", Levels: []string{"n16", "n32", "n64", Plain, "seed3", "seed4", "seed5"}, Check: checkMade, Help: "or another variant: n8, seed6 …"},
		{Name: "corpus", Levels: []string{"wikitext2"}, Check: checkCorpus, Help: `"c4", "enwiki", "opticks", or the path of a text file`},
	},
	Fixed:  map[string]string{"model": "tiny-llama", "width": "w4a4", "method": "fsbr", "clip": "15", "mode": "illm", "window": Longest, "first": "0", "windows": Most},
	Spread: "corpus",
	Derive: func(c Config) {
		spellMethod(c)
		if m := c["made"]; m != "" && m != Plain {
			c["recipe"] += "@" + m
		}
	},
	Base: map[string]string{"made": "", "width": "fp32", "method": "", "clip": "", "mode": ""},
}

func checkMade(s string) (string, error) {
	_, err := quant.ParseRecipe("w4a4-fsbr@" + s)
	return s, err
}

// PlainWindows is the number of windows behind the row of a recipe that ships under its method's name.
func PlainWindows(recipe string) int {
	_, method, _ := strings.Cut(recipe, "-")
	switch method, _, _ := strings.Cut(method, "@"); method {
	case "fsbr", "omniquant":
		return plainTrained
	case "best", "gptq":
		return plainRounded
	}
	return plainMaxima
}

// calibrated is the number of windows behind a level of Calibration, and whether it is as many other windows, or
// another rotation.
func calibrated(recipe, level string) (windows int, order bool) {
	plain := PlainWindows(recipe)
	if level == Plain {
		return plain, true
	}
	if n, ok := strings.CutPrefix(level, "n"); ok {
		if w, err := strconv.Atoi(n); err == nil {
			return w, false
		}
	}
	return plain, strings.HasPrefix(level, "seed")
}

// Spread is how far repetitions of one thing are apart.
type Spread struct {
	N            int
	Mean, SD     float64 // SD: sample standard deviation, NaN below 2
	Least, Worst float64
}

// Seeds is the spread of a metric over the plain row and all seeds of Calibration.
func (r *Runs) Seeds(column string) Spread {
	var v []float64
	for i, row := range r.rows {
		if _, order := calibrated("", row.axes["made"]); !order || row.axes["made"] == "" {
			continue
		}
		if x, ok := r.Number(i, column); ok && !math.IsNaN(x.Y) {
			v = append(v, x.Y)
		}
	}
	s := Spread{N: len(v), Mean: math.NaN(), SD: math.NaN(), Least: math.NaN(), Worst: math.NaN()}
	if s.N == 0 {
		return s
	}
	s.Mean = 0
	for _, x := range v {
		s.Mean += x / float64(s.N)
	}
	s.Least, s.Worst = slices.Min(v), slices.Max(v)
	if s.N > 1 {
		sum := 0.0
		for _, x := range v {
			sum += (x - s.Mean) * (x - s.Mean)
		}
		s.SD = math.Sqrt(sum / float64(s.N-1))
	}
	return s
}

// Sentence says the spread in words; with fewer than three runs that it is none.
func (s Spread) Sentence() string {
	switch {
	case s.N == 0:
		return "No run has a record yet."
	case s.N < 3:
		return fmt.Sprintf("%d of at least 3 runs have a record: a spread takes three.", s.N)
	}
	return fmt.Sprintf("Over %d seeds: mean %.4g, standard deviation %.2g (%.2g %%), from %.4g to %.4g.", s.N, s.Mean, s.SD, 100*s.SD/s.Mean, s.Least, s.Worst)
}

// Sizes draws perplexity by the number of calibration windows; the seeds stand above the plain row's number as points of
// their own. With fewer than two points there is nothing to see: nil.
func (r *Runs) Sizes(corpus string) *chart.Chart {
	c := &chart.Chart{Kind: chart.KindScatter, Title: "Perplexity by calibration windows", Subtitle: r.measuredIn("ppl_" + corpus),
		X: chart.Axis{Name: "calibration windows", Log: true}, Y: chart.Axis{Name: "Perplexity, " + chart.Text(corpus), Better: chart.Lower}}
	sizes, seeds := chart.Series{Name: "windows"}, chart.Series{Name: "other seeds"}
	for i, row := range r.rows {
		level := row.axes["made"]
		v, ok := r.Number(i, "ppl_"+corpus)
		if level == "" || !ok {
			continue
		}
		n, order := calibrated(row.cells[corpus].config["recipe"], level)
		p := chart.Point{X: float64(n), Y: v.Y, Label: level, ID: v.ID}
		if order && level != Plain {
			seeds.Points = append(seeds.Points, p)
		} else {
			sizes.Points = append(sizes.Points, p)
		}
	}
	for _, s := range []chart.Series{sizes, seeds} {
		if s.Points != nil {
			c.Series = append(c.Series, s)
		}
	}
	if len(sizes.Points)+len(seeds.Points) < 2 {
		return nil
	}
	return c
}

// CalibrationTable has a row for each variant: what its factor file says of how it was made (made returns the file's
// header, nil without one), perplexity, its change from the plain row and the divergence from the float model. Windows are
// those of the training or the maxima, else those of the rounding.
func (r *Runs) CalibrationTable(corpus string, made func(recipe string) map[string]string) chart.Grid {
	g := chart.Grid{Left: 1, Head: []string{"variant", "windows", "epochs", "batch", "seed", "backend", "PPL, " + chart.Text(corpus), "change from plain", "KL"}}
	for i, row := range r.rows {
		level := row.axes["made"]
		cell := row.cells[corpus]
		if level == "" || cell == nil {
			continue
		}
		line := []string{level}
		meta := made(cell.config["recipe"])
		for _, key := range []string{"windows", "epochs", "batch", "seed", "backend"} {
			value := meta[key]
			if key == "windows" && value == "" {
				value = meta["rounding_windows"]
			}
			if value == "" {
				value = "–"
			}
			line = append(line, value)
		}
		ppl, change, kl := "no record", "–", "–"
		if v, ok := r.Number(i, "ppl_"+corpus); ok {
			ppl = v.String()
		}
		if v, ok := r.changeOf("made", level, Plain, corpus); ok && level != Plain {
			change = changed(v)
		}
		if v, ok := r.Number(i, "kld_mean_"+corpus); ok {
			kl = v.String()
		}
		g.Rows = append(g.Rows, append(line, ppl, change, kl))
	}
	return g
}
