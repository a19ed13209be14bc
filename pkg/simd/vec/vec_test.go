package vec

import (
	"fmt"
	"math/bits"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/illm-go/illm/pkg/simd/cpu"
	"github.com/illm-go/illm/pkg/simd/simdtest"
)

// lengths cover every tail of a step of eight, and rows of several steps.
var lengths = []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 15, 16, 17, 23, 31, 32, 33, 40, 63, 64, 65, 200, 577}

// source draws operands for one length; every slice lies against a forbidden
// page, before it or behind it, and is remembered so that writes show.
type source struct {
	*rand.Rand
	t     *testing.T
	n     int
	start bool
	edge  bool
}

func slab[T simdtest.Number](s *source, n int) []T {
	if s.start {
		return simdtest.Start[T](s.t, n)
	}
	return simdtest.End[T](s.t, n)
}

// ints draws n values in [lo, hi], at the ends often if s.edge.
func ints[T simdtest.Number](s *source, n int, lo, hi int64) []T {
	out := slab[T](s, n)
	for i := range out {
		out[i] = T(s.between(lo, hi))
	}
	return out
}

func (s *source) between(lo, hi int64) int64 {
	if s.edge {
		switch s.IntN(6) {
		case 0:
			return lo
		case 1:
			return hi
		case 2:
			return max(lo, min(0, hi))
		case 3:
			return max(lo, min(-1, hi))
		}
	}
	if s.IntN(2) == 0 { // all magnitudes, not only the largest
		v := s.Int64() >> s.IntN(63)
		if s.IntN(2) == 0 {
			v = -v
		}
		return max(lo, min(v, hi))
	}
	if span := uint64(hi) - uint64(lo); span < 1<<63-1 {
		return lo + s.Int64N(int64(span)+1)
	}
	return s.Int64()
}

// walk compares f's result on every path with its result on the generic one,
// for all lengths. f draws its operands from s alone and returns everything it
// computes; its inputs come back too, so that a write to them shows.
func walk(t *testing.T, f func(s *source) []any) {
	simdtest.Each(t, "vec", func(t *testing.T) {
		for _, n := range lengths {
			for round := range 6 {
				seed := uint64(1000*n + round)
				run := func() []any {
					return f(&source{rand.New(rand.NewPCG(seed, 7)), t, n, round%2 == 0, round >= 2})
				}
				got := run()
				var want []any
				simdtest.With(cpu.Generic, func() { want = run() })
				for i := range want {
					if g, w := fmt.Sprint(got[i]), fmt.Sprint(want[i]); g != w {
						t.Fatalf("n=%d round=%d: value %d is\n%s, want\n%s", n, round, i, g, w)
					}
				}
			}
		}
	})
}

func TestMinMaxPaths(t *testing.T) {
	walk(t, func(s *source) []any {
		x := ints[int64](s, s.n, -1<<60, 1<<60)
		lo, hi := MinMax(x)
		return []any{lo, hi, x}
	})
}

func TestAccumulatePaths(t *testing.T) {
	walk(t, func(s *source) []any {
		n := s.n
		acc, sum := ints[int32](s, n, -1<<30, 1<<30), ints[int32](s, n, -1<<22, 1<<22)
		m, zero := ints[int32](s, n, 0, 1<<24-1), ints[uint8](s, n, 0, 255)
		z, c, off := int32(s.between(0, 255)), int32(s.between(0, 1<<22)), int32(s.between(0, 1))*128
		dst := slab[int64](s, n)
		lo, hi := Accumulate(dst, acc, sum, m, zero, z, c, off)
		return []any{lo, hi, dst, acc, sum, m, zero}
	})
}

// grid draws a row of |t| < 2^60 with a shift and a factor as di.Requant has
// them: t>>s in [−2^31, 2^31).
func (s *source) grid() (t []int64, shift uint, g int64, h uint) {
	bits := 1 + s.IntN(59)
	t = ints[int64](s, s.n, -1<<bits, 1<<bits-1)
	return t, uint(max(0, bits-31)), s.between(0, 1<<31-1), uint(s.between(1, 61))
}

func TestRequantPaths(t *testing.T) {
	walk(t, func(s *source) []any {
		x, shift, g, h := s.grid()
		top := int64(1)<<(1+s.IntN(8)) - 1
		z := s.between(0, top)
		dst := slab[uint8](s, s.n)
		sum := Requant(dst, x, shift, g, h, z, top)
		return []any{sum, dst, x}
	})
}

func TestRequant16Paths(t *testing.T) {
	walk(t, func(s *source) []any {
		x, shift, g, h := s.grid()
		top := int64(1)<<(9+s.IntN(8)) - 1
		z := s.between(0, top)
		dst := slab[uint16](s, s.n)
		sum := Requant16(dst, x, shift, g, h, z, top)
		return []any{sum, dst, x}
	})
}

func TestRotatePaths(t *testing.T) {
	walk(t, func(s *source) []any {
		bits := 1 + s.IntN(55)
		x := ints[int64](s, 2*s.n, -1<<bits, 1<<bits)
		cos, sin := ints[int16](s, s.n, -1<<14, 1<<14), ints[int16](s, s.n, -1<<14, 1<<14)
		lo, hi := Rotate(x, cos, sin, uint(max(0, bits-14-s.IntN(2))))
		return []any{lo, hi, x, cos, sin}
	})
}

// scales draws the scales of cached keys or values: mantissas of 16 bits, and
// exponents at most 70 above their minimum.
func (s *source) scales() (m []uint32, k []int32, kmin int32) {
	kmin = int32(s.between(-40, 40))
	return ints[uint32](s, s.n, 0, 1<<16-1), ints[int32](s, s.n, int64(kmin), int64(kmin)+s.between(0, 70)), kmin
}

func TestScoresPaths(t *testing.T) {
	walk(t, func(s *source) []any {
		n := s.n
		acc, sum, zero := ints[int32](s, n, -1<<22, 1<<22), ints[int32](s, n, -1<<13, 1<<13), ints[int32](s, n, -128, 127)
		m, k, kmin := s.scales()
		dst := slab[int64](s, n)
		lo, hi := Scores(dst, acc, sum, zero, k, m, int32(s.between(0, 255)), int32(s.between(0, 1<<13)), kmin)
		return []any{lo, hi, dst, acc, sum, zero, m, k}
	})
}

func TestExpPaths(t *testing.T) {
	for _, quad := range []bool{false, true} {
		walk(t, func(s *source) []any {
			bits := 1 + s.IntN(56)
			x := ints[int64](s, s.n, -1<<bits, 1<<bits)
			top := int64(1)<<(1+s.IntN(8)) - 1
			if s.IntN(4) == 0 {
				top = 1<<16 - 1
			}
			r := s.between(1, 1<<(bits+1))
			e := slab[int32](s, s.n)
			Exp(e, x, slices.Max(x), r, uint(max(0, bits-29)), s.between(0, 1<<31-1), uint(s.between(1, 61)), top,
				s.between(1, 1<<17-1), int32(s.between(-60, 60)), quad)
			return []any{e, x}
		})
	}
}

func TestFoldPaths(t *testing.T) {
	walk(t, func(s *source) []any {
		e := ints[int32](s, s.n, 0, 1<<30)
		m, k, kmin := s.scales()
		w := slab[int64](s, s.n)
		top, sumW, sumE := Fold(w, e, m, k, kmin)
		return []any{top, sumW, sumE, w, e, m, k}
	})
}

func TestSplitPaths(t *testing.T) {
	walk(t, func(s *source) []any {
		bits := 1 + s.IntN(45)
		w := ints[int64](s, s.n, 0, 1<<bits-1)
		zero := ints[int32](s, s.n, -1<<16, 1<<16)
		lo, hi := slab[uint8](s, s.n), slab[uint8](s, s.n)
		shift := uint(max(0, bits-31))
		sum, dot := Split(lo, hi, w, shift, s.between(0, 1<<31), uint(s.between(1, 62)), zero)
		return []any{sum, dot, SumShift(w, shift), lo, hi, w, zero}
	})
}

func TestMergePaths(t *testing.T) {
	walk(t, func(s *source) []any {
		hi, lo := ints[int32](s, s.n, -1<<24, 1<<24), ints[int32](s, s.n, -1<<31, 1<<31-1)
		u, acc := slab[int64](s, s.n), slab[int32](s, s.n)
		Join(acc, hi, lo)
		least, most := Merge(u, acc, int32(s.between(-1<<24, 1<<24)), s.between(0, 1<<16-1), uint(s.between(0, 70)))
		return []any{least, most, u, acc, hi, lo}
	})
}

// sigmas is σ⁺ of E in Q15, against a forbidden page.
func sigmas(s *source) []uint16 {
	t := slab[uint16](s, 32769)
	for e := range t {
		d := 1<<15 + e
		t[e] = uint16((1<<30 + d/2) / d)
	}
	return t
}

func TestGateTablePaths(t *testing.T) {
	for _, quad := range []bool{false, true} {
		walk(t, func(s *source) []any {
			var table [256]uint16
			GateTable(&table, s.between(0, 255), s.between(1, 1<<17-1), int32(s.between(-60, 60)), quad, sigmas(s))
			return []any{table}
		})
	}
}

func TestSwiGLUCodesPaths(t *testing.T) {
	for _, quad := range []bool{false, true} {
		walk(t, func(s *source) []any {
			g, u, alpha := ints[uint8](s, s.n, 0, 255), ints[uint8](s, s.n, 0, 255), ints[int32](s, s.n, 0, 1<<20-1)
			y := slab[int64](s, s.n)
			lo, hi := SwiGLUCodes(y, g, u, s.between(0, 255), s.between(0, 255), s.between(1, 1<<17-1), alpha, int32(s.between(-60, 80)), quad, sigmas(s))
			return []any{lo, hi, y, g, u, alpha}
		})
	}
}

// grids draws a row as di.Requant and the softmax do: a range below 2^56, its factor g and shift h for n bits.
func (s *source) grids(n int) (lo, hi int64, shift uint, g int64, h uint) {
	r := s.between(1, 1<<s.between(1, 56))
	if s.IntN(3) == 0 {
		r = (1<<n - 1) << s.IntN(40) // g is a power of two: every tie there is
	}
	lo = -s.between(0, r)
	shift = uint(max(0, bits.Len64(uint64(r))-31))
	rr := r >> shift
	h = uint(bits.Len64(uint64(rr)) + 30 - n)
	return lo, lo + r, shift, ((1<<n-1)<<h + rr/2) / rr, h
}

func TestRequantGrids(t *testing.T) {
	walk(t, func(s *source) []any {
		n := 2 + s.IntN(7)
		lo, hi, shift, g, h := s.grids(n)
		x := ints[int64](s, s.n, lo, hi)
		for i := range x {
			if s.IntN(4) == 0 {
				x[i] = max(lo, min(x[i]&^(1<<s.IntN(32)-1), hi)) // many factors of 2
			}
		}
		dst := slab[uint8](s, s.n)
		sum := Requant(dst, x, shift, g, h, ((-lo>>shift)*g+1<<(h-1))>>h, 1<<n-1)
		return []any{sum, dst, x}
	})
}

func TestExpGrids(t *testing.T) {
	for _, quad := range []bool{false, true} {
		walk(t, func(s *source) []any {
			lo, hi, shift, g, h := s.grids(8)
			x := ints[int64](s, s.n, lo, hi)
			x[s.IntN(len(x))] = hi
			e := slab[int32](s, s.n)
			Exp(e, x, hi, s.between(1, hi-lo), shift, g, h, 255, s.between(1, 1<<17-1), int32(s.between(-20, 40)), quad)
			return []any{e, x}
		})
	}
}

// Key scales near each other: nothing is rounded.
func TestScoresNear(t *testing.T) {
	walk(t, func(s *source) []any {
		n := s.n
		acc, sum, zero := ints[int32](s, n, -1<<22, 1<<22), ints[int32](s, n, -1<<13, 1<<13), ints[int32](s, n, -128, 127)
		m, k := ints[uint32](s, n, 0, 1<<16-1), ints[int32](s, n, 7, 7+16+s.Int64N(2))
		dst := slab[int64](s, n)
		lo, hi := Scores(dst, acc, sum, zero, k, m, int32(s.between(0, 255)), int32(s.between(0, 1<<13)), 7)
		return []any{lo, hi, dst, acc, sum, zero, m, k}
	})
}

func TestSplitLikeWeights(t *testing.T) {
	walk(t, func(s *source) []any {
		w := ints[int64](s, s.n, 0, 1<<46-1)
		zero := ints[int32](s, s.n, -128, 127)
		lo, hi := slab[uint8](s, s.n), slab[uint8](s, s.n)
		sum, dot := Split(lo, hi, w, 15, s.between(0, 1<<31), uint(s.between(30, 62)), zero)
		return []any{sum, dot, lo, hi, w, zero}
	})
}

func TestSwiGLUPaths(t *testing.T) {
	walk(t, func(s *source) []any {
		g, u := ints[uint8](s, s.n, 0, 255), ints[uint8](s, s.n, 0, 255)
		table := (*[256]uint16)(ints[uint16](s, 256, 0, 1<<15))
		y := slab[int64](s, s.n)
		lo, hi := SwiGLU(y, g, u, table, int32(s.between(0, 255)), int32(s.between(0, 255)))
		return []any{lo, hi, y, g, u, *table}
	})
}

func TestNormPaths(t *testing.T) {
	walk(t, func(s *source) []any {
		bits := 1 + s.IntN(31)
		h := ints[int32](s, s.n, -1<<bits, 1<<bits-1)
		gamma := ints[int32](s, s.n, -1<<23, 1<<23)
		shift := uint(max(0, bits-24))
		v := slab[int64](s, s.n)
		n := uint(s.between(25, 31)) // |round(h)·rho| ≤ 2^55, and the quotient fits 31 bits
		lo, hi := Norm(v, h, gamma, shift, s.between(0, 1<<31), n)
		return []any{lo, hi, v, MaxAbs(h), SumSquares(h, shift), h, gamma}
	})
}

// shifts draws a row of |h| < 2^bits with the shifts of a LayerNorm: |round(h·2^l/2^s)| ≤ 2^23.
func (s *source) shifts() (h []int32, l, right uint) {
	bits := 1 + s.IntN(31)
	h = ints[int32](s, s.n, -1<<bits+1, 1<<bits-1)
	if s.IntN(8) == 0 && bits == 31 {
		h[0] = -1 << 31
	}
	return h, uint(min(8, max(0, 23-bits))), uint(max(0, bits-23))
}

func TestLayerNormPaths(t *testing.T) {
	walk(t, func(s *source) []any {
		h, l, right := s.shifts()
		gamma, beta := ints[int32](s, s.n, -1<<23, 1<<23), ints[int64](s, s.n, -1<<59+1, 1<<59-1)
		v, w := slab[int64](s, s.n), slab[int64](s, s.n)
		mean, rho, n := s.between(-1<<23, 1<<23), s.between(0, 1<<31), uint(s.between(25, 31))
		a, b := LayerNorm(v, h, gamma, beta, l, right, mean, rho, n)
		c, d := LayerNorm(w, h, gamma, nil, l, right, mean, rho, n)
		return []any{a, b, v, c, d, w, SumRound(h, l, right), CentredSquares(h, l, right, mean), h, gamma, beta}
	})
}

func TestAddBiasPaths(t *testing.T) {
	walk(t, func(s *source) []any {
		x, bias := ints[int64](s, s.n, -1<<55, 1<<55), ints[int32](s, s.n, -1<<23+1, 1<<23-1)
		l, right := uint(0), uint(s.between(0, 62))
		if s.IntN(3) == 0 {
			l, right = uint(s.between(0, 12)), 0
		}
		lo, hi := AddBias(x, bias, s.between(0, 1<<24-1), l, right)
		return []any{lo, hi, x, bias}
	})
}

func TestReLUPaths(t *testing.T) {
	walk(t, func(s *source) []any {
		x := ints[int64](s, s.n, -1<<63, 1<<63-1)
		ReLU(x)
		return []any{x}
	})
}

func TestAddResidualPaths(t *testing.T) {
	walk(t, func(s *source) []any {
		h := ints[int32](s, s.n, -1<<31+1, 1<<31-1)
		x := ints[int64](s, s.n, -1<<60+1, 1<<60-1)
		saturated := AddResidual(h, x, s.between(0, 1<<16-1), uint(s.between(0, 70)))
		return []any{saturated, h, x}
	})
}

// The saturation counter sees both clamps and nothing else.
func TestAddResidualCounts(t *testing.T) {
	simdtest.Each(t, "vec", func(t *testing.T) {
		h := []int32{0, 1<<31 - 1, -(1<<31 - 1), 5, 1<<31 - 2, 0, 0, 0, 0, 1}
		x := []int64{1 << 16, 1 << 16, -1 << 16, 0, 1 << 16, 1 << 54, -1 << 54, 1 << 15, 1<<15 - 1, -1 << 15}
		if got := AddResidual(h, x, 1, 0); got != 4 {
			t.Errorf("saturated %d, want 4", got)
		}
		want := []int32{1, 1<<31 - 1, -(1<<31 - 1), 5, 1<<31 - 1, 1<<31 - 1, -(1<<31 - 1), 1, 0, 0}
		if !slices.Equal(h, want) {
			t.Errorf("h = %v, want %v", h, want)
		}
	})
}

func TestMaxAbsExtreme(t *testing.T) {
	simdtest.Each(t, "vec", func(t *testing.T) {
		for _, c := range []struct {
			h    []int32
			want uint32
		}{{nil, 0}, {[]int32{0}, 0}, {[]int32{-1 << 31}, 1 << 31}, {[]int32{5, -7, 6}, 7}, {[]int32{1<<31 - 1, -(1<<31 - 1)}, 1<<31 - 1}} {
			if got := MaxAbs(c.h); got != c.want {
				t.Errorf("MaxAbs(%v) = %d, want %d", c.h, got, c.want)
			}
		}
	})
}

// No row is empty in the engine, but none of the functions minds.
func TestEmptyRows(t *testing.T) {
	simdtest.Each(t, "vec", func(t *testing.T) {
		var table [256]uint16
		lo, hi := MinMax(nil)
		sum := Requant(nil, nil, 0, 1, 1, 3, 255)
		top, sumW, sumE := Fold(nil, nil, nil, nil, 0)
		a, b := SwiGLU(nil, nil, nil, &table, 0, 0)
		c, d := Norm(nil, nil, nil, 0, 0, 1)
		e, f := Rotate(nil, nil, nil, 0)
		g, h := AddBias(nil, nil, 1, 0, 0)
		k, l := LayerNorm(nil, nil, nil, nil, 0, 0, 0, 0, 1)
		ReLU(nil)
		for i, v := range []int64{g, h, k, l, SumRound(nil, 0, 0), CentredSquares(nil, 0, 0, 1), lo, hi, sum, top, sumW, sumE, a, b, c, d, e, f, SumSquares(nil, 0), SumShift(nil, 0)} {
			if v != 0 {
				t.Errorf("result %d is %d", i, v)
			}
		}
		Exp(nil, nil, 0, 1, 0, 1, 1, 255, 1, 20, false)
	})
}
