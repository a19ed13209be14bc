package ablation

import (
	"fmt"
	"math"
	"slices"

	"github.com/illm-go/illm/pkg/chart"
	"github.com/illm-go/illm/pkg/record"
)

// Agreement says how a configuration's windows, computed twice, compare.
type Agreement struct {
	Axes      map[string]string // the configuration's levels, the spread axis too
	Windows   int               // windows present on both sides
	EqualBits int               // of these, with the same NLL bit for bit
	MaxDiff   float64           // largest |ΔNLL| per token, nats
	Now, Then float64           // perplexity over the common windows
	Found     bool              // false: the other side has no such configuration
}

// Same reports equal bits on every common window, of which there is one at least.
func (a Agreement) Same() bool { return a.Windows > 0 && a.EqualBits == a.Windows }

// Comparison is the list of agreements of two runs.
type Comparison []Agreement

// Compare matches each computed cell of now with the cell of then that has the
// same levels, and compares the windows that both hold, by their index. The
// number of windows may differ; everything else of the configuration must agree.
func Compare(now, then *Runs) Comparison {
	var out Comparison
	for i := range now.rows {
		for _, level := range now.levels() {
			c := now.rows[i].cells[level]
			if c == nil || c.record == nil {
				continue
			}
			a := Agreement{Axes: axesOf(now.Study, c.config), Now: meanPPL(c.record.Windows)}
			if other := then.like(c.config); other != nil {
				a.Found = true
				a.fill(c.record, other)
			}
			out = append(out, a)
		}
	}
	return out
}

// like finds the record whose settings agree but for the number of windows.
func (r *Runs) like(c Config) *record.Record {
	for _, row := range r.rows {
		for _, cell := range row.cells {
			if cell.record == nil {
				continue
			}
			same := true
			for k, v := range c {
				if k != "windows" && cell.config[k] != v {
					same = false
				}
			}
			if same {
				return cell.record
			}
		}
	}
	return nil
}

// meanPPL is the perplexity over windows, NaN for none.
func meanPPL(windows []record.WindowStat) float64 {
	sum, n := 0.0, 0
	for _, w := range windows {
		if w.N > 0 {
			sum, n = sum+w.NLL/float64(w.N), n+1
		}
	}
	return math.Exp(sum / float64(n))
}

func (a *Agreement) fill(now, then *record.Record) {
	var sumNow, sumThen float64
	for _, w := range now.Windows {
		at := slices.IndexFunc(then.Windows, func(o record.WindowStat) bool { return o.Index == w.Index && o.N == w.N })
		if at < 0 || w.N == 0 {
			continue
		}
		o := then.Windows[at]
		a.Windows++
		if math.Float64bits(w.NLL) == math.Float64bits(o.NLL) {
			a.EqualBits++
		}
		x, y := w.NLL/float64(w.N), o.NLL/float64(o.N)
		a.MaxDiff = max(a.MaxDiff, math.Abs(x-y))
		sumNow, sumThen = sumNow+x, sumThen+y
	}
	if a.Windows > 0 {
		a.Now, a.Then = math.Exp(sumNow/float64(a.Windows)), math.Exp(sumThen/float64(a.Windows))
	}
}

// Table prints the comparison.
func (c Comparison) Table() chart.Grid {
	g := chart.Grid{Head: []string{"configuration", "windows", "PPL now", "PPL in the record", "largest ΔNLL", "verdict"}}
	for _, a := range c {
		name := ""
		for _, k := range []string{"recipe", "exp", "operators", "score", "mantissa", "multiplier", "kv", "layers", "clip", "corpus"} {
			if v := a.Axes[k]; v != "" {
				switch k {
				case "clip":
					v = "c=" + v
				case "score":
					v += "-bit scores"
				case "mantissa":
					v = "m of " + v + " bits"
				case "multiplier":
					v = "M of " + v + " bits"
				case "kv":
					v = "kv" + v
				case "layers":
					v = "blocks " + v
				}
				name += v + " "
			}
		}
		verdict := fmt.Sprintf("equal bits in %d of %d", a.EqualBits, a.Windows)
		switch {
		case !a.Found:
			verdict = "no record to compare with"
		case a.Windows == 0:
			verdict = "no window in common"
		case a.Same():
			verdict = "equal bits"
		}
		r := []string{name, fmt.Sprint(a.Windows), "", "", "", verdict}
		if !math.IsNaN(a.Now) {
			r[2] = fmt.Sprintf("%.4f", a.Now)
		}
		if a.Windows > 0 {
			r[2], r[3], r[4] = fmt.Sprintf("%.4f", a.Now), fmt.Sprintf("%.4f", a.Then), fmt.Sprintf("%.1e", a.MaxDiff)
		}
		g.Rows = append(g.Rows, r)
	}
	return g
}
