package ablation

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/illm-go/illm/pkg/chart"
	"github.com/illm-go/illm/pkg/ptq"
	"github.com/illm-go/illm/pkg/quant"
	"github.com/illm-go/illm/pkg/record"
)

// siteCost is what one static site changes, in percent of perplexity.
type siteCost struct {
	site  string
	y, se float64
	told  int
}

// siteCosts lists the sites that have a record of their own at one width.
func (d *Relative) siteCosts(corpus, width string) (out []siteCost) {
	for i, row := range d.shown.rows {
		site := quant.OneStaticSite(row.axes["setting"])
		if site == "" || row.axes["width"] != width {
			continue
		}
		a, b := d.cells(i, corpus)
		if a == nil || b == nil {
			continue
		}
		if mean, se, n := PairedNLL(a, b); n > 0 {
			out = append(out, siteCost{site, 100 * math.Expm1(mean), 100 * math.Exp(mean) * se, told(mean, se, n)})
		}
	}
	return out
}

// BitsAndCosts puts what sites lose in bits beside what they cost: the sites in the order of the bits that a constant grid
// takes from their median row, each with its change of perplexity at one width. The orders need not agree.
func (d *Relative) BitsAndCosts(seen *Amplitudes, corpus, width string) string {
	type line struct {
		bits float64
		siteCost
	}
	var list []line
	costs := d.siteCosts(corpus, width)
	for _, site := range amplitudeSites {
		at := slices.IndexFunc(costs, func(c siteCost) bool { return c.site == site.String() })
		if bits, _, ok := seen.Lost(site); ok && at >= 0 {
			list = append(list, line{bits, costs[at]})
		}
	}
	if len(list) == 0 {
		return width + ", " + chart.Text(corpus) + ": no records yet."
	}
	slices.SortStableFunc(list, func(a, b line) int { return cmp.Compare(b.bits, a.bits) })
	var parts []string
	for _, l := range list {
		what := "not told from nothing"
		if l.told != 0 {
			what = signed(l.y, l.se) + " %"
		}
		parts = append(parts, fmt.Sprintf("%s %.1f (%s)", l.site, l.bits, what))
	}
	return fmt.Sprintf("%s, %s, by bits lost (change of perplexity): %s.", width, chart.Text(corpus), strings.Join(parts, ", "))
}

// LeftStatic names the sites that cost something by themselves and yet are static in the setting "mixed", whose dynamic sites
// are the same for every model; "" where there are none.
func (d *Relative) LeftStatic(corpus, width string) string {
	costs := slices.DeleteFunc(d.siteCosts(corpus, width), func(c siteCost) bool {
		return c.told <= 0 || slices.Contains(ptq.MixedDynamic(), c.site)
	})
	slices.SortStableFunc(costs, func(a, b siteCost) int { return cmp.Compare(b.y, a.y) })
	var parts []string
	for _, c := range costs {
		parts = append(parts, c.site+" "+signed(c.y, c.se)+" %")
	}
	if len(parts) == 0 {
		return ""
	}
	return fmt.Sprintf("%s, %s: mixed leaves static what costs by itself: %s.", width, chart.Text(corpus), strings.Join(parts, ", "))
}

// SameBits names the sites that are one function when they are static alone: their records are equal in every window, to the
// last bit. "" where there are none.
func (r *Runs) SameBits(corpus, width string) string {
	type group struct {
		sites []string
		of    *record.Record
	}
	var groups []*group
	for _, row := range r.rows {
		c, site := row.cells[corpus], quant.OneStaticSite(row.axes["setting"])
		if site == "" || c == nil || c.record == nil || len(c.record.Windows) == 0 || row.axes["width"] != width {
			continue
		}
		at := slices.IndexFunc(groups, func(g *group) bool { return slices.Equal(g.of.Windows, c.record.Windows) })
		if at < 0 {
			at, groups = len(groups), append(groups, &group{of: c.record})
		}
		groups[at].sites = append(groups[at].sites, site)
	}
	var lines []string
	for _, g := range groups {
		if len(g.sites) > 1 {
			lines = append(lines, fmt.Sprintf("%s, %s: static alone, %s make the same function, bit for bit in all %d windows.", width, chart.Text(corpus), strings.Join(g.sites, " and "), len(g.of.Windows)))
		}
	}
	return strings.Join(lines, "\n")
}

// StaticSmoothing says whether a method of smoothing makes a constant grid lose less: for each model and width the change of
// perplexity from dynamic grids without the method and with it, each from the dynamic engine of its own method.
func (m ByModel) StaticSmoothing(setting, method, corpus string) string {
	var lines []string
	less, more, all := 0, 0, 0
	for _, runs := range m {
		change := runs.Against("setting", Dynamic)
		at := func(width, method string) (chart.Value, bool) {
			for i, row := range runs.rows {
				if row.axes["setting"] == setting && row.axes["width"] == width && row.axes["method"] == method {
					return change.Number(i, "delta_"+corpus)
				}
			}
			return chart.Value{}, false
		}
		var parts, seen []string
		for _, row := range runs.rows {
			width := row.axes["width"]
			if slices.Contains(seen, width) {
				continue
			}
			seen = append(seen, width)
			plain, ok := at(width, quant.RTN)
			smooth, ok2 := at(width, method)
			if !ok || !ok2 {
				continue
			}
			all++
			switch reach := 2 * math.Hypot(plain.Err, smooth.Err); { // of two changes, each against its own dynamic row
			case smooth.Y < plain.Y-reach:
				less++
			case smooth.Y > plain.Y+reach:
				more++
			}
			parts = append(parts, fmt.Sprintf("%s %s %% → %s %%", width, whole(plain.Y), whole(smooth.Y)))
		}
		if len(parts) > 0 {
			lines = append(lines, runs.model()+": "+strings.Join(parts, ", ")+".")
		}
	}
	if all == 0 {
		return fmt.Sprintf("%s with and without %s: no records yet.", setting, method)
	}
	return fmt.Sprintf("%s, %s, without %s → with it: the loss is smaller with it in %d of %d, larger in %d.\n%s", setting, chart.Text(corpus), method, less, all, more, strings.Join(lines, "\n"))
}

// whole prints a change in percent with three digits, a large one in full as long as it is short.
func whole(v float64) string {
	if math.Abs(v) >= 1000 && math.Abs(v) < 1e6 {
		return fmt.Sprintf("%+.0f", v)
	}
	return fmt.Sprintf("%+.3g", v)
}
