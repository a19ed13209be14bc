package di

import (
	"fmt"
	"testing"

	"github.com/illm-go/illm/pkg/quant"
)

// Row lengths are those of SmolLM2-135M: 576 channels, 1536 of the MLP, heads of 64; 512 visible keys.

func perElement(b *testing.B, n int) {
	b.Helper()
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/elem")
}

func BenchmarkAccumulate(b *testing.B) {
	for _, n := range []int{64, 1536} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			l, _ := randomLinear(newRand(1), n, 64, 8, false)
			acc, t := make([]int32, n), make([]int64, n)
			for j := range acc {
				acc[j] = int32(j * 12345)
			}
			for b.Loop() {
				Accumulate(t, acc, quant.RowParams{M: 40000, K: 20, Zero: 3, Sum: 100}, l, 0)
			}
			perElement(b, n)
		})
	}
}

func BenchmarkRequant(b *testing.B) {
	for _, n := range []int{64, 1536} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			t, dst := normRow(newRand(2), n, 1<<40), make([]uint8, n)
			lo, hi := MinMax(t)
			for b.Loop() {
				Requant(dst, t, lo, hi, 40000, 30, 8, 16)
			}
			perElement(b, n)
		})
	}
}

func BenchmarkRotate(b *testing.B) {
	r := NewRoPE(phases(10000, 64), 16)
	row, t := normRow(newRand(3), 64, 1<<40), make([]int64, 64)
	for b.Loop() {
		copy(t, row)
		r.Rotate(t, -1<<43, 1<<43, 30, 9)
	}
	perElement(b, 64)
}

func BenchmarkScores(b *testing.B) {
	const n = 512
	rng := newRand(4)
	keys, acc, s := NewKeys(n), make([]int32, n), make([]int64, n)
	for j := range n {
		keys.Set(j, quant.RowParams{M: 40000, K: 18 + rng.Int32N(3), Zero: 100}, 8, 64)
		acc[j] = rng.Int32N(1 << 20)
	}
	for b.Loop() {
		Scores(s, acc, quant.RowParams{M: 40000, K: 20, Zero: 99, Sum: 9000}, keys, n, 64)
	}
	perElement(b, n)
}

func BenchmarkSoftmax(b *testing.B) {
	for _, mode := range []string{"illm", "precise"} {
		for _, n := range []int{64, 512} {
			b.Run(fmt.Sprint(mode, "/", n), func(b *testing.B) {
				w := newWorker(b, "15", mode, n)
				s, lo, hi := scoreRow(newRand(5), n, 3, 45)
				e := make([]int32, n)
				for b.Loop() {
					w.Softmax(e, s, lo, hi, 32768, 45)
				}
				perElement(b, n)
			})
		}
	}
}

func BenchmarkWeights(b *testing.B) {
	const n = 512
	rng := newRand(6)
	vals, e := NewKeys(n), make([]int32, n)
	for j := range n {
		vals.Set(j, quant.RowParams{M: 40000, K: 18 + rng.Int32N(3), Zero: 100}, 8, 64)
		e[j] = rng.Int32N(1 << 28)
	}
	e[9] = 1 << 30
	nlo, nhi, w := make([]uint8, n), make([]uint8, n), make([]int64, n)
	for b.Loop() {
		Weights(nlo, nhi, w, e, vals, n)
	}
	perElement(b, n)
}

func BenchmarkNorm(b *testing.B) {
	const n = 576
	w := newWorker(b, "15", "illm", n)
	p, h, dst := unitNorm(n, 18, false), residualRow(newRand(7), n, 1, 18), make([]uint8, n)
	for b.Loop() {
		w.Norm(dst, h, p, 8)
	}
	perElement(b, n)
}

func BenchmarkSwiGLU(b *testing.B) {
	const n = 1536
	for _, c := range []struct {
		mode string
		bits int
	}{{"illm", 8}, {"precise", 16}} {
		b.Run(fmt.Sprint(c.mode, "/", c.bits), func(b *testing.B) {
			w := newWorker(b, "15", c.mode, n)
			gate, up, dst := gluRow(8, n, c.bits), gluRow(9, n, c.bits), make([]uint8, n)
			for b.Loop() {
				w.SwiGLU(dst, gate, up, nil, 8)
			}
			perElement(b, n)
		})
	}
}

func BenchmarkAddResidual(b *testing.B) {
	const n = 576
	h, t := make([]int32, n), normRow(newRand(10), n, 1<<30)
	for b.Loop() {
		AddResidual(h, t, 40000, 55, 18)
	}
	perElement(b, n)
}

func BenchmarkMerge(b *testing.B) {
	u, acc := make([]int64, 64), make([]int32, 64)
	for b.Loop() {
		Merge(u, acc, PVRow{M: 40000, K: 30, ZeroDot: 12345}, 29)
	}
	perElement(b, 64)
}

func BenchmarkEmbed(b *testing.B) {
	l, _ := randomLinear(newRand(11), 64, 576, 8, false)
	h := make([]int32, 576)
	for b.Loop() {
		Embed(h, l, 5, 18)
	}
	perElement(b, 576)
}

func BenchmarkSample(b *testing.B) {
	const v = 49152
	row := logits(12, v)
	for name, c := range map[string]Sampling{"all": {Temperature: "0.8"}, "top-k": {Temperature: "0.8", TopK: 40}, "top-p": {Temperature: "0.8", TopP: "0.95"}} {
		b.Run(name, func(b *testing.B) {
			s := sampler(b, c)
			for b.Loop() {
				s.Sample(row, 32768, 45)
			}
		})
	}
}

// TestNoAllocation: the row operators allocate nothing.
func TestNoAllocation(t *testing.T) {
	const n = 600
	w := newWorker(t, "15", "illm", n)
	s, lo, hi := scoreRow(newRand(5), n, 3, 45)
	e, dst, row := make([]int32, n), make([]uint8, n), make([]int64, n)
	gate, up := gluRow(8, n, 8), gluRow(9, n, 8)
	p, h := unitNorm(n, 18, false), make([]int32, n)
	vals, _ := cache(t, 1, n, 4, 8, 3)
	ops := Worker(w)
	if got := testing.AllocsPerRun(10, func() {
		ops.Softmax(e, s, lo, hi, 32768, 45)
		Weights(dst, dst, row, e, vals, n)
		ops.SwiGLU(dst, gate, up, nil, 8)
		ops.Norm(dst, h, p, 8)
		Requant(dst, s, lo, hi, 1<<15, 30, 8, 16)
		AddResidual(h, s, 1<<15, 60, 18)
	}); got != 0 {
		t.Errorf("%g allocations a run, want 0", got)
	}
}
