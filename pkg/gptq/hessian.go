package gptq

import "github.com/illm-go/illm/pkg/simd/ordered"

// hessian is H = Σ x xᵀ over rows in stream order, float64, one accumulator an element: the upper triangle while rows
// come in. Rows and columns are padded with zeros to whole panels.
type hessian struct {
	n, ld int
	h     []float64 // [ld][ld]
	pack  []float64 // [panel][row][32], rows of one call
}

const panel = ordered.RankCols

// depth is the number of rows of one pass over a panel: two panels stay in the first-level cache.
const depth = 64

func newHessian(n int) *hessian {
	ld := (n + panel - 1) / panel * panel
	return &hessian{n: n, ld: ld, h: make([]float64, ld*ld)}
}

// reset makes it an empty Hessian of order n in the memory of the old one.
func (g *hessian) reset(n int) *hessian {
	if g == nil || cap(g.h) < newSize(n)*newSize(n) {
		return newHessian(n)
	}
	g.n, g.ld = n, newSize(n)
	g.h = g.h[:g.ld*g.ld]
	clear(g.h)
	return g
}

func newSize(n int) int { return (n + panel - 1) / panel * panel }

// add adds rows of x, [rows][n]. Tasks are panels of columns.
func (g *hessian) add(threads int, x []float32, rows int) {
	panels := g.ld / panel
	if size := g.ld * rows; cap(g.pack) < size {
		g.pack = make([]float64, size)
	}
	parallel(threads, panels, func(_, p int) {
		dst := g.pack[p*rows*panel:]
		cols := min(panel, g.n-p*panel)
		for r := range rows {
			src, d := x[r*g.n+p*panel:][:cols], dst[r*panel:][:panel]
			for i, v := range src {
				d[i] = float64(v)
			}
			clear(d[cols:])
		}
	})
	parallel(threads, panels, func(_, i int) {
		j := panels - 1 - i // the longest columns first
		for r := 0; r < rows; r += depth {
			n := min(depth, rows-r)
			for i := range j + 1 {
				a, b := g.pack[(i*rows+r)*panel:], g.pack[(j*rows+r)*panel:]
				ordered.Rank(g.h[i*panel*g.ld+j*panel:], g.ld, a, panel, b, panel, panel, panel, n)
			}
		}
	})
}
