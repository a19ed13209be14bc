package vec

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/illm-go/illm/pkg/intmath"
)

// lengths covers empty rows, tails on both sides of 8, 16 and 64 lanes, and rows that reuse a table.
var lengths = []int{0, 1, 2, 7, 8, 9, 15, 16, 17, 31, 33, 63, 64, 65, 127, 200, 255, 256, 257, 600}

// draw returns n integers of random magnitude up to 2^bits, with both ends and zero among them.
func draw(rng *rand.Rand, n, bits int) []int64 {
	t := make([]int64, n)
	for j := range t {
		switch rng.IntN(8) {
		case 0:
			t[j] = 1 << bits
		case 1:
			t[j] = -1 << bits
		case 2:
			t[j] = 0
		default:
			t[j] = rng.Int64N(2<<bits) - 1<<bits>>rng.IntN(bits+1)
			t[j] = max(-1<<bits, min(t[j], 1<<bits))
		}
	}
	return t
}

func draw32(rng *rand.Rand, n, bits int) []int32 {
	out := make([]int32, n)
	for j, v := range draw(rng, n, bits) {
		out[j] = int32(max(-math.MaxInt32, min(v, math.MaxInt32)))
	}
	return out
}

// fill returns n values of a function.
func fill[T any](n int, f func() T) []T {
	out := make([]T, n)
	for j := range out {
		out[j] = f()
	}
	return out
}

// each runs f for every length with a seeded source.
func each(t *testing.T, f func(t *testing.T, rng *rand.Rand, n int)) {
	for _, n := range lengths {
		for round := range 6 {
			f(t, rand.New(rand.NewPCG(uint64(n), uint64(round))), n)
		}
	}
}

func same[T comparable](t *testing.T, what string, got, want []T) {
	t.Helper()
	for j := range want {
		if got[j] != want[j] {
			t.Fatalf("%s of %d: element %d = %v, want %v", what, len(want), j, got[j], want[j])
		}
	}
}

func sameRange(t *testing.T, what string, lo, hi int64, row []int64) {
	t.Helper()
	wantLo, wantHi := slices.Min(append(row, 0)), slices.Max(append(row, 0))
	if lo != wantLo || hi != wantHi {
		t.Fatalf("%s of %d: range (%d, %d), want (%d, %d)", what, len(row), lo, hi, wantLo, wantHi)
	}
}

func TestMinMax(t *testing.T) {
	each(t, func(t *testing.T, rng *rand.Rand, n int) {
		row := draw(rng, n, 60)
		lo, hi := MinMax(row)
		sameRange(t, "MinMax", lo, hi, slices.Clone(row))
		for j := range row { // all of one sign: the range still reaches 0
			row[j] = 1 + max(row[j], -row[j])
		}
		lo, hi = MinMax(row)
		sameRange(t, "MinMax of positives", lo, hi, slices.Clone(row))
	})
}

func TestAccumulate(t *testing.T) {
	each(t, func(t *testing.T, rng *rand.Rand, n int) {
		// the bracket is drawn first and acc is what gives it, wrapping: the true value fits, the parts need not
		value, sum := draw32(rng, n, 31), draw32(rng, n, 22)
		m := fill(n, func() int32 { return rng.Int32N(1 << 24) })
		zero := fill(n, func() uint8 { return uint8(rng.Uint32()) })
		z, c, off := rng.Int32N(256), rng.Int32N(1<<24)-1<<23, int32(rng.IntN(2)*128)
		acc, want := make([]int32, n), make([]int64, n)
		for j := range acc {
			acc[j] = value[j] + z*sum[j] + (int32(zero[j])-off)*c
			want[j] = int64(value[j]) * int64(m[j])
		}
		got := make([]int64, n)
		lo, hi := Accumulate(got, acc, sum, m, zero, z, c, off)
		same(t, "Accumulate", got, want)
		sameRange(t, "Accumulate", lo, hi, want)
	})
}

func TestRequant(t *testing.T) {
	each(t, func(t *testing.T, rng *rand.Rand, n int) {
		for _, bits := range []uint{2, 4, 8, 16} {
			shift := uint(rng.IntN(30))
			row := draw(rng, n, 31+int(shift)-1)
			top := int64(1)<<bits - 1
			g, h, z := rng.Int64N(1<<31), 1+uint(rng.IntN(59)), rng.Int64N(top+1)
			want, sum := make([]uint16, n), int64(0)
			for j, v := range row {
				y := intmath.Sat(z+intmath.RoundShift(intmath.Asr(v, int(shift))*g, int(h)), 0, top)
				want[j] = uint16(y)
				sum += y
			}
			got := make([]uint16, n)
			if s := Requant16(got, row, shift, g, h, z, top); s != sum {
				t.Fatalf("Requant16: sum %d, want %d", s, sum)
			}
			same(t, "Requant16", got, want)
			if bits > 8 {
				continue
			}
			got8, want8 := make([]uint8, n), make([]uint8, n)
			for j, v := range want {
				want8[j] = uint8(v)
			}
			if s := Requant(got8, row, shift, g, h, z, top); s != sum {
				t.Fatalf("Requant: sum %d, want %d", s, sum)
			}
			same(t, "Requant", got8, want8)
		}
	})
}

func TestRotate(t *testing.T) {
	each(t, func(t *testing.T, rng *rand.Rand, n int) {
		for _, shift := range []uint{0, 1, 7, 40} {
			row := draw(rng, 2*n, min(15+int(shift), 59))
			q14 := func() int16 { return int16(rng.IntN(1<<15+1) - 1<<14) }
			cos, sin := fill(n, q14), fill(n, q14)
			want := make([]int64, 2*n)
			for i := range n {
				a := intmath.Sat(intmath.RoundShift(row[i], int(shift)), -32767, 32767)
				b := intmath.Sat(intmath.RoundShift(row[i+n], int(shift)), -32767, 32767)
				c, s := int64(cos[i]), int64(sin[i])
				want[i] = intmath.RoundShift(a*c-b*s, 14)
				want[i+n] = intmath.RoundShift(a*s+b*c, 14)
			}
			lo, hi := Rotate(row, cos, sin, shift)
			same(t, "Rotate", row, want)
			sameRange(t, "Rotate", lo, hi, want)
		}
	})
}

func TestScores(t *testing.T) {
	each(t, func(t *testing.T, rng *rand.Rand, n int) {
		if n == 0 {
			return
		}
		value, sum, zero := draw32(rng, n, 23), draw32(rng, n, 15), draw32(rng, n, 7)
		zq, c, kmin := rng.Int32N(256), rng.Int32N(1<<17)-1<<16, rng.Int32N(60)-30
		spread := []int32{1, 4, 20, 100}[rng.IntN(4)]
		k := fill(n, func() int32 { return kmin + rng.Int32N(spread) })
		m := fill(n, func() uint32 { return 1<<15 + rng.Uint32N(1<<15) })
		acc, want := make([]int32, n), make([]int64, n)
		for j := range acc {
			acc[j] = value[j] + zq*sum[j] + zero[j]*c
			want[j] = intmath.RoundShift(int64(value[j])*int64(m[j])<<16, int(k[j]-kmin))
		}
		got := make([]int64, n)
		lo, hi := Scores(got, acc, sum, zero, k, m, zq, c, kmin)
		same(t, "Scores", got, want)
		if lo != slices.Min(want) || hi != slices.Max(want) {
			t.Fatalf("Scores: range (%d, %d), want the plain (%d, %d)", lo, hi, slices.Min(want), slices.Max(want))
		}
	})
}

// expQ30 is the exponential of a code by the words of its definition.
func expQ30(d, mf int64, k int32, quad bool) int32 {
	w := d * mf
	v := int64(0)
	if k >= 15 {
		v = intmath.Asr(w, int(k)-15)
	} else {
		v = min(w, 1<<22) << min(15-k, 40)
	}
	v = min(v, 32<<15-1)
	q, f := v>>15, v&32767
	b := 32768 - (f >> 1)
	if quad {
		b -= (((f * (32768 - f)) >> 15) * 11) >> 6
	}
	return int32((b << 15) >> q)
}

func TestExp(t *testing.T) {
	each(t, func(t *testing.T, rng *rand.Rand, n int) {
		for _, top := range []int64{3, 255, 65535} {
			for _, quad := range []bool{false, true} {
				hi := rng.Int64N(1<<56) - 1<<55
				shift := uint(rng.IntN(26))
				r := rng.Int64N(1<<31) << shift
				s := fill(n, func() int64 { return hi - rng.Int64N(1<<57)>>rng.IntN(57) })
				g, h := rng.Int64N(1<<31), 1+uint(rng.IntN(59))
				if rng.IntN(2) == 0 { // a grid as di makes it, so that codes fill the range
					h = uint(intmath.ILog2(uint64(max(r>>shift, 1)))) + 15
					g = min(intmath.DivRound(top<<h, max(r>>shift, 1)), 1<<31-1)
				}
				mf, k := rng.Int64N(1<<17), rng.Int32N(60)-20
				want := make([]int32, n)
				for j, v := range s {
					d := min(intmath.RoundShift(intmath.Asr(min(hi-v, r), int(shift))*g, int(h)), top)
					want[j] = expQ30(d, mf, k, quad)
				}
				got := make([]int32, n)
				Exp(got, s, hi, r, shift, g, h, top, mf, k, quad)
				same(t, fmt.Sprintf("Exp (top %d, quad %v)", top, quad), got, want)
			}
		}
	})
}

func TestFoldAndSplit(t *testing.T) {
	each(t, func(t *testing.T, rng *rand.Rand, n int) {
		e := fill(n, func() int32 { return rng.Int32N(1<<30+1) >> rng.IntN(31) })
		kmin, spread := rng.Int32N(60)-30, []int32{1, 4, 20, 100}[rng.IntN(4)]
		k := fill(n, func() int32 { return kmin + rng.Int32N(spread) })
		m := fill(n, func() uint32 { return 1<<15 + rng.Uint32N(1<<15) })
		want, top, sumW, sumE := make([]int64, n), int64(0), int64(0), int64(0)
		for j := range want {
			want[j] = intmath.RoundShift(int64(e[j])*int64(m[j]), int(k[j]-kmin))
			top, sumW, sumE = max(top, want[j]), sumW+want[j], sumE+int64(e[j])
		}
		w := make([]int64, n)
		gotTop, gotW, gotE := Fold(w, e, m, k, kmin)
		same(t, "Fold", w, want)
		if gotTop != top || gotW != sumW || gotE != sumE {
			t.Fatalf("Fold: (%d, %d, %d), want (%d, %d, %d)", gotTop, gotW, gotE, top, sumW, sumE)
		}
		shift := uint(max(0, intmath.ILog2(uint64(top))-30))
		sum := int64(0)
		for _, v := range w {
			sum += v >> shift
		}
		if got := SumShift(w, shift); got != sum {
			t.Fatalf("SumShift = %d, want %d", got, sum)
		}
		zero := draw32(rng, n, 16)
		for _, c := range []int64{0, 1, 1 << 30, 1<<31 - 1, 1 << 31, rng.Int64N(1 << 31)} {
			right := 1 + uint(rng.IntN(61))
			lo, hi, dot, total := make([]uint8, n), make([]uint8, n), int64(0), int64(0)
			gotSum, gotDot := Split(lo, hi, w, shift, c, right, zero)
			for j, v := range w {
				p := min(32767, intmath.RoundShift(v>>shift*c, int(right)))
				if lo[j] > 127 || int64(hi[j])*128+int64(lo[j]) != p {
					t.Fatalf("Split: 128·%d + %d, want %d", hi[j], lo[j], p)
				}
				total += p
				dot += p * int64(zero[j])
			}
			if gotSum != total || gotDot != dot {
				t.Fatalf("Split: (%d, %d), want (%d, %d)", gotSum, gotDot, total, dot)
			}
		}
	})
}

func TestMerge(t *testing.T) {
	each(t, func(t *testing.T, rng *rand.Rand, n int) {
		value, lo := draw32(rng, n, 23), draw32(rng, n, 22)
		hi, dot, m := make([]int32, n), rng.Int32N(1<<24)-1<<23, 1<<15+rng.Int64N(1<<15)
		for _, right := range []uint{0, 1, 8, 30, 62} {
			want := make([]int64, n)
			for j := range hi {
				hi[j] = rng.Int32N(1<<16) - 1<<15
				lo[j] = value[j] - hi[j]<<7 + dot
				want[j] = intmath.RoundShift(int64(value[j])*m<<8, int(right))
			}
			got := make([]int64, n)
			least, most := Merge(got, hi, lo, dot, m, right)
			same(t, "Merge", got, want)
			sameRange(t, "Merge", least, most, want)
		}
	})
}

func TestNorm(t *testing.T) {
	each(t, func(t *testing.T, rng *rand.Rand, n int) {
		for _, shift := range []uint{0, 1, 8} {
			h, gamma := draw32(rng, n, 23+int(shift)), draw32(rng, n, 23)
			most, sum := int64(0), int64(0)
			for _, v := range h {
				most = max(most, int64(v), -int64(v))
				x := intmath.RoundShift(int64(v), int(shift))
				sum += x * x
			}
			if got := MaxAbs(h); int64(got) != most {
				t.Fatalf("MaxAbs = %d, want %d", got, most)
			}
			if got := SumSquares(h, shift); got != sum {
				t.Fatalf("SumSquares = %d, want %d", got, sum)
			}
			for _, rho := range []int64{1, 1 << 30, 1<<31 - 1, 1 << 31, 1 + rng.Int64N(1<<31)} {
				right := 24 + uint(rng.IntN(8))
				want := make([]int64, n)
				for j, v := range h {
					want[j] = intmath.RoundShift(intmath.RoundShift(int64(v), int(shift))*rho, int(right)) * int64(gamma[j])
				}
				got := make([]int64, n)
				lo, hi := Norm(got, h, gamma, shift, rho, right)
				same(t, "Norm", got, want)
				sameRange(t, "Norm", lo, hi, want)
			}
		}
	})
	if got := MaxAbs([]int32{math.MinInt32, 5}); got != 1<<31 {
		t.Errorf("MaxAbs(−2^31) = %d, want 2^31", got)
	}
}

func TestAddResidual(t *testing.T) {
	each(t, func(t *testing.T, rng *rand.Rand, n int) {
		for _, right := range []uint{0, 1, 10, 23, 40, 62} {
			h, row := draw32(rng, n, 31), draw(rng, n, 54)
			m := 1<<15 + rng.Int64N(1<<15)
			want, saturated := make([]int32, n), 0
			for j, v := range row {
				d := intmath.RoundShift(intmath.RoundShift(v, 16)*m, int(right))
				y := intmath.Sat(int64(h[j])+intmath.Sat(d, -1<<31, 1<<31), -math.MaxInt32, math.MaxInt32)
				if want[j] = int32(y); y != int64(h[j])+d {
					saturated++
				}
			}
			if got := AddResidual(h, row, m, right); got != saturated {
				t.Fatalf("AddResidual: %d saturated, want %d", got, saturated)
			}
			same(t, "AddResidual", h, want)
		}
	})
}

// sigma is σ⁺ of every E in Q15.
var sigma = func() []uint16 {
	t := make([]uint16, 32769)
	for e := range t {
		t[e] = uint16(intmath.DivRound(1<<30, 32768+int64(e)))
	}
	return t
}()

func TestSwiGLU(t *testing.T) {
	each(t, func(t *testing.T, rng *rand.Rand, n int) {
		for _, quad := range []bool{false, true} {
			zg, zu, mf, k := rng.Int64N(256), rng.Int64N(256), 47104+rng.Int64N(1<<16), rng.Int32N(30)
			g := fill(n, func() uint8 { return uint8(rng.Uint32()) })
			u := fill(n, func() uint8 { return uint8(rng.Uint32()) })
			wide := func() uint16 { return uint16(rng.Uint32()) }
			g16, u16 := fill(n, wide), fill(n, wide)
			alpha := fill(n, func() int32 { return rng.Int32N(1 << 20) })
			product := func(x, y, a int64) int64 {
				e := int64(expQ30(max(x, -x), mf*a, k, quad)) // Q30 loses what Q15 drops
				s := int64(sigma[e>>15])
				if x < 0 {
					s = 32768 - s
				}
				return x * s * y
			}
			want, wantA, want16 := make([]int64, n), make([]int64, n), make([]int64, n)
			for j := range want {
				want[j] = product(int64(g[j])-zg, int64(u[j])-zu, 1)
				wantA[j] = product(int64(g[j])-zg, int64(u[j])-zu, int64(alpha[j]))
				want16[j] = product(int64(g16[j])-zg, int64(u16[j])-zu, 1)
			}
			var table [256]int32
			GateTable(&table, zg, mf, k, quad, sigma)
			got := make([]int64, n)
			lo, hi := SwiGLU(got, g, u, &table, int32(zu))
			same(t, "SwiGLU", got, want)
			sameRange(t, "SwiGLU", lo, hi, want)
			lo, hi = SwiGLUCodes(got, g, u, zg, zu, mf, nil, k, quad, sigma)
			same(t, "SwiGLUCodes", got, want)
			sameRange(t, "SwiGLUCodes", lo, hi, want)
			lo, hi = SwiGLUCodes(got, g, u, zg, zu, mf, alpha, k, quad, sigma)
			same(t, "SwiGLUCodes with α", got, wantA)
			sameRange(t, "SwiGLUCodes with α", lo, hi, wantA)
			lo, hi = SwiGLUCodes(got, g16, u16, zg, zu, mf, nil, k, quad, sigma)
			same(t, "SwiGLUCodes, 16 bits", got, want16)
			sameRange(t, "SwiGLUCodes, 16 bits", lo, hi, want16)
		}
	})
}
