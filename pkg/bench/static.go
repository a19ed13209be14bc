package bench

import (
	"github.com/illm-go/illm/pkg/engine"
	"github.com/illm-go/illm/pkg/record"
)

// tallied is the integer engine with what it counts: residual additions that met the int32 limits, then for each site with
// constant grids the codes that met their ends, and all codes. It is an eval.Counter.
type tallied struct{ *engine.Scored }

// Counts implements eval.Counter.
func (c tallied) Counts() []int64 {
	out := []int64{c.Saturated()}
	for _, s := range c.M.StaticCounts() {
		out = append(out, s.Saturated, s.Codes)
	}
	return out
}

// metrics turns the sums over windows, as Counts lists them, into those of a record.
func (c tallied) metrics(sums []int64) []record.Metric {
	if len(sums) == 0 {
		return nil
	}
	sites := c.M.StaticCounts()
	for i := range sites {
		sites[i].Saturated, sites[i].Codes = sums[1+2*i], sums[2+2*i]
	}
	return append([]record.Metric{{Name: "saturated", Value: float64(sums[0]), Better: record.Lower}}, staticMetrics(sites)...)
}

// staticMetrics gives the codes that met the ends of constant grids: how many, their share of all codes on such grids, and
// the share at each site.
func staticMetrics(counts []engine.StaticCount) []record.Metric {
	var saturated, codes int64
	var sites []record.Metric
	for _, c := range counts {
		saturated, codes = saturated+c.Saturated, codes+c.Codes
		if c.Codes > 0 {
			sites = append(sites, record.Metric{Name: "saturated_share_" + c.Site, Value: percentOf(c.Saturated, c.Codes), Unit: "%", Better: record.Lower})
		}
	}
	if codes == 0 {
		return nil
	}
	return append([]record.Metric{
		{Name: "saturated_codes", Value: float64(saturated), Better: record.Lower},
		{Name: "saturated_share", Value: percentOf(saturated, codes), Unit: "%", Better: record.Lower},
	}, sites...)
}

func percentOf(part, whole int64) float64 { return 100 * float64(part) / float64(whole) }
