package ablation

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"

	"github.com/illm-go/illm/pkg/chart"
	"github.com/illm-go/illm/pkg/floatref"
)

// Amplitudes is a tap of the float model that keeps, for each site and layer, how large the rows are: max|x| over the
// channels of a token (of a head of a token at query, key and value; the range of the row at scores). A dynamic grid
// follows that number; a static one has to hold the largest of it, and every row below loses log2(largest/own) bits.
// It changes nothing. The zero value is ready and may be shared.
//
// Use it as floatref.Options.Tap.
type Amplitudes struct {
	mu   sync.Mutex
	all  map[amplitudeKey]*[amplitudeBins]uint64
	rows map[floatref.Site]uint64
}

type amplitudeKey struct {
	site  floatref.Site
	layer int
}

const (
	amplitudeStep = 8 // bins an octave
	amplitudeLow  = -32
	amplitudeHigh = 32
	amplitudeBins = (amplitudeHigh - amplitudeLow) * amplitudeStep
)

// amplitudeSites are the sites that the static recipes have, in the order of the forward pass.
var amplitudeSites = []floatref.Site{floatref.AttnIn, floatref.Query, floatref.Key, floatref.Value, floatref.Scores,
	floatref.AttnOut, floatref.MLPIn, floatref.Gate, floatref.Up, floatref.Product}

// Tap implements floatref.Tap.
func (a *Amplitudes) Tap(b *floatref.Block) {
	if !slices.Contains(amplitudeSites, b.Site) {
		return
	}
	var counts [amplitudeBins]uint64
	n := uint64(0)
	for r := range b.Rows {
		lo, hi := float32(math.Inf(1)), float32(math.Inf(-1))
		for _, v := range b.Row(r) {
			lo, hi = min(lo, v), max(hi, v)
		}
		top := max(hi, -lo)
		if b.Site == floatref.Scores {
			top = hi - lo
		}
		if !(top > 0 && top <= math.MaxFloat32) { // a row of zeros has the grid of any other
			continue
		}
		bin := int(math.Floor((math.Log2(float64(top)) - amplitudeLow) * amplitudeStep))
		counts[min(max(bin, 0), amplitudeBins-1)]++
		n++
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.all == nil {
		a.all, a.rows = map[amplitudeKey]*[amplitudeBins]uint64{}, map[floatref.Site]uint64{}
	}
	k := amplitudeKey{b.Site, b.Layer}
	sum := a.all[k]
	if sum == nil {
		sum = new([amplitudeBins]uint64)
		a.all[k] = sum
	}
	for i, c := range counts {
		sum[i] += c
	}
	a.rows[b.Site] += n
}

// quantileBin is the bin up to which a share q of the rows lies.
func quantileBin(counts *[amplitudeBins]uint64, q float64) int {
	total := uint64(0)
	for _, c := range counts {
		total += c
	}
	need, sum := q*float64(total), 0.0
	for i, c := range counts {
		if sum += float64(c); sum >= need && sum > 0 {
			return i
		}
	}
	return amplitudeBins - 1
}

// Lost is how many bits of its codes a row at a site loses on the grid of the largest row of its layer: log2(largest/own) of
// the median row, and of the smallest 1 %, averaged over the layers, to an eighth of a bit. ok is false if no row was seen.
func (a *Amplitudes) Lost(site floatref.Site) (median, low float64, ok bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	n := 0.0
	for k, counts := range a.all {
		if k.site != site {
			continue
		}
		top := quantileBin(counts, 1)
		median += float64(top-quantileBin(counts, 0.5)) / amplitudeStep
		low += float64(top-quantileBin(counts, 0.01)) / amplitudeStep
		n++
	}
	return median / max(n, 1), low / max(n, 1), n > 0
}

// Chart draws, for each of the given sites (none: all that were seen), the share of rows by their amplitude in octaves
// over the median of their layer. What lies right of 0 is what a static grid has to make room for.
func (a *Amplitudes) Chart(sites ...floatref.Site) *chart.Chart {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(sites) == 0 {
		sites = amplitudeSites
	}
	c := &chart.Chart{
		Kind: chart.KindHistogram, Title: "Amplitudes of tokens against the median token of their layer",
		X: chart.Axis{Name: "largest |x| of a token over the median", Unit: "octaves"},
		Y: chart.Axis{Name: "Share of rows", Unit: "% per bin", Log: true},
	}
	const bin = 0.5
	for _, site := range sites {
		rows := map[int]uint64{} // whole numbers: layers come in any order
		for k, counts := range a.all {
			if k.site != site {
				continue
			}
			mid := quantileBin(counts, 0.5)
			for i, n := range counts {
				rows[int(math.Floor(float64(i-mid)/amplitudeStep/bin))] += n
			}
		}
		s := chart.Series{Name: site.String(), Method: site.String()}
		at := make([]int, 0, len(rows))
		for i, n := range rows {
			if n > 0 {
				at = append(at, i)
			}
		}
		slices.Sort(at)
		for _, i := range at {
			s.Points = append(s.Points, chart.Point{X: float64(i) * bin, To: float64(i+1) * bin, Y: 100 * float64(rows[i]) / float64(a.rows[site])})
		}
		if len(at) > 0 {
			c.Series = append(c.Series, s)
		}
	}
	return c
}

// Table lists the sites with the bits that a static grid takes from their rows.
func (a *Amplitudes) Table() chart.Grid {
	g := chart.Grid{Head: []string{"site", "rows", "bits lost, median row", "bits lost, smallest 1 %"}}
	for _, site := range amplitudeSites {
		median, low, ok := a.Lost(site)
		if !ok {
			continue
		}
		a.mu.Lock()
		n := a.rows[site]
		a.mu.Unlock()
		g.Rows = append(g.Rows, []string{site.String(), fmt.Sprint(n), fmt.Sprintf("%.2f", median), fmt.Sprintf("%.2f", low)})
	}
	return g
}

// Widest says which sites lose most bits in the median row, worst first, and what the smallest one percent of their rows lose.
func (a *Amplitudes) Widest() string {
	type loss struct {
		site        floatref.Site
		median, low float64
	}
	var list []loss
	for _, site := range amplitudeSites {
		if median, low, ok := a.Lost(site); ok {
			list = append(list, loss{site, median, low})
		}
	}
	if len(list) == 0 {
		return "No rows were seen."
	}
	slices.SortStableFunc(list, func(x, y loss) int { return cmp.Compare(y.median, x.median) })
	var parts []string
	for _, l := range list[:min(3, len(list))] {
		parts = append(parts, fmt.Sprintf("%s %.1f bits (smallest rows %.1f)", l.site, l.median, l.low))
	}
	return "Most bits lose " + strings.Join(parts, ", ") + "."
}
