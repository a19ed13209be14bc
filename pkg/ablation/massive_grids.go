package ablation

import (
	"fmt"
	"math"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

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

// Names of the ways in which gridErrors rounds.
const (
	gridOne      = "one grid for all tokens"
	gridOwn      = "each token its own"
	gridHadamard = "its own, behind a Hadamard matrix"
)

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
			{gridOne, func(v []float32) { fakequant.Range(v, n, float64(lo), float64(hi)) }},
			{gridOwn, func(v []float32) { fakequant.Row(v, n) }},
			{gridHadamard, func(v []float32) { turn(v); fakequant.Row(v, n); back(v) }},
		} {
			if way.name == gridHadamard && rotated.Check(cfg) != nil {
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
		y := slices.Clone(v)
		for j, c := range cols { // (Hᵀy)_j = column j · y
			s := 0.0
			for i, x := range c {
				s += float64(x) * float64(y[i])
			}
			v[j] = float32(s)
		}
	}, nil
}

// rowError is the squared length of a row, of its error, and of both behind the linear.
type rowError struct {
	x, e, wx, we float64
	zero, live   int
}

func gridError(name string, bits int, x Magnitudes, w []float32, outs, massive int, round func([]float32)) MassiveGrid {
	rows := make([]rowError, x.Rows)
	inParallel(x.Rows, func(r int) {
		e := &rows[r]
		row := x.X[r*x.Cols:][:x.Cols]
		v := slices.Clone(row)
		round(v)
		for i := range v {
			if row[i] != 0 {
				e.live++
				if v[i] == 0 {
					e.zero++
				}
			}
			v[i] -= row[i]
			e.e += float64(v[i]) * float64(v[i])
			e.x += float64(row[i]) * float64(row[i])
		}
		for j := range outs {
			var a, b float64
			for i, c := range w[j*x.Cols:][:x.Cols] {
				a += float64(c) * float64(v[i])
				b += float64(c) * float64(row[i])
			}
			e.we += a * a
			e.wx += b * b
		}
	})
	g := MassiveGrid{Name: name, Bits: bits}
	var in, out []float64
	total, zero, live := 0.0, 0, 0
	for r, e := range rows {
		total += e.we
		if r == massive {
			g.In, g.Out, g.Share = math.Sqrt(e.e/e.x), math.Sqrt(e.we/e.wx), e.we
			continue
		}
		in, out = append(in, math.Sqrt(e.e/e.x)), append(out, math.Sqrt(e.we/e.wx))
		zero, live = zero+e.zero, live+e.live
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

// inParallel calls fn for 0 … n−1 from as many goroutines as there are processors.
func inParallel(n int, fn func(int)) {
	var next atomic.Int64
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				fn(i)
			}
		})
	}
	wg.Wait()
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

// GridSentence says for each width whether a Hadamard matrix in front of the grid helps the massive token and the others,
// by the error behind the linear; empty where the size has no matrix.
func (m *Massive) GridSentence() string {
	own := map[int]MassiveGrid{}
	var lines []string
	for _, g := range m.Grids {
		switch g.Name {
		case gridOwn:
			own[g.Bits] = g
		case gridHadamard:
			o := own[g.Bits]
			lines = append(lines, fmt.Sprintf("at %d bits the massive token's output error goes from %.3g to %.3g %%, the others' from %.3g to %.3g %%", g.Bits, 100*o.Out, 100*g.Out, 100*o.OutOthers, 100*g.OutOthers))
		}
	}
	if lines == nil {
		return ""
	}
	return "Behind a Hadamard matrix, " + strings.Join(lines, "; ") + "."
}
