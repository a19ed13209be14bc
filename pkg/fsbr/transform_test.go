package fsbr

import (
	"math"
	"testing"

	"github.com/gomlx/gomlx/backends"

	"github.com/illm-go/illm/pkg/di"
	"github.com/illm-go/illm/pkg/tape"
)

// TestTurned compares with the transform of the integer engine, and the gradient with the transposed matrix.
func TestTurned(t *testing.T) {
	onBackends(t, func(t *testing.T, b backends.Backend) {
		for _, n := range []int{4, 12, 64, 24, 1536, 256} {
			if slow(b) && n != 24 {
				continue
			}
			h, err := di.NewHadamard(n, 0)
			if err != nil {
				t.Fatal(err)
			}
			const rows = 2
			x, dy := make([]float32, rows*n), make([]float32, rows*n)
			for i := range x {
				x[i], dy[i] = float32(splitmix(uint64(i))%2001)-1000, float32(splitmix(uint64(i+7777))%2001)-1000
			}
			for _, split := range []bool{false, true} {
				out := evaluate(t, b, []input{{x, []int{rows, 1, n}}, {dy, []int{rows, 1, n}}}, func(g *tape.Graph, in []tape.Val) []tape.Val {
					tp := tape.New(g, tape.F32)
					node := &tape.Node{Val: in[0]}
					y := turned(tp, node, split)
					y.Grad = in[1]
					tp.Backward()
					return []tape.Val{y.Val, node.Grad}
				})
				// <H·x, dy> = <x, Hᵀ·dy>, and H·x exactly.
				for r := range rows {
					want := make([]int64, n)
					for i := range want {
						want[i] = int64(x[r*n+i])
					}
					h.Apply(want, 1<<15, 0)
					var left, right, size float64
					for i := range n {
						got := float64(out[0][r*n+i]) * math.Sqrt(float64(n))
						if math.Abs(got-float64(want[i])) > 2e-6*1000*float64(n) {
							t.Fatalf("order %d, split %v, row %d, %d: %v, want %d", n, split, r, i, got, want[i])
						}
						left += float64(want[i]) * float64(dy[r*n+i])
						right += float64(out[1][r*n+i]) * math.Sqrt(float64(n)) * float64(x[r*n+i])
						size += math.Abs(float64(want[i]) * float64(dy[r*n+i]))
					}
					if math.Abs(left-right) > 1e-5*size {
						t.Errorf("order %d: <H·x, dy> = %v, <x, Hᵀ·dy> = %v", n, left, right)
					}
				}
			}
		}
	})
}
