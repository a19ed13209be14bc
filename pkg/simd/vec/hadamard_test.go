package vec

import (
	"fmt"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/illm-go/illm/pkg/simd/simdtest"
)

// The orders under test: every H_o alone and with inner lengths on both sides of each kernel's own.
var hadamardOrders = []struct{ order, n int }{
	{1, 1}, {1, 2}, {1, 4}, {1, 8}, {1, 16}, {1, 32}, {1, 64}, {1, 128}, {1, 256}, {1, 512}, {1, 2048},
	{12, 12}, {12, 24}, {12, 48}, {12, 96}, {12, 192}, {12, 384}, {12, 768}, {12, 1536}, {12, 3072},
	{28, 28}, {28, 56}, {28, 112}, {28, 224}, {28, 448}, {28, 3584},
	{36, 36}, {36, 72}, {36, 144}, {36, 288}, {36, 576}, {36, 1152}, {36, 4608},
}

// euler is the Legendre symbol by Euler's criterion, a^((q−1)/2) mod q.
func euler(a, q int) int {
	v := new(big.Int).Exp(big.NewInt(int64((a%q+q)%q)), big.NewInt(int64(q-1)/2), big.NewInt(int64(q))).Int64()
	if v == int64(q)-1 {
		return -1
	}
	return int(v)
}

// entry is H_o[a][b], from the formulas and nothing else.
func entry(order, a, b int) int {
	s := func(q, sign, a, b int) int {
		switch {
		case a == 0 && b == 0:
			return 0
		case a == 0:
			return 1
		case b == 0:
			return sign
		}
		return euler(a-b, q)
	}
	if order == 1 {
		return 1
	}
	if order == 12 {
		if a == b {
			return 1
		}
		return s(11, -1, a, b)
	}
	q := order/2 - 1
	if a/2 == b/2 {
		return [2][2]int{{1, -1}, {-1, -1}}[a%2][b%2]
	}
	return s(q, 1, a/2, b/2) * [2][2]int{{1, 1}, {1, -1}}[a%2][b%2]
}

// matrix is H of n = order·2^j as its Kronecker product: the Sylvester part by the parity of the common bits.
func matrix(order, n int) [][]int {
	inner := n / order
	small := make([][]int, order)
	for a := range small {
		small[a] = make([]int, order)
		for b := range small[a] {
			small[a][b] = entry(order, a, b)
		}
	}
	h := make([][]int, n)
	for i := range h {
		h[i] = make([]int, n)
		for j := range h[i] {
			sign := small[i/inner][j/inner]
			for bits := i % inner & (j % inner); bits > 0; bits &= bits - 1 {
				sign = -sign
			}
			h[i][j] = sign
		}
	}
	return h
}

// Rows of H are orthogonal, so that H/√n is a rotation.
func TestHadamardIsOrthogonal(t *testing.T) {
	for _, order := range []int{1, 12, 28, 36} {
		n := order * 2
		h := matrix(order, n)
		for a := range h {
			for b := range h {
				dot := 0
				for i := range h[a] {
					dot += h[a][i] * h[b][i]
				}
				if want := map[bool]int{true: n}[a == b]; dot != want {
					t.Fatalf("order %d: rows %d and %d: product %d, want %d", n, a, b, dot, want)
				}
			}
		}
	}
}

// Every path is the matrix product, in math/big, at small entries and at the largest that n·|x| < 2^62 allows.
func TestHadamard(t *testing.T) {
	simdtest.Each(t, "vec", func(t *testing.T) {
		for _, c := range hadamardOrders {
			h := matrix(c.order, c.n)
			rng := rand.New(rand.NewPCG(uint64(c.n), 1))
			for round := range 3 {
				most := (int64(1)<<62 - 1) / int64(c.n)
				x := make([]int64, c.n)
				for i := range x {
					switch round {
					case 0:
						x[i] = rng.Int64N(2001) - 1000
					case 1:
						x[i] = rng.Int64N(2*most+1) - most
					default: // row 1 of the result is as large as can be
						x[i] = int64(h[min(1, c.n-1)][i]) * most
					}
				}
				s := &source{rng, t, c.n, round%2 == 0, false}
				got := slab[int64](s, c.n)
				copy(got, x)
				Hadamard(got, c.order)
				stride := max(1, c.n/97) // all of a small matrix, a sample of a large one
				for i := 0; i < c.n; i += stride {
					sum := new(big.Int)
					for j, sign := range h[i] {
						sum.Add(sum, big.NewInt(int64(sign)*x[j]))
					}
					if !sum.IsInt64() || sum.Int64() != got[i] {
						t.Fatalf("order %d·%d, round %d: element %d is %d, want %v", c.order, c.n/c.order, round, i, got[i], sum)
					}
				}
			}
		}
	})
}

// Paths are equal in every element, also of rows whose sums wrap around.
func TestHadamardPaths(t *testing.T) {
	simdtest.Each(t, "vec", func(t *testing.T) {
		for _, c := range hadamardOrders {
			s := &source{rand.New(rand.NewPCG(uint64(c.n), 2)), t, c.n, c.n%3 == 0, true}
			got := ints[int64](s, c.n, -1<<63+1, 1<<63-1)
			want := slices.Clone(got)
			walshGeneric(want, c.n/c.order)
			if c.order > 1 {
				acrossGeneric(want, c.order)
			}
			if Hadamard(got, c.order); !slices.Equal(got, want) {
				t.Errorf("order %d·%d differs from the generic path", c.order, c.n/c.order)
			}
		}
	})
}

func TestHadamardMisuse(t *testing.T) {
	for _, c := range []struct{ order, n int }{{1, 0}, {1, 3}, {12, 36}, {20, 20}, {12, 6}, {0, 4}, {-1, 8}} {
		func() {
			defer func() {
				if r := recover(); r != errHadamard {
					t.Errorf("order %d, length %d: recovered %v, want %v", c.order, c.n, r, errHadamard)
				}
			}()
			Hadamard(make([]int64, c.n), c.order)
		}()
	}
}

func BenchmarkHadamard(b *testing.B) {
	for _, c := range []struct{ order, n int }{{1, 64}, {1, 128}, {36, 576}, {12, 1536}, {12, 3072}, {28, 14336}} {
		b.Run(fmt.Sprintf("%dx%d", c.order, c.n/c.order), func(b *testing.B) {
			t := make([]int64, c.n)
			b.SetBytes(int64(8 * c.n))
			for b.Loop() {
				Hadamard(t, c.order)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(c.n), "ns/element")
		})
	}
}
