package gemm4

import (
	"fmt"
	"testing"

	"github.com/illm-go/illm/pkg/simd/cpu"
	"github.com/illm-go/illm/pkg/simd/simdtest"
)

// The linear layers of SmolLM2-135M (m tokens at once), one of LLaMA-7B, and
// the head, as {m, n, k}.
var benchShapes = [][3]int{
	{512, 576, 576}, {512, 192, 576}, {512, 1536, 576}, {512, 576, 1536},
	{2048, 4096, 4096}, {512, 4096, 11008},
	{1, 576, 576}, {1, 1536, 576}, {1, 576, 1536}, {1, 49152, 576}, {4, 49152, 576}, {16, 1536, 576},
	{512, 512, 64}, {512, 64, 512},
}

func BenchmarkMatMul(b *testing.B) {
	for _, s := range benchShapes {
		b.Run(fmt.Sprintf("m=%d/n=%d/k=%d", s[0], s[1], s[2]), func(b *testing.B) { benchProduct(b, s[0], s[1], s[2]) })
	}
}

// BenchmarkPaths gives the speed of every path that the machine has.
func BenchmarkPaths(b *testing.B) {
	for _, s := range [][3]int{{512, 576, 576}, {512, 1536, 576}, {512, 576, 1536}, {16, 1536, 576}, {1, 1536, 576}} {
		for _, set := range simdtest.Sets("gemm4") {
			if cpu.Has(set) {
				b.Run(fmt.Sprintf("m=%d/n=%d/k=%d/%v", s[0], s[1], s[2], set), func(b *testing.B) {
					simdtest.With(set, func() { benchProduct(b, s[0], s[1], s[2]) })
				})
			}
		}
	}
}

func benchProduct(b *testing.B, m, n, k int) {
	x := make([]uint8, m*k)
	panel := make([]byte, PanelBytes(n, k))
	acc := make([]int32, m*Pad(n))
	for i := range x {
		x[i] = uint8(i * 7)
	}
	for i := range panel {
		panel[i] = byte(i * 11)
	}
	b.SetBytes(int64(len(panel)))
	for b.Loop() {
		MatMul(acc, Pad(n), x, k, panel, Stride(k), m, n, k)
	}
	ops := 2 * float64(m) * float64(n) * float64(k)
	b.ReportMetric(ops*float64(b.N)/float64(b.Elapsed().Nanoseconds()), "GOPS")
}
