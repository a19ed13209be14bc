package bench

import (
	"fmt"
	"slices"

	"github.com/illm-go/illm/data"
	"github.com/illm-go/illm/pkg/chart"
	"github.com/illm-go/illm/pkg/peers"
	"github.com/illm-go/illm/pkg/record"
)

// Products reads the newest shipped or own comparison of matrix products with other libraries.
func Products() (Beside, error) {
	store, err := record.Open(record.Options{Shipped: data.Records()})
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(Beside(newestPeers(store, "")), func(r *record.Record) bool { return !isMatrix(peers.Op(r.Axes["op"])) }), nil
}

// named is the record of a subject in a case.
func (b Beside) named(c, subject string) *record.Record {
	for _, r := range b {
		if r.Axes["case"] == c && r.Axes["subject"] == subject {
			return r
		}
	}
	return nil
}

// cases lists the cases in their order.
func (b Beside) cases() (list []string) {
	for _, r := range b {
		if !slices.Contains(list, r.Axes["case"]) {
			list = append(list, r.Axes["case"])
		}
	}
	return list
}

// ProductGrid shows the speed of a kind of products: ours with their share of the roof of the same rounds (the arithmetic
// peak, or for few rows the bandwidth of reading), and of each library its speed and how many times faster ours is.
func (b Beside) ProductGrid(op peers.Op) chart.Grid {
	best, ours := b.best(op), []string{nameInt8, nameInt4}
	if op == peers.SGEMM {
		ours = []string{nameFloat}
	}
	rivals := []string{peers.MKL, peers.OneDNN, peers.ONNXRuntime, peers.OpenBLAS}
	rivals = slices.DeleteFunc(rivals, func(name string) bool {
		return !slices.ContainsFunc(best, func(r *record.Record) bool { return r.Axes["subject"] == name })
	})
	unit := map[peers.Op]string{peers.GEMM: "GOPS", peers.SGEMM: "GFLOP/s"}[op]
	g := chart.Grid{Left: 1, Head: []string{"rows × channels × depth, matrix", "peak (" + unit + ")", "read (GB/s)"}}
	for _, name := range ours {
		g.Head = append(g.Head, name, "of the peak (%)", "of reading (%)")
	}
	for _, name := range rivals {
		g.Head = append(g.Head, name, "ours is faster")
	}
	for _, c := range best.cases() {
		peak, read := best.named(c, namePeak), best.named(c, nameRead)
		row := []string{c[len(op)+1:], "–", "–"}
		if peak != nil {
			row[1] = cell(peak, "rate", 0)
		}
		if read != nil {
			k := float64(rowsOf(read)) // the record's rate counts two operations for each of the weights that were read
			row[2] = fmt.Sprintf("%.1f", number(read, "rate")/2/max(k, 1)*sizeOf(op))
		}
		of := func(roof *record.Record, name string, times float64) string {
			if roof == nil {
				return "–"
			}
			if _, ok := roof.Metric("ratio_" + name); !ok {
				return "–"
			}
			return fmt.Sprintf("%.0f", 100*times*number(roof, "ratio_"+name))
		}
		for _, name := range ours {
			bytes := 1.0
			if name == nameInt4 {
				bytes = 0.5 // of those that the bandwidth is counted with
			}
			value := "–"
			if r := best.named(c, name); r != nil {
				value = cell(r, "rate", 0)
			}
			row = append(row, value, of(peak, name, 1), of(read, name, bytes))
		}
		for _, name := range rivals {
			if r := best.named(c, name); r != nil {
				row = append(row, cell(r, "rate", 0), ranged(r, "ratio_"+ours[0]))
			} else {
				row = append(row, "–", "–")
			}
		}
		g.Rows = append(g.Rows, row)
	}
	if len(g.Rows) == 0 {
		return chart.Grid{Head: []string{"no record: illm bench --peers --gemm makes some"}}
	}
	return g
}

// sizeOf is the bytes of a weight.
func sizeOf(op peers.Op) float64 {
	if op == peers.SGEMM {
		return 4
	}
	return 1
}

// ProductChart draws the speed of products of so many rows.
func (b Beside) ProductChart(op peers.Op, rows int) *chart.Chart {
	best := slices.DeleteFunc(b.best(op), func(r *record.Record) bool { return rowsOf(r) != rows || r.Axes["subject"] == nameRead })
	c := &chart.Chart{Kind: chart.KindBar, X: chart.Axis{Name: "matrix"}, Y: chart.Axis{Name: "Speed", Unit: "GOPS", Better: chart.Higher}}
	if op == peers.SGEMM {
		c.Y.Unit = "GFLOP/s"
	}
	if len(best) == 0 {
		return c.Titled("No record of other libraries", "illm bench --peers --gemm makes some")
	}
	c.Titled(fmt.Sprintf("Products of %d rows beside other libraries", rows), Measured(best).Where()).Size(1000, 420)
	for _, r := range best {
		name := r.Axes["subject"]
		i := slices.IndexFunc(c.Series, func(s chart.Series) bool { return s.Name == name })
		if i < 0 {
			i, c.Series = len(c.Series), append(c.Series, chart.Series{Name: name})
		}
		label := r.Axes["case"]
		if of, ok := r.Config["case"].(map[string]any); ok {
			label = fmt.Sprint(of["label"])
		}
		c.Series[i].Points = append(c.Series[i].Points, chart.Point{Label: label, Y: number(r, "rate"), ID: id(r)})
	}
	return c
}
