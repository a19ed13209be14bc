package ordered

import (
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/illm-go/illm/pkg/simd/simdtest"
)

// exactDot is Dot by exact products and sums, each rounded to float32 by math/big: nothing of the package is used.
func exactDot(a, w []float32) float32 {
	round := func(x *big.Float) *big.Float { return new(big.Float).SetPrec(24).SetMode(big.ToNearestEven).Set(x) }
	number := func(x float32) *big.Float { return new(big.Float).SetPrec(24).SetFloat64(float64(x)) }
	wide := func() *big.Float { return new(big.Float).SetPrec(400) }
	var p [16]*big.Float
	for i := range p {
		p[i] = number(0)
	}
	for i := range a {
		x := round(wide().Mul(number(a[i]), number(w[i])))
		p[i%16] = round(wide().Add(p[i%16], x))
	}
	for _, d := range []int{8, 4, 2, 1} {
		for i := range d {
			p[i] = round(wide().Add(p[i], p[i+d]))
		}
	}
	v, _ := p[0].Float32()
	return v
}

func draw(rng *rand.Rand, x []float32) {
	for i := range x {
		x[i] = float32(rng.NormFloat64() * math.Exp2(float64(rng.IntN(9)-4)))
	}
}

// Every path gives Dot's bits for all tails of rows, outputs and depth, reads nothing beyond its slices, writes
// nothing beside c.
func TestMatMul(t *testing.T) {
	simdtest.Each(t, "ordered", func(t *testing.T) {
		rng := rand.New(rand.NewPCG(1, 2))
		check := func(m, n, k, spare int) {
			t.Helper()
			lda, ldw, ldc := k+spare, k+2*spare, n+spare
			a, w := simdtest.End[float32](t, (m-1)*lda+k), simdtest.End[float32](t, (n-1)*ldw+k)
			draw(rng, a)
			draw(rng, w)
			a0, w0 := slices.Clone(a), slices.Clone(w)
			c := simdtest.End[float32](t, (m-1)*ldc+n)
			for i := range c {
				c[i] = 12345
			}
			MatMul(c, ldc, a, lda, w, ldw, m, n, k)
			for i := range m {
				for j := range n {
					want := exactDot(a[i*lda:][:k], w[j*ldw:][:k])
					if got := c[i*ldc+j]; math.Float32bits(got) != math.Float32bits(want) {
						t.Fatalf("m=%d n=%d k=%d: c[%d][%d] = %x, want %x", m, n, k, i, j, got, want)
					}
				}
				for j := n; i < m-1 && j < ldc; j++ {
					if c[i*ldc+j] != 12345 {
						t.Fatalf("m=%d n=%d k=%d: wrote behind row %d", m, n, k, i)
					}
				}
			}
			if !slices.Equal(a, a0) || !slices.Equal(w, w0) {
				t.Fatal("an input was modified")
			}
		}
		for _, m := range []int{1, 2, 3, 4, 5, 9} {
			for _, n := range []int{1, 2, 3, 4, 7, 8} {
				for _, k := range []int{1, 5, 15, 16, 17, 31, 33, 64} {
					check(m, n, k, (m+n+k)%3)
				}
			}
		}
		check(6, 300, 290, 1) // more outputs than one pass holds at this depth
	})
}

// The order of summation, by the known answer of the algorithm reference: 1/(i+1)·1/(i+2), i = 0…99.
func TestKnownAnswer(t *testing.T) {
	simdtest.Each(t, "ordered", func(t *testing.T) {
		a, w := make([]float32, 100), make([]float32, 100)
		for i := range a {
			a[i], w[i] = 1/float32(i+1), 1/float32(i+2)
		}
		if got := Dot(a, w); got != 0x1.faee46p-1 {
			t.Errorf("%x, want 0x1.faee46p-1", got)
		}
	})
}

// A Sum is a dot product with ones.
func TestSum(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for n := range 70 {
		x, one := make([]float32, n), make([]float32, n)
		draw(rng, x)
		for i := range one {
			one[i] = 1
		}
		if got, want := Sum(x), exactDot(x, one); got != want {
			t.Errorf("%d terms: %x, want %x", n, got, want)
		}
	}
}

// Rank equals one chain of rounded products by math/big, on every path and in any cut of the steps.
func TestRank(t *testing.T) {
	exact := func(c float64, a, b []float64) float64 {
		for i := range a {
			x := new(big.Float).SetPrec(53).Mul(big.NewFloat(a[i]), big.NewFloat(b[i]))
			c, _ = new(big.Float).SetPrec(53).Add(big.NewFloat(c), x).Float64()
		}
		return c
	}
	simdtest.Each(t, "ordered", func(t *testing.T) {
		rng := rand.New(rand.NewPCG(5, 6))
		for _, s := range [][3]int{{1, 1, 1}, {4, 32, 3}, {5, 33, 7}, {8, 64, 1}, {3, 40, 9}, {9, 71, 5}, {4, 8, 2}} {
			m, n, steps := s[0], s[1], s[2]
			lda, ldb, ldc := m+1, n+2, n+3
			fill := func(n int) []float64 {
				x := make([]float64, n)
				for i := range x {
					x[i] = rng.NormFloat64()
				}
				return x
			}
			a, b, c := fill((steps-1)*lda+m), fill((steps-1)*ldb+n), fill((m-1)*ldc+n)
			got := slices.Clone(c)
			cut := steps / 2
			Rank(got, ldc, a, lda, b, ldb, m, n, cut)
			Rank(got, ldc, a[cut*lda:], lda, b[cut*ldb:], ldb, m, n, steps-cut)
			for i := range m {
				for j := range ldc {
					if i == m-1 && j >= n {
						break
					}
					want := c[i*ldc+j]
					if j < n {
						x, y := make([]float64, steps), make([]float64, steps)
						for k := range steps {
							x[k], y[k] = a[k*lda+i], b[k*ldb+j]
						}
						want = exact(want, x, y)
					}
					if got[i*ldc+j] != want {
						t.Fatalf("m=%d n=%d steps=%d: c[%d][%d] = %x, want %x", m, n, steps, i, j, got[i*ldc+j], want)
					}
				}
			}
		}
	})
}

func TestMisusePanics(t *testing.T) {
	x, y := make([]float32, 16), make([]float64, 16)
	for want, f := range map[string]func(){
		badLength: func() { Dot(x, x[1:]) },
		badShape:  func() { MatMul(x, 4, x, 4, x, 4, -1, 4, 4) },
		badC:      func() { MatMul(x, 4, x, 4, x, 4, 4, 5, 4) },
		badA:      func() { MatMul(x, 4, x, 3, x, 4, 4, 4, 4) },
		badW:      func() { MatMul(x, 4, x, 4, x, 4, 2, 5, 4) },
		badB:      func() { Rank(y, 4, y, 4, y, 3, 4, 4, 4) },
	} {
		func() {
			defer func() {
				if r := recover(); r != want && !(want == badW && r == badC) {
					t.Errorf("panic %v, want %q", r, want)
				}
			}()
			f()
		}()
	}
}

func TestNoAllocation(t *testing.T) {
	x, y := make([]float32, 64*64), make([]float64, 64*64)
	if n := testing.AllocsPerRun(10, func() {
		MatMul(x, 64, x, 64, x, 64, 5, 5, 50)
		Rank(y, 64, y[32:], 64, y[32:], 64, 5, 33, 2)
		_ = Dot(x, x)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func ExampleDot() {
	fmt.Println(Dot([]float32{1, 2, 3}, []float32{1, 10, 100}))
	// Output: 321
}
