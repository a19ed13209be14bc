package ordered

import (
	"fmt"
	"testing"

	"github.com/illm-go/illm/pkg/simd/sgemm"
)

// The linear layers of SmolLM2-135M, its scores and its P×V, as {m, n, k}; sgemm beside them.
func BenchmarkMatMul(b *testing.B) {
	for _, s := range [][3]int{{512, 576, 576}, {512, 1536, 576}, {512, 576, 1536}, {512, 512, 64}, {512, 64, 2048}} {
		m, n, k := s[0], s[1], s[2]
		a, w, c := make([]float32, m*k), make([]float32, n*k), make([]float32, m*n)
		for i := range a {
			a[i] = float32(i%17) - 8
		}
		for i := range w {
			w[i] = float32(i%19) - 9
		}
		panel := sgemm.Pack(w, n, k)
		for _, f := range []struct {
			name string
			run  func()
		}{
			{"ordered", func() { MatMul(c, n, a, k, w, k, m, n, k) }},
			{"sgemm", func() { sgemm.MatMul(c, n, a, k, panel, m) }},
		} {
			b.Run(fmt.Sprintf("%s/m=%d/n=%d/k=%d", f.name, m, n, k), func(b *testing.B) {
				for b.Loop() {
					f.run()
				}
				b.ReportMetric(2*float64(m*n)*float64(k)*float64(b.N)/float64(b.Elapsed().Nanoseconds()), "GFLOP/s")
			})
		}
	}
}

func BenchmarkRank(b *testing.B) {
	const n, steps = 576, 64
	a, c := make([]float64, n*steps), make([]float64, n*n)
	for i := range a {
		a[i] = float64(i%17) - 8
	}
	for b.Loop() {
		Rank(c, n, a, n, a, n, n, n, steps)
	}
	b.ReportMetric(2*n*n*steps*float64(b.N)/float64(b.Elapsed().Nanoseconds()), "GFLOP/s")
}
