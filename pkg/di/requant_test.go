package di

import (
	"math"
	"math/big"
	"testing"

	"github.com/illm-go/illm/pkg/quant"
)

func TestRequantKnownAnswers(t *testing.T) {
	for _, c := range []struct {
		t      []int64
		m      uint32
		k      int32
		bits   int
		codes  []uint8
		params quant.RowParams
	}{
		{[]int64{3000, -5000, 0, 12000, -1}, 40000, 25, 8, []uint8{120, 0, 75, 255, 75}, quant.RowParams{M: 41667, K: 19, Zero: 75, Sum: 525}},
		{[]int64{3 << 40, -5 << 40, 0, 3 << 43}, 40000, 60, 4, []uint8{5, 0, 3, 15}, quant.RowParams{M: 38667, K: 19, Zero: 3, Sum: 23}},
		// the product of a SwiGLU row
		{[]int64{830072000, -13437000, 0, -178692000}, 60472, 42, 8, []uint8{255, 42, 45, 0}, quant.RowParams{M: 57035, K: 20, Zero: 45, Sum: 342}},
		{[]int64{0, 0}, 40000, 25, 8, []uint8{0, 0}, quant.RowParams{M: 32768, K: 15}},
	} {
		dst := make([]uint8, len(c.t))
		lo, hi := MinMax(c.t)
		p := Requant(dst, c.t, lo, hi, c.m, c.k, c.bits, 16)
		wantEqual(t, "codes", dst, c.codes)
		if p != c.params {
			t.Errorf("params = %+v, want %+v", p, c.params)
		}
	}
}

// TestRequantError: against exact rationals no code is off by more than half a step (one at the clamped ends), 0 is
// exact, and the scale is R·m/(2^n−1)/2^k within its mantissa.
func TestRequantError(t *testing.T) {
	rng := newRand(2)
	rows := [][]int64{{1}, {-1}, {1, -1}, {5, 5, 5}, {-7, -7}, {1 << 55, -1 << 55}, {1 << 59, -(1<<59 - 1), 3}, {0, 0, 1 << 59},
		{-1 << 59, 0}, {1<<31 - 1}, {1 << 31, 1}, {-(1 << 31) - 1, 1}, {255}, {256, 1}, {1 << 40, 1}}
	for range 300 {
		rows = append(rows, normRow(rng, 1+rng.IntN(70), math.Exp2(2+53*rng.Float64())))
	}
	for _, row := range rows {
		lo, hi := MinMax(row)
		for _, bits := range []int{2, 3, 4, 5, 6, 7, 8, 12, 16} {
			for _, mantissa := range []int{8, 16} {
				m, k := uint32(1<<15+rng.IntN(1<<15)), int32(rng.IntN(60)-10)
				dst := make([]uint16, len(row))
				p := Requant16(dst, row, lo, hi, m, k, bits, mantissa)
				checkRequant(t, row, lo, hi, dst, p, m, k, bits, mantissa)
				if bits > 8 {
					continue
				}
				dst8 := make([]uint8, len(row))
				if p8 := Requant(dst8, row, lo, hi, m, k, bits, mantissa); p8 != p {
					t.Fatalf("Requant %+v, Requant16 %+v", p8, p)
				}
				for j := range dst {
					if uint16(dst8[j]) != dst[j] {
						t.Fatalf("code %d: Requant %d, Requant16 %d", j, dst8[j], dst[j])
					}
				}
			}
		}
	}
}

func checkRequant(t *testing.T, row []int64, lo, hi int64, dst []uint16, p quant.RowParams, m uint32, k int32, bits, mantissa int) {
	t.Helper()
	if hi == lo {
		return // the zero row is a known answer
	}
	top := int64(1)<<bits - 1
	sum := int32(0)
	step := big.NewRat(hi-lo, top)
	for j, v := range row {
		sum += int32(dst[j])
		if int64(dst[j]) > top {
			t.Fatalf("code %d of %d bits", dst[j], bits)
		}
		exact := new(big.Rat).Quo(new(big.Rat).SetInt64(v), step)
		err, _ := exact.Sub(exact, new(big.Rat).SetInt64(int64(dst[j])-int64(p.Zero))).Float64()
		bound := 0.5
		if dst[j] == 0 || int64(dst[j]) == top {
			bound = 1
		}
		if math.Abs(err) > bound+2e-4 || v == 0 && err != 0 { // 2^−31·(2^16): G's own rounding at 16 bits
			t.Fatalf("row %v, %d bits: code %d of %d is off by %.6f steps", row, bits, dst[j], v, err)
		}
	}
	if p.Sum != sum {
		t.Fatalf("Sum = %d, want %d", p.Sum, sum)
	}
	gain := value(p.M, p.K) / (float64(hi-lo) / float64(top) * value(m, k))
	if math.Abs(gain-1) > math.Exp2(-float64(mantissa))+math.Exp2(-29) {
		t.Fatalf("row %v, %d bits: gain %.9f at mantissa %d", row, bits, gain, mantissa)
	}
}

// TestRequantScaling: the codes of 2T at half the scale are those of T, and a row in another order has the same codes.
func TestRequantScaling(t *testing.T) {
	rng := newRand(3)
	for range 200 {
		n := 1 + rng.IntN(100)
		row := normRow(rng, n, math.Exp2(33+20*rng.Float64())) // beyond 2^31, so that no bit is gained by doubling
		row[0] = 1 << 33
		twice, back := make([]int64, n), make([]int64, n)
		for j, v := range row {
			twice[j], back[n-1-j] = 2*v, v
		}
		a, b, c := make([]uint8, n), make([]uint8, n), make([]uint8, n)
		lo, hi := MinMax(row)
		pa := Requant(a, row, lo, hi, 40000, 30, 8, 16)
		pb := Requant(b, twice, 2*lo, 2*hi, 40000, 31, 8, 16)
		pc := Requant(c, back, lo, hi, 40000, 30, 8, 16)
		wantEqual(t, "codes of 2T", b, a)
		if pa != pb || pa != pc {
			t.Fatalf("headers %+v, doubled %+v, reversed %+v", pa, pb, pc)
		}
		for j := range a {
			if a[j] != c[n-1-j] {
				t.Fatal("a code depends on its place")
			}
		}
	}
}

func FuzzRequant(f *testing.F) {
	f.Add(int64(3000), int64(-5000), int64(12000), uint8(6), uint16(40000))
	f.Add(int64(1), int64(1), int64(1), uint8(0), uint16(1))
	f.Add(int64(-1<<59), int64(1<<59), int64(0), uint8(14), uint16(65535))
	f.Fuzz(func(t *testing.T, a, b, c int64, bits uint8, m uint16) {
		row := []int64{a >> 4, b >> 4, c >> 4}
		lo, hi := MinMax(row)
		n := 2 + int(bits%15)
		dst := make([]uint16, 3)
		p := Requant16(dst, row, lo, hi, max(uint32(m), 1), 20, n, 16)
		checkRequant(t, row, lo, hi, dst, p, max(uint32(m), 1), 20, n, 16)
	})
}
