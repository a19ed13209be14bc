package bench

import (
	"github.com/illm-go/illm/pkg/engine"
	"github.com/illm-go/illm/pkg/record"
)

// staticMetrics gives the codes that met the ends of constant grids: how many, their share of all codes on such grids, and
// the share at each site. A run whose windows all came from the journal made no codes and has none of them.
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
