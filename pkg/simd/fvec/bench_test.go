package fvec

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

func perElement(b *testing.B, n int) {
	b.Helper()
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/elem")
}

func row(n int, sigma float64) []float32 {
	x := make([]float32, n)
	normal(rand.New(rand.NewPCG(1, 2)), x, sigma)
	return x
}

func BenchmarkSoftmax(b *testing.B) {
	for _, p := range []Precision{Single, Half} {
		for _, n := range []int{256, 1024, 4096} {
			b.Run(fmt.Sprint(p, "/", n), func(b *testing.B) {
				x, dst := row(n, 3), make([]float32, n)
				for b.Loop() {
					Softmax(dst, x, p)
				}
				perElement(b, n)
			})
		}
	}
}

func BenchmarkRMSNorm(b *testing.B) {
	for _, p := range []Precision{Single, Half} {
		b.Run(p.String(), func(b *testing.B) {
			x, gamma, dst := row(576, 3), row(576, 1), make([]float32, 576)
			for b.Loop() {
				RMSNorm(dst, x, gamma, 1e-5, p)
			}
			perElement(b, 576)
		})
	}
}

func BenchmarkSwiGLU(b *testing.B) {
	for _, p := range []Precision{Single, Half} {
		b.Run(p.String(), func(b *testing.B) {
			gate, up, dst := row(1536, 3), row(1536, 1), make([]float32, 1536)
			for b.Loop() {
				SwiGLU(dst, gate, up, nil, p)
			}
			perElement(b, 1536)
		})
	}
}
