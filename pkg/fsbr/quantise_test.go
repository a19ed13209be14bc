package fsbr

import (
	"fmt"
	"math"
	"testing"

	"github.com/gomlx/gomlx/backends"

	"github.com/illm-go/illm/pkg/baseline/fakequant"
	"github.com/illm-go/illm/pkg/tape"
)

// reference is the formula of quantise and of its gradient for one row, in float64.
func reference(x []float32, n int, rlo, rhi float64, dy []float32) (y, dx []float64, dlo, dhi float64) {
	levels := math.Ldexp(1, n) - 1
	top, low := math.Inf(-1), math.Inf(1)
	for _, v := range x {
		top, low = max(top, float64(v)), min(low, float64(v))
	}
	hi, lo := rhi*max(top, 0), rlo*min(low, 0)
	s := (hi - lo) / levels
	y, dx = make([]float64, len(x)), make([]float64, len(x))
	if s == 0 {
		return y, dx, 0, 0
	}
	z := math.Round(-lo / s)
	ds := 0.0
	var tops, lows float64
	for i, v := range x {
		q := math.Round(float64(v)/s) + z
		c := min(max(q, 0), levels)
		y[i] = (c - z) * s
		if c == q {
			dx[i] = float64(dy[i])
			ds += float64(dy[i]) * (c - z - float64(v)/s)
		} else {
			ds += float64(dy[i]) * (c - z)
		}
		if float64(v) == top {
			tops++
		}
		if float64(v) == low {
			lows++
		}
	}
	dr := ds / levels
	for i, v := range x {
		if float64(v) == top && top > 0 {
			dx[i] += dr * rhi / tops
		}
		if float64(v) == low && low < 0 {
			dx[i] -= dr * rlo / lows
		}
	}
	return y, dx, -dr * min(low, 0), dr * max(top, 0)
}

// TestQuantise compares values, codes and gradients with the formula in float64, and the values without ratios with
// package fakequant's rows.
func TestQuantise(t *testing.T) {
	const rows, cols = 7, 9
	x := noise(rows*cols, 3, 17)
	for i := range cols {
		x[i] = float32(math.Abs(float64(x[i])))            // no negative value
		x[cols+i] = -float32(math.Abs(float64(x[cols+i]))) // no positive one
		x[2*cols+i] = 0
		x[3*cols+i] = 1.25 // one value: maximum shared by all
	}
	x[4*cols] = 700 // an outlier
	dy := noise(rows*cols, 1, 23)
	for i := range cols {
		dy[2*cols+i] = 0 // a row of zeros has no direction: its gradient is not asked for
	}
	lo, hi := noise(rows, 0.2, 5), noise(rows, 0.2, 6)
	for i := range rows {
		lo[i] += 0.8
		hi[i] += 0.8
	}
	onBackends(t, func(t *testing.T, b backends.Backend) {
		for _, n := range []int{2, 4, 6, 8} {
			for _, clipped := range []bool{false, true} {
				if slow(b) && (n != 4 || !clipped) {
					continue
				}
				t.Run(fmt.Sprintf("%d bits, clipped %v", n, clipped), func(t *testing.T) {
					in := []input{{x, []int{rows, cols}}, {dy, []int{rows, cols}}, {lo, []int{rows}}, {hi, []int{rows}}}
					out := evaluate(t, b, in, func(g *tape.Graph, in []tape.Val) []tape.Val {
						tp := tape.New(g, tape.F32)
						node := &tape.Node{Val: in[0]}
						r := &ratio{&tape.Node{Val: in[2]}, &tape.Node{Val: in[3]}}
						if !clipped {
							r = nil
						}
						y := quantise(tp, node, n, r)
						y.Grad = in[1]
						tp.Backward()
						outs := []tape.Val{y.Val, node.Grad, g.Mul(y.Code, y.Step)}
						if clipped {
							outs = append(outs, r.lo.Grad, r.hi.Grad)
						}
						return outs
					})
					for i := range rows {
						row := x[i*cols:][:cols]
						rlo, rhi := 1.0, 1.0
						if clipped {
							rlo, rhi = float64(lo[i]), float64(hi[i])
						}
						y, dx, dlo, dhi := reference(row, n, rlo, rhi, dy[i*cols:][:cols])
						plain := append([]float32(nil), row...)
						fakequant.Row(plain, n)
						size := 0.0
						for _, v := range row {
							size = max(size, math.Abs(float64(v)))
						}
						for j := range cols {
							got, grad := float64(out[0][i*cols+j]), float64(out[1][i*cols+j])
							if math.Abs(got-y[j]) > 1e-6*size || math.Abs(float64(out[2][i*cols+j])-y[j]) > 1e-6*size {
								t.Errorf("row %d, value %d: %v, codes times step %v, want %v", i, j, got, out[2][i*cols+j], y[j])
							}
							if !clipped && math.Abs(got-float64(plain[j])) > 1e-6*size {
								t.Errorf("row %d, value %d: %v, fakequant has %v", i, j, got, plain[j])
							}
							if math.Abs(grad-dx[j]) > 2e-5 {
								t.Errorf("row %d, value %d: gradient %v, want %v", i, j, grad, dx[j])
							}
						}
						if clipped && (math.Abs(float64(out[3][i])-dlo) > 2e-5*(1+size) || math.Abs(float64(out[4][i])-dhi) > 2e-5*(1+size)) {
							t.Errorf("row %d: gradients of the ratios %v, %v, want %v, %v", i, out[3][i], out[4][i], dlo, dhi)
						}
					}
				})
			}
		}
	})
}

// TestRoundScores compares with package fakequant's distances.
func TestRoundScores(t *testing.T) {
	const n, keys = 3, 5
	x := noise(n*keys, 12, 3)
	onBackends(t, func(t *testing.T, b backends.Backend) {
		out := evaluate(t, b, []input{{x, []int{1, 1, n, keys}}}, func(g *tape.Graph, in []tape.Val) []tape.Val {
			tp := tape.New(g, tape.F32)
			query := g.AddC(g.Iota(tape.I32, 2, 1, 1, n, keys), keys-n)
			seen := g.GreaterOrEqual(query, g.Iota(tape.I32, 3, 1, 1, n, keys))
			seen = g.Broadcast(seen, []int{1, 1, n, keys}, 0, 1, 2, 3)
			masked := g.Where(seen, in[0], g.Scalar(-1e30, tape.F32))
			return []tape.Val{roundScores(tp, 8, 15)(masked, seen)}
		})
		for i := range n {
			visible := keys - n + i + 1
			want := append([]float32(nil), x[i*keys:][:visible]...)
			fakequant.Distances(want, 8, 15)
			for j := range keys {
				got := out[0][i*keys+j]
				if j >= visible && got > -1e29 || j < visible && math.Abs(float64(got-want[j])) > 1e-5 {
					t.Errorf("row %d: %v, want %v", i, out[0][i*keys:][:keys], want)
					break
				}
			}
		}
	})
}
