package sgemm

import (
	"fmt"
	"testing"
)

// The linear layers of SmolLM2-135M and its head, as {m, n, k}.
var benchShapes = [][3]int{
	{512, 576, 576}, {512, 192, 576}, {512, 1536, 576}, {512, 576, 1536}, {2048, 2048, 2048}, {512, 4096, 11008},
	{1, 576, 576}, {1, 1536, 576}, {1, 49152, 576}, {16, 1536, 576},
	{512, 512, 64}, {512, 64, 512},
}

func BenchmarkMatMul(b *testing.B) {
	for _, s := range benchShapes {
		m, n, k := s[0], s[1], s[2]
		b.Run(fmt.Sprintf("m=%d/n=%d/k=%d", m, n, k), func(b *testing.B) {
			a := make([]float32, m*k)
			w := make([]float32, n*k)
			c := make([]float32, m*n)
			for i := range a {
				a[i] = float32(i%17) - 8
			}
			for i := range w {
				w[i] = float32(i%19) - 9
			}
			panel := Pack(w, n, k)
			b.SetBytes(int64(4 * len(w)))
			for b.Loop() {
				MatMul(c, n, a, k, panel, m)
			}
			ops := 2 * float64(m) * float64(n) * float64(k)
			b.ReportMetric(ops*float64(b.N)/float64(b.Elapsed().Nanoseconds()), "GFLOP/s")
		})
	}
}

// BenchmarkPeak is what the shapes of BenchmarkMatMul are to be compared with,
// in the same run.
func BenchmarkPeak(b *testing.B) {
	var ops int64
	for b.Loop() {
		ops += PeakWork(10000)
	}
	b.ReportMetric(float64(ops)/float64(b.Elapsed().Nanoseconds()), "GFLOP/s")
}
