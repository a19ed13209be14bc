package ablation

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"gonum.org/v1/gonum/stat"

	"github.com/illm-go/illm/pkg/chart"
	"github.com/illm-go/illm/pkg/record"
)

// Rises says of a recipe of the study Context what its divergence from the float model is in the shortest and the longest windows,
// and whether it rises within the longest ones: by the slope of a line through the means of its eighths (see told).
func (r *Runs) Rises(recipe, corpus string) string {
	var windows, at []int
	for i, row := range r.rows {
		window, err := strconv.Atoi(row.axes["window"])
		if _, ok := r.Number(i, "kld_mean_"+corpus); !ok || err != nil || row.axes["recipe"] != recipe {
			continue
		}
		j, _ := slices.BinarySearch(windows, window)
		windows, at = slices.Insert(windows, j, window), slices.Insert(at, j, i)
	}
	if len(at) == 0 {
		return recipe + ": no records yet."
	}
	last := len(at) - 1
	kl := func(i int) chart.Value { v, _ := r.Number(at[i], "kld_mean_"+corpus); return v }
	s := fmt.Sprintf("%s: divergence from fp32 %s nats in windows of %d tokens", recipe, kl(last), windows[last])
	if last > 0 {
		s = fmt.Sprintf("%s: divergence from fp32 %s nats in windows of %d tokens, %s in windows of %d", recipe, kl(0), windows[0], kl(last), windows[last])
	}
	var x, y []float64
	for b := range PositionBins {
		if v, ok := r.Number(at[last], fmt.Sprintf("kld_bin%d_%s", b+1, corpus)); ok {
			x, y = append(x, float64(b)), append(y, v.Y)
		}
	}
	if len(y) < 3 {
		return s + "."
	}
	word := "not told to rise or fall"
	switch slope, se := line(x, y); told(slope, se, len(y)-1) { // two numbers are fitted
	case 1:
		word = "it rises"
	case -1:
		word = "it falls"
	}
	return fmt.Sprintf("%s; there %.3g in the first eighth and %.3g in the last: %s.", s, y[0], y[len(y)-1], word)
}

// line is the slope of the straight line through points, and its standard error.
func line(x, y []float64) (slope, se float64) {
	offset, slope := stat.LinearRegression(x, y, nil, false)
	var ss float64
	for i := range x {
		d := y[i] - offset - slope*x[i]
		ss += d * d
	}
	n := float64(len(x))
	return slope, math.Sqrt(ss / (n - 2) / (stat.Variance(x, nil) * (n - 1)))
}

// MostSensitive says which block adds most to the divergence when it alone has 4 bits, and how much more than the one that adds
// least.
func (r *Runs) MostSensitive(corpus string) string {
	order := r.Sensitivity(corpus)
	if len(order) < 2 {
		return fmt.Sprintf("%s: the order of its blocks is not known, a block has no record (%s makes them).", r.model(), makesLayers)
	}
	n := len(order)
	at := func(block int) chart.Value {
		level := []byte(strings.Repeat("8", n))
		if block >= 0 {
			level[block] = '4'
		}
		v, _ := r.At("kld_mean_"+corpus, "layers", string(level))
		return v
	}
	s := fmt.Sprintf("%s, 4 bits in one block of %d: block %d adds most to the divergence, block %d least", r.model(), n, order[n-1], order[0])
	if all, low, high := at(-1), at(order[0]), at(order[n-1]); all.ID != "" && low.Y > all.Y {
		s += fmt.Sprintf(", by a factor of %.1f", (high.Y-all.Y)/(low.Y-all.Y))
	}
	return s + "."
}

// Sentence says what the headers of the linears weigh beside a weight's code, and which part of the file embedding and head are.
func (s Storage) Sentence() string {
	var headers, codes, table int64
	for i, p := range s.Parts {
		switch {
		case i == 0:
			codes = p.Bytes
		case p.Of == s.Linear:
			headers += p.Bytes
		case p.Of == s.Table:
			table += p.Bytes
		}
	}
	if s.Linear == 0 || s.Bytes() == 0 {
		return s.Header.Spec.Recipe.Name + ": no linears."
	}
	bits := func(n int64) float64 { return 8 * float64(n) / float64(s.Linear) }
	return fmt.Sprintf("%s: the headers of the linears add %.2f bits a weight to the %.0f of its code; embedding and head, with theirs, are %.0f %% of the file.",
		s.Header.Spec.Recipe.Name, bits(headers), bits(codes), 100*float64(table)/float64(s.Bytes()))
}

// SaturationSentence says whether any addition to the residual stream met its limits, over the integer rows of studies.
func SaturationSentence(list ...*Runs) string {
	seen, records, additions := map[*record.Record]bool{}, 0, 0.0
	for _, runs := range list {
		for _, r := range runs.Records() {
			if m, ok := r.Metric("saturated"); ok && !seen[r] {
				seen[r] = true
				records++
				additions += m.Value
			}
		}
	}
	switch {
	case records == 0:
		return "No records yet."
	case additions == 0:
		return fmt.Sprintf("No addition to the residual stream met its limits in any of %d records.", records)
	}
	return fmt.Sprintf("%.0f additions to the residual stream met its limits, in %d records.", additions, records)
}
