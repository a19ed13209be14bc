package sgemm

import (
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/illm-go/illm/pkg/simd/cpu"
	"github.com/illm-go/illm/pkg/simd/simdtest"
)

// problem is one product with its result in float64 and the bound on the error
// of a float32 chain: K·2^-23·Σ|a·w| (half of it with fused steps).
type problem struct {
	m, n, k, lda, ldc int
	a, w              []float32
	want, bound       []float64 // [m][n]
}

func newProblem(t testing.TB, rng *rand.Rand, m, n, k, spare int) *problem {
	p := &problem{m: m, n: n, k: k, lda: k + spare, ldc: n + spare, w: make([]float32, n*k)}
	for i := range p.w {
		p.w[i] = float32(rng.NormFloat64())
	}
	p.a = simdtest.End[float32](t, (m-1)*p.lda+k)
	for i := range p.a {
		p.a[i] = float32(rng.NormFloat64() * math.Exp2(float64(rng.IntN(9)-4)))
	}
	for i := range m {
		for j := range n {
			var s, b float64
			for d := range k {
				v := float64(p.a[i*p.lda+d]) * float64(p.w[j*k+d])
				s += v
				b += math.Abs(v)
			}
			p.want = append(p.want, s)
			p.bound = append(p.bound, float64(k)*b/(1<<23))
		}
	}
	return p
}

func (p *problem) run(t *testing.T) []float32 {
	t.Helper()
	panel := Pack(p.w, p.n, p.k)
	a := slices.Clone(p.a)
	var result []float32
	size := (p.m-1)*p.ldc + p.n
	for _, c := range [][]float32{simdtest.End[float32](t, size), simdtest.Start[float32](t, size)} {
		for i := range c {
			c[i] = 12345
		}
		MatMul(c, p.ldc, p.a, p.lda, panel, p.m)
		result = result[:0]
		for i := range p.m {
			result = append(result, c[i*p.ldc:][:p.n]...)
			for j := p.n; i < p.m-1 && j < p.ldc; j++ {
				if c[i*p.ldc+j] != 12345 {
					t.Fatalf("m=%d n=%d k=%d: wrote behind row %d", p.m, p.n, p.k, i)
				}
			}
		}
		for i, v := range result {
			if d := math.Abs(float64(v) - p.want[i]); !(d <= p.bound[i]) {
				t.Fatalf("m=%d n=%d k=%d: c[%d] = %v, want %v ± %v", p.m, p.n, p.k, i, v, p.want[i], p.bound[i])
			}
		}
	}
	if !slices.Equal(a, p.a) {
		t.Fatal("a was modified")
	}
	return result
}

func TestMatMul(t *testing.T) {
	simdtest.Each(t, "sgemm", func(t *testing.T) {
		rng := rand.New(rand.NewPCG(1, 2))
		for m := 1; m <= 13; m++ {
			for _, n := range []int{1, 64, 130} {
				for _, k := range []int{1, 2, 3, 4, 5, 7, 8, 64, 99} {
					newProblem(t, rng, m, n, k, (m+n+k)%3).run(t)
				}
			}
		}
		for _, s := range [][3]int{{7, 65, 383}, {7, 65, 385}, {100, 70, 800}, {800, 64, 40}} {
			newProblem(t, rng, s[0], s[1], s[2], 1).run(t)
		}
	})
}

// The fused paths agree bit for bit, and a row's result is free of its batch.
func TestOneChain(t *testing.T) {
	if !cpu.Has(cpu.AVX2) {
		t.Skip("this machine has no AVX2")
	}
	rng := rand.New(rand.NewPCG(3, 4))
	p := newProblem(t, rng, 11, 130, 900, 0)
	var rows, small [][]float32
	for _, s := range simdtest.Sets("sgemm")[1:] {
		if !cpu.Has(s) {
			continue
		}
		simdtest.With(s, func() {
			rows = append(rows, p.run(t))
			one := &problem{m: 1, n: p.n, k: p.k, lda: p.lda, ldc: p.ldc, a: p.a[10*p.lda:], w: p.w, want: p.want[10*p.n:], bound: p.bound[10*p.n:]}
			small = append(small, one.run(t))
		})
	}
	for i := range rows {
		if !slices.Equal(rows[i], rows[0]) {
			t.Errorf("%v differs from %v", simdtest.Sets("sgemm")[1+i], simdtest.Sets("sgemm")[1])
		}
		if !slices.Equal(small[i], rows[i][10*p.n:]) {
			t.Errorf("%v: a row alone differs from the same row in a batch", simdtest.Sets("sgemm")[1+i])
		}
	}
}

// chains returns Σ_k a·w of the problem as one chain over rising k from 0, each step rounded once (fused) or the product
// and then the sum: through math/big, whose rounding to 24 bits is that of float32 away from its smallest numbers.
func (p *problem) chains() (fused, plain []float32) {
	exact := new(big.Float).SetPrec(400) // holds a product and a sum whole
	for i := range p.m {
		for j := range p.n {
			sum, second := new(big.Float).SetPrec(24), new(big.Float).SetPrec(24)
			for d := range p.k {
				x := new(big.Float).SetPrec(24).SetFloat64(float64(p.a[i*p.lda+d]))
				w := new(big.Float).SetPrec(24).SetFloat64(float64(p.w[j*p.k+d]))
				exact.Mul(x, w)
				second.Add(second, new(big.Float).SetPrec(24).Set(exact))
				sum.Set(exact.Add(exact, sum))
			}
			f, _ := sum.Float32()
			g, _ := second.Float32()
			fused, plain = append(fused, f), append(plain, g)
		}
	}
	return fused, plain
}

// Every result is the bits of one chain over rising k, on the vector paths a fused one: no blocking of depth, rows or
// channels may show. The generic path fuses where the compiler does.
func TestOrder(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	p := newProblem(t, rng, 7, 67, 800, 1)
	fused, plain := p.chains()
	if slices.Equal(fused, plain) {
		t.Fatal("the operands do not tell a fused chain from a plain one")
	}
	simdtest.Each(t, "sgemm", func(t *testing.T) {
		got := p.run(t)
		if slices.Equal(got, fused) || cpu.Limit() == cpu.Generic && slices.Equal(got, plain) {
			return
		}
		for i := range got {
			if got[i] != fused[i] {
				t.Fatalf("c[%d][%d] = %v, expected %v, one fused chain over rising k (%v unfused)", i/p.n, i%p.n, got[i], fused[i], plain[i])
			}
		}
	})
}

func TestPackForms(t *testing.T) {
	const n, k, ldw = 70, 37, 75
	w, wt := make([]float32, n*ldw), make([]float32, k*ldw)
	for j := range n {
		for i := range k {
			w[j*ldw+i] = float32(1000*j + i)
			wt[i*ldw+j] = float32(1000*j + i)
		}
	}
	p := PackInto(nil, w, ldw, n, k)
	q := PackTransposed(nil, wt, ldw, n, k)
	if !slices.Equal(p.data, q.data) {
		t.Error("PackInto and PackTransposed differ")
	}
	for j := range n {
		if got := p.data[j/64*64*k+5*64+j%64]; got != float32(1000*j+5) {
			t.Fatalf("panel holds %v for channel %d, depth 5", got, j)
		}
	}
	if got := p.data[64*k+6]; got != 0 {
		t.Errorf("padded channel holds %v", got)
	}
	old := &p.data[0]
	if p = PackTransposed(p, wt, ldw, 66, 20); &p.data[0] != old {
		t.Error("memory was not reused")
	}
	if got := p.data[64*20+5*64+1]; got != 65005 {
		t.Errorf("after reuse: %v, want 65005", got)
	}
	if got := p.data[64*20+5*64+2]; got != 0 {
		t.Errorf("after reuse, padded channel: %v", got)
	}
}

func TestColumns(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	p := newProblem(t, rng, 3, 200, 50, 0)
	panel := Pack(p.w, p.n, p.k)
	whole, split := make([]float32, 3*200), make([]float32, 3*200)
	MatMul(whole, 200, p.a, p.lda, panel, 3)
	MatMul(split, 200, p.a, p.lda, panel.Columns(0, 128), 3)
	MatMul(split[128:], 200, p.a, p.lda, panel.Columns(128, 200), 3)
	if !slices.Equal(whole, split) {
		t.Error("columns differ from the whole")
	}
}

func TestMisusePanics(t *testing.T) {
	a, c, w := make([]float32, 64), make([]float32, 64), Pack(make([]float32, 64), 8, 8)
	for want, f := range map[string]func(){
		badShape:  func() { MatMul(c, 8, a, 8, w, -1) },
		badA:      func() { MatMul(c, 8, a, 9, w, 8) },
		badC:      func() { MatMul(c, 7, a, 8, w, 2) },
		badPack:   func() { Pack(a, 9, 8) },
		badColumn: func() { w.Columns(1, 8) },
	} {
		func() {
			defer func() {
				if r := recover(); r != want {
					t.Errorf("panic %v, want %q", r, want)
				}
			}()
			f()
		}()
	}
}

func TestNoAllocation(t *testing.T) {
	a, c, w := make([]float32, 8*64), make([]float32, 8*70), Pack(make([]float32, 70*64), 70, 64)
	if n := testing.AllocsPerRun(10, func() { MatMul(c, 70, a, 64, w, 8) }); n != 0 {
		t.Errorf("%v allocations per product", n)
	}
}

func ExampleMatMul() {
	w := Pack([]float32{1, 2, 3, 4, 5, 6}, 2, 3) // two channels of depth 3
	c := make([]float32, 2)
	MatMul(c, 2, []float32{1, 10, 100}, 3, w, 1)
	fmt.Println(c)
	// Output: [321 654]
}

func TestPeakWork(t *testing.T) {
	simdtest.Each(t, "sgemm", func(t *testing.T) {
		if PeakWork(0) != 0 || PeakWork(-1) != 0 {
			t.Error("no rounds, but work")
		}
		if one := PeakWork(1); PeakWork(7) != 7*one || cpu.Limit() == cpu.Generic && one != 0 {
			t.Errorf("one round %d, seven %d operations", one, PeakWork(7))
		}
	})
}
