package gptq

import (
	"errors"
	"math"

	"github.com/illm-go/illm/pkg/simd/ordered"
)

var errNotPositive = errors.New("the Hessian is not positive definite: calibrate on more tokens or with more damping")

// factor is U of H⁻¹ = UᵀU, upper triangular, in panels: U[i][j] is u[(j div 32)·ld·32 + i·32 + j mod 32].
type factor struct {
	n, ld int
	u     []float64
}

func (f *factor) at(i, j int) float64 { return f.u[j/panel*f.ld*panel+i*panel+j%panel] }

// factorize damps H and factors its inverse; the Hessian is spent.
//
// With F the reversal of rows, F·H·F = L·Lᵀ gives H = (F·L·F)(F·L·F)ᵀ and U = F·L⁻¹·F: one Cholesky factorisation and
// one triangular inverse instead of the inverse of H and its factorisation. Every element of L and L⁻¹ is one chain of
// rounded products in ascending order of the step; blocks of 32 steps change no bit.
//
// A channel that never was anything but 0 has the damping alone on its diagonal, and no effect on any other. Where all
// are 0 the damping is 1: U is I and GPTQ rounds to nearest.
func (g *hessian) factorize(damping float64, threads int) (*factor, error) {
	n, ld := g.n, g.ld
	mean := 0.0
	for i := range n {
		mean += g.h[i*ld+i]
	}
	mean /= float64(n)
	damp := float64(damping * mean)
	if damp == 0 {
		damp = mean
		if damping > 0 || mean == 0 {
			damp = 1
		} else {
			damp = 0
		}
	}
	a := make([]float64, ld*ld) // F·H·F, lower triangle
	parallel(threads, ld/panel, func(_, b int) {
		for i := b * panel; i < (b+1)*panel; i++ {
			if i >= n {
				a[i*ld+i] = 1
				continue
			}
			for j := range i + 1 {
				a[i*ld+j] = g.h[(n-1-i)*ld+n-1-j]
			}
			a[i*ld+i] += damp
		}
	})
	if err := cholesky(a, ld, threads); err != nil {
		return nil, err
	}
	x := invert(a, ld, threads)
	f := &factor{n: n, ld: ld, u: make([]float64, ld*ld)}
	parallel(threads, ld/panel, func(_, b int) {
		for i := range n {
			for j := max(i, b*panel); j < min(n, (b+1)*panel); j++ {
				r, c := n-1-i, n-1-j
				f.u[b*ld*panel+i*panel+j%panel] = x[c/panel*ld*panel+r*panel+c%panel]
			}
		}
	})
	return f, nil
}

// cholesky replaces the lower triangle of a by L, a = L·Lᵀ. ld is a multiple of 32.
func cholesky(a []float64, ld, threads int) error {
	// The columns of the current block, [panel of rows][step][32], and their negatives.
	pos, neg := make([]float64, ld*panel), make([]float64, ld*panel)
	for k0 := 0; k0 < ld; k0 += panel {
		k1 := k0 + panel
		for k := k0; k < k1; k++ {
			d := a[k*ld+k]
			if !(d > 0 && d <= math.MaxFloat64) {
				return errNotPositive
			}
			a[k*ld+k] = math.Sqrt(d)
			for i := k + 1; i < k1; i++ {
				eliminate(a[i*ld:], a, ld, k, i)
			}
		}
		rest := (ld - k1) / panel
		parallel(threads, rest, func(_, b int) {
			p := k1/panel + b
			for i := p * panel; i < (p+1)*panel; i++ {
				r := a[i*ld:]
				for k := k0; k < k1; k++ {
					eliminate(r, a, ld, k, k1-1)
				}
				for t := range panel {
					pos[(p*panel+t)*panel+i%panel] = r[k0+t]
					neg[(p*panel+t)*panel+i%panel] = -r[k0+t]
				}
			}
		})
		parallel(threads, rest, func(_, b int) {
			i := ld/panel - 1 - b // the longest rows first
			for j := k1 / panel; j <= i; j++ {
				ordered.Rank(a[i*panel*ld+j*panel:], ld, neg[i*panel*panel:], panel, pos[j*panel*panel:], panel, panel, panel, panel)
			}
		})
	}
	return nil
}

// eliminate does step k for the row r: l = r_k/L_kk, then r_j −= l·L_jk for k < j ≤ last.
func eliminate(r, a []float64, ld, k, last int) {
	l := r[k] / a[k*ld+k]
	r[k] = l
	for j := k + 1; j <= last; j++ {
		r[j] -= float64(l * a[j*ld+k])
	}
}

// invert returns L⁻¹ in panels as factor has them. Tasks are panels of columns.
func invert(l []float64, ld, threads int) []float64 {
	blocks := ld / panel
	neg := make([]float64, ld*ld) // −L in blocks, [row block][column block][step][32 rows]
	parallel(threads, blocks, func(_, b int) {
		for c := range b {
			dst := neg[(b*blocks+c)*panel*panel:]
			for i := range panel {
				for t, v := range l[(b*panel+i)*ld+c*panel:][:panel] {
					dst[t*panel+i] = -v
				}
			}
		}
	})
	x := make([]float64, ld*ld)
	parallel(threads, blocks, func(_, j int) {
		cols := x[j*ld*panel:][:ld*panel]
		for b := j; b < blocks; b++ {
			rows := cols[b*panel*panel:]
			for c := j; c < b; c++ {
				ordered.Rank(rows, panel, neg[(b*blocks+c)*panel*panel:], panel, cols[c*panel*panel:], panel, panel, panel, panel)
			}
			for i := range panel {
				r := rows[i*panel:][:panel]
				if b == j {
					r[i] += 1
				}
				full := l[(b*panel+i)*ld+b*panel:]
				for k := range i {
					ordered.Rank(r, panel, []float64{-full[k]}, 1, rows[k*panel:], panel, 1, panel, 1)
				}
				for c := range r {
					r[c] /= full[i]
				}
			}
		}
	})
	return x
}
