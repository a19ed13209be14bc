package gemm

import (
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"sync"
	"testing"
	"time"

	"github.com/illm-go/illm/pkg/mmap"
)

// BenchmarkBandwidth measures the product of few rows against reading the same
// bytes, in turn, over weights larger than the caches: median of the rounds for
// reads and products, and their ratio. Two workers take a half each.
func BenchmarkBandwidth(b *testing.B) {
	const size = 160 << 20
	pages := map[string]func() []byte{
		"huge": func() []byte {
			p, free, err := mmap.Huge(size)
			if err != nil {
				b.Fatal(err)
			}
			b.Cleanup(func() { free() })
			for i := range p {
				p[i] = byte(i * 11)
			}
			return p
		},
		"file": func() []byte {
			path := filepath.Join(b.TempDir(), "f")
			if err := os.WriteFile(path, make([]byte, size), 0o600); err != nil {
				b.Fatal(err)
			}
			f, err := mmap.Open(path)
			if err != nil {
				b.Fatal(err)
			}
			b.Cleanup(func() { f.Close() })
			return f.Bytes()
		},
	}
	for _, kind := range []string{"huge", "file"} {
		weights := pages[kind]()
		for _, threads := range []int{1, 2} {
			for _, s := range [][3]int{{1, 576, 576}, {1, 576, 1536}, {1, 4096, 4096}, {4, 576, 576}} {
				m, n, k := s[0], s[1], s[2]
				b.Run(fmt.Sprintf("%s/threads=%d/m=%d/n=%d/k=%d", kind, threads, m, n, k), func(b *testing.B) {
					part := PanelBytes(n, k)
					parts := size / part / threads
					product := func(w []byte) {
						x, acc := make([]uint8, m*k), make([]int32, m*Pad(n))
						for i := range parts {
							MatMul(acc, Pad(n), x, k, w[i*part:], Stride(k), m, n, k)
						}
					}
					read := func(w []byte) { PeakRead(w[:parts*part]) }
					var t [2][]float64
					for b.Loop() {
						for i, f := range []func([]byte){read, product} {
							start := time.Now()
							var wg sync.WaitGroup
							for w := range threads {
								wg.Go(func() { f(weights[w*parts*part:]) })
							}
							wg.Wait()
							t[i] = append(t[i], float64(threads*parts*part)/float64(time.Since(start).Nanoseconds()))
						}
					}
					sort.Float64s(t[0])
					sort.Float64s(t[1])
					r, p := t[0][len(t[0])/2], t[1][len(t[1])/2]
					b.ReportMetric(r, "read-GB/s")
					b.ReportMetric(p, "product-GB/s")
					b.ReportMetric(100*p/r, "%-of-read")
				})
			}
		}
	}
}
