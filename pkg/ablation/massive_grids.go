package ablation

import (
	"fmt"
	"math"
	"slices"

	"github.com/illm-go/illm/pkg/baseline/fakequant"
	"github.com/illm-go/illm/pkg/chart"
	"github.com/illm-go/illm/pkg/floatref"
	"github.com/illm-go/illm/pkg/model"
	"github.com/illm-go/illm/pkg/smooth"
)

// MassiveGrid is the error of one way to round the rows x [tokens, channels] in front of a linear W:
//
//	In   |x̂ − x| / |x|          Out   |W(x̂ − x)| / |Wx|
//
// of the massive token, and the median over the others. Share is the part of Σ|W(x̂ − x)|² that the massive token has:
// what a plain mean squared error sees of it.
type MassiveGrid struct {
	Name                string
	Bits                int
	In, InOthers        float64
	Out, OutOthers      float64
	Share, LostChannels float64 // LostChannels: part of the channels of the other tokens that become 0, without those that were
}

// gridErrors rounds the rows in three ways: all on one grid from the smallest to the largest value, each on its own as the
// integer engine does, and each on its own behind a Hadamard matrix (W takes the inverse), where there is one of the size.
func gridErrors(cfg model.Config, x Magnitudes, w []float32, massive int, bits []int) ([]MassiveGrid, error) {
	outs := len(w) / x.Cols
	if len(w) != outs*x.Cols || outs == 0 {
		return nil, fmt.Errorf("ablation: massive activations: expected rows of %d in down_proj, found %d values", x.Cols, len(w))
	}
	lo, hi := float32(0), float32(0)
	for _, v := range x.X {
		lo, hi = min(lo, v), max(hi, v)
	}
	turn, back := func([]float32) {}, func([]float32) {}
	rotated := smooth.Rotation{Down: true}
	if rotated.Check(cfg) == nil {
		t, err := rotated.Tap(cfg)
		if err != nil {
			return nil, err
		}
		turn = func(v []float32) {
			t.Tap(&floatref.Block{Site: floatref.Product, Rows: 1, Cols: len(v), X: v, Stride: len(v)})
		}
		if back, err = transposed(turn, x.Cols); err != nil {
			return nil, err
		}
	}
	var grids []MassiveGrid
	for _, n := range bits {
		for _, way := range []struct {
			name    string
			rounded func(v []float32)
		}{
			{"one grid for all tokens", func(v []float32) { fakequant.Range(v, n, float64(lo), float64(hi)) }},
			{"each token its own", func(v []float32) { fakequant.Row(v, n) }},
			{"its own, behind a Hadamard matrix", func(v []float32) { turn(v); fakequant.Row(v, n); back(v) }},
		} {
			if way.name[0] == 'i' && rotated.Check(cfg) != nil {
				continue
			}
			grids = append(grids, gridError(way.name, n, x, w, outs, massive, way.rounded))
		}
	}
	return grids, nil
}

// transposed returns v → Hᵀv for v → Hv, by the rows of H: a Hadamard matrix need not be symmetric.
func transposed(h func([]float32), n int) (func([]float32), error) {
	if n > 1<<13 {
		return nil, fmt.Errorf("ablation: massive activations: Hadamard matrix of order %d: expected at most %d", n, 1<<13)
	}
	cols := make([][]float32, n) // column j of H is H·e_j
	for j := range cols {
		cols[j] = make([]float32, n)
		cols[j][j] = 1
		h(cols[j])
	}
	return func(v []float32) {
		out := make([]float32, n)
		for j, c := range cols { // (Hᵀv)_j = column j · v
			s := 0.0
			for i, x := range c {
				s += float64(x) * float64(v[i])
			}
			out[j] = float32(s)
		}
		copy(v, out)
	}, nil
}

func gridError(name string, bits int, x Magnitudes, w []float32, outs, massive int, round func([]float32)) MassiveGrid {
	g := MassiveGrid{Name: name, Bits: bits}
	var in, out []float64
	total, zero, live := 0.0, 0, 0
	v := make([]float32, x.Cols)
	for r := range x.Rows {
		row := x.X[r*x.Cols:][:x.Cols]
		copy(v, row)
		round(v)
		e := make([]float32, x.Cols)
		var e2, x2, we2, wx2 float64
		for i := range v {
			e[i] = v[i] - row[i]
			e2 += float64(e[i]) * float64(e[i])
			x2 += float64(row[i]) * float64(row[i])
			if r != massive && row[i] != 0 {
				live++
				if v[i] == 0 {
					zero++
				}
			}
		}
		for j := range outs {
			var a, b float64
			for i, c := range w[j*x.Cols:][:x.Cols] {
				a += float64(c) * float64(e[i])
				b += float64(c) * float64(row[i])
			}
			we2 += a * a
			wx2 += b * b
		}
		total += we2
		ein, eout := math.Sqrt(e2/x2), math.Sqrt(we2/wx2)
		if r == massive {
			g.In, g.Out, g.Share = ein, eout, we2
			continue
		}
		in, out = append(in, ein), append(out, eout)
	}
	slices.Sort(in)
	slices.Sort(out)
	g.InOthers, g.OutOthers = in[len(in)/2], out[len(out)/2]
	if total > 0 {
		g.Share /= total
	}
	g.LostChannels = float64(zero) / float64(max(live, 1))
	return g
}

// GridTable has a row for each width and grid.
func (m *Massive) GridTable() chart.Grid {
	g := chart.Grid{Left: 2, Head: []string{"bits", "grid", "massive token: input error", "the others, median", "massive token: output error", "the others, median", "others' channels at 0", "its part of the squared error"}}
	percent := func(x float64) string { return fmt.Sprintf("%.3g %%", 100*x) }
	for _, e := range m.Grids {
		g.Rows = append(g.Rows, []string{fmt.Sprint(e.Bits), e.Name, percent(e.In), percent(e.InOthers), percent(e.Out), percent(e.OutOthers), percent(e.LostChannels), percent(e.Share)})
	}
	return g
}

// Sentence says where they are.
func (m *Massive) Sentence() string {
	at, behind := m.Layers[m.Block], m.Layers[m.Block+1]
	return fmt.Sprintf("Behind block %d the largest activation is %.3g, %.3g times that of the median token (before it %.3g, %.3g times): token %d, channel %d; this token has %.1f %% of Σx².",
		m.Block, behind.Top, behind.over(), at.Top, at.over(), behind.Token, behind.Channel, 100*behind.Share)
}
