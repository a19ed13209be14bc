package vec

import (
	"fmt"
	"testing"

	"github.com/illm-go/illm/pkg/simd/cpu"
	"github.com/illm-go/illm/pkg/simd/simdtest"
)

// BenchmarkRow gives the time per element of each row kernel on each path, at
// the row lengths of SmolLM2 and of attention over 512 keys.
func BenchmarkRow(b *testing.B) {
	const n = 1536
	t, u := make([]int64, n), make([]int64, n)
	i32 := make([][]int32, 6)
	for i := range i32 {
		i32[i] = make([]int32, n)
		for j := range n {
			i32[i][j] = int32(uint32(j)*2654435761>>7) & 0xffff
		}
	}
	m, k := make([]uint32, n), make([]int32, n)
	g, c := make([]uint8, n), make([]uint8, n)
	cos := make([]int16, n)
	for j := range n {
		t[j] = int64(j) * 2654435761 & (1<<40 - 1)
		m[j], k[j], g[j], c[j], cos[j] = 1<<15, int32(j&3), uint8(j), uint8(3*j), int16(j)
	}
	var table [256]uint16
	sigma := make([]uint16, 32769)
	rows := []struct {
		name string
		n    int
		f    func(n int)
	}{
		{"MinMax", 576, func(n int) { MinMax(t[:n]) }},
		{"Accumulate", 1536, func(n int) { Accumulate(u[:n], i32[0], i32[1], i32[2], g, 3, 4, 128) }},
		{"Requant", 1536, func(n int) { Requant(g[:n], t, 10, 1<<30+1, 53, 3, 255) }},
		{"Rotate", 64, func(n int) { Rotate(u[:n], cos, cos, 3) }},
		{"Scores", 256, func(n int) { Scores(u[:n], i32[0], i32[1], i32[2], k[:n], m, 3, 4, 0) }},
		{"Exp", 256, func(n int) { Exp(i32[5][:n], t, 1<<40, 1<<39, 10, 1<<30, 51, 255, 1<<16, 20, false) }},
		{"ExpQuad", 256, func(n int) { Exp(i32[5][:n], t, 1<<40, 1<<39, 10, 1<<30, 51, 255, 1<<16, 20, true) }},
		{"Exp16", 256, func(n int) { Exp(i32[5][:n], t, 1<<40, 1<<39, 10, 1<<30, 43, 65535, 1<<16, 28, true) }},
		{"Fold", 256, func(n int) { Fold(u[:n], i32[0], m, i32[1], 0) }},
		{"Split", 256, func(n int) { Split(g[:n], c, t[:n], 10, 1<<30, 55, i32[0]) }},
		{"Merge", 64, func(n int) { Merge(u[:n], i32[0], 5, 1<<15, 9) }},
		{"Join", 64, func(n int) { Join(i32[5][:n], i32[0], i32[1]) }},
		{"GateTable", 256, func(int) { GateTable(&table, 128, 1<<16, 20, false, sigma) }},
		{"SwiGLUCodes", 1536, func(n int) { SwiGLUCodes(u[:n], g, c, 128, 128, 1<<16, i32[0], 36, false, sigma) }},
		{"SwiGLU", 1536, func(n int) { SwiGLU(u[:n], g, c, &table, 128, 128) }},
		{"MaxAbs", 576, func(n int) { MaxAbs(i32[0][:n]) }},
		{"SumSquares", 576, func(n int) { SumSquares(i32[0][:n], 1) }},
		{"Norm", 576, func(n int) { Norm(u[:n], i32[0], i32[1], 1, 1<<30, 26) }},
		{"LayerNorm", 576, func(n int) { LayerNorm(u[:n], i32[0], i32[1], t, 2, 0, 5, 1<<30, 26) }},
		{"CentredSquares", 576, func(n int) { CentredSquares(i32[0][:n], 2, 0, 5) }},
		{"AddBias", 1536, func(n int) { AddBias(u[:n], i32[0], 1<<23, 0, 9) }},
		{"ReLU", 1536, func(n int) { ReLU(u[:n]) }},
		{"AddResidual", 576, func(n int) { AddResidual(i32[5][:n], t, 1<<15, 40) }},
	}
	for _, r := range rows {
		for _, s := range simdtest.Sets("vec") {
			if !cpu.Has(s) {
				continue
			}
			b.Run(fmt.Sprintf("%s/n=%d/%v", r.name, r.n, s), func(b *testing.B) {
				simdtest.With(s, func() {
					for b.Loop() {
						r.f(r.n)
					}
				})
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*r.n), "ns/elem")
			})
		}
	}
}
