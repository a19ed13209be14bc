package gemm4

import (
	"fmt"
	"sort"
	"sync"
	"testing"
	"time"

	"github.com/illm-go/illm/pkg/mmap"
	"github.com/illm-go/illm/pkg/simd/gemm"
)

// BenchmarkBandwidth measures the product of few rows against reading the same bytes, and against the product of the
// same shape with weights of 8 bits, in turn, over weights larger than the caches: medians, and what the half of the
// bytes saves.
func BenchmarkBandwidth(b *testing.B) {
	const size = 320 << 20
	weights, free, err := mmap.Huge(size)
	if err != nil {
		b.Fatal(err)
	}
	defer free()
	for i := range weights {
		weights[i] = byte(i * 11)
	}
	for _, threads := range []int{1, 2} {
		for _, s := range [][3]int{{1, 576, 576}, {1, 576, 1536}, {1, 4096, 4096}, {4, 576, 576}} {
			m, n, k := s[0], s[1], s[2]
			b.Run(fmt.Sprintf("threads=%d/m=%d/n=%d/k=%d", threads, m, n, k), func(b *testing.B) {
				whole, half := gemm.PanelBytes(n, k), PanelBytes(n, k)
				parts := size / whole / threads
				x, acc := make([]uint8, m*k), make([]int32, threads*m*Pad(n))
				work := []struct {
					part int
					f    func(acc []int32, w []byte)
				}{
					{half, func(_ []int32, w []byte) { gemm.PeakRead(w[:parts*half]) }},
					{half, func(acc []int32, w []byte) {
						for i := range parts {
							MatMul(acc, Pad(n), x, k, w[i*half:], Stride(k), m, n, k)
						}
					}},
					{whole, func(acc []int32, w []byte) {
						for i := range parts {
							gemm.MatMul(acc, Pad(n), x, k, w[i*whole:], gemm.Stride(k), m, n, k)
						}
					}},
				}
				var t [3][]float64
				for b.Loop() {
					for i, v := range work {
						start := time.Now()
						var wg sync.WaitGroup
						for w := range threads {
							wg.Go(func() { v.f(acc[w*m*Pad(n):][:m*Pad(n)], weights[w*parts*v.part:]) })
						}
						wg.Wait()
						t[i] = append(t[i], float64(time.Since(start).Nanoseconds()))
					}
				}
				for i := range t {
					sort.Float64s(t[i])
				}
				median := func(i int) float64 { return t[i][len(t[i])/2] }
				bytes := float64(threads * parts * half)
				b.ReportMetric(bytes/median(0), "read-GB/s")
				b.ReportMetric(bytes/median(1), "product-GB/s")
				b.ReportMetric(100*median(0)/median(1), "%-of-read")
				b.ReportMetric(median(2)/median(1), "×-int8")
			})
		}
	}
}
