package di

import (
	"math"
	"math/big"
	"testing"

	"github.com/illm-go/illm/pkg/quant"
)

// The bias enters as round(B·r·2^−n), r = 1/m_x in 24 bits, clamped to ±2^59; big.Int is the oracle, over token scales from
// those where it is a fraction of T's unit to those where the clamp acts.
func TestAddBiasExact(t *testing.T) {
	rng := newRand(31)
	for k := int32(-40); k <= 70; k++ {
		n := 1 + rng.IntN(40)
		l := &quant.Linear{Out: n, In: 1, Bits: 8, Zero: make([]uint8, n), M: make([]int32, n), SumW: make([]int32, n), KW: 33,
			KB: int32(rng.IntN(40)), Bias: make([]int32, n)}
		for j := range l.Bias {
			l.Bias[j] = int32(rng.IntN(1<<24-1) - 1<<23 + 1)
			l.M[j] = int32(rng.IntN(1 << 24))
		}
		l.Bias[0] = 1<<23 - 1
		acc := make([]int32, n)
		for j := range acc {
			acc[j] = int32(rng.IntN(1<<31-1) - 1<<30)
		}
		x := quant.RowParams{M: uint32(1<<15 + rng.IntN(1<<15)), K: k, Zero: 0}
		// r of 24 bits: 2^e/m with 2^23 ≤ r < 2^24
		e := 39
		r := new(big.Int).Quo(new(big.Int).Add(big.NewInt(1<<40), big.NewInt(int64(x.M))), big.NewInt(2*int64(x.M))) // round(2^39/m)
		if x.M == 1<<15 {
			e, r = 38, big.NewInt(1<<23)
		}
		shift := e - int(k+l.KW-l.KB)
		got := make([]int64, n)
		lo, hi := Accumulate(got, acc, x, l, 0)
		var wantLo, wantHi int64
		for j := range got {
			// code = w' + 128 with w' of which ΣW' is 0 here, z_w = 0: T = (acc + 128·ΣX)·M, ΣX = 0
			want := big.NewInt(int64(acc[j]) * int64(l.M[j]))
			b := new(big.Int).Mul(big.NewInt(int64(l.Bias[j])), r)
			sign := int64(b.Sign())
			b.Abs(b)
			if shift > 0 {
				b.Add(b, new(big.Int).Lsh(big.NewInt(1), uint(shift-1))).Rsh(b, uint(shift))
			} else {
				b.Lsh(b, uint(-shift))
			}
			if top := big.NewInt(1 << 59); b.Cmp(top) > 0 {
				b = top
			}
			if shift < 0 && b.BitLen() > 59 { // the clamp acts before the shift: both give the same ±2^59
				b = big.NewInt(1 << 59)
			}
			want.Add(want, b.Mul(b, big.NewInt(sign)))
			if got[j] != want.Int64() {
				t.Fatalf("k %d, shift %d, channel %d: T = %d, want %v", k, shift, j, got[j], want)
			}
			wantLo, wantHi = min(wantLo, got[j]), max(wantHi, got[j])
		}
		if lo != wantLo || hi != wantHi {
			t.Fatalf("k %d: range (%d, %d), want (%d, %d)", k, lo, hi, wantLo, wantHi)
		}
	}
}

// ReLU before the requantisation: zero point 0, the largest value on the last code, every code within half a step of
// max(T, 0), however much longer the negative side is.
func TestReLU(t *testing.T) {
	rng := newRand(32)
	w := newWorker(t, "15", "illm", 1)
	for _, bits := range []int{2, 4, 6, 8} {
		for _, deep := range []int{0, 3, 30} { // the negative side is 2^deep times as long
			for round := range 40 {
				n := 1 + rng.IntN(100)
				row := normRow(rng, n, math.Exp2(float64(round%26)))
				for j, v := range row {
					if v < 0 {
						row[j] = v << deep
					}
				}
				lo, hi := MinMax(row)
				in := append([]int64(nil), row...)
				dst := make([]uint8, n)
				p := w.ReLU(dst, row, lo, hi, 40000, 30, Product{}, bits)
				if hi == 0 {
					if p.M != 1<<15 || p.K != 15 || p.Zero != 0 || p.Sum != 0 {
						t.Fatalf("a row without positive values: %+v", p)
					}
					continue
				}
				top := float64(int(1)<<bits - 1)
				step := value(p.M, p.K)
				sum := int32(0)
				for j, v := range in {
					x := float64(max(v, 0)) * value(40000, 30)
					if d := math.Abs(float64(dst[j])*step - x); d > 0.5*step+1e-4*x {
						t.Fatalf("%d bits, T = %d: code %d, off by %v steps", bits, v, dst[j], d/step)
					}
					if v == hi && float64(dst[j]) != top {
						t.Fatalf("%d bits: the largest value has code %d", bits, dst[j])
					}
					sum += int32(dst[j])
				}
				if p.Zero != 0 || p.Sum != sum {
					t.Fatalf("header %+v, want zero point 0 and sum %d", p, sum)
				}
			}
		}
	}
}

// A position row is added to what is there, rounded once, and saturates with a count.
func TestAddEmbed(t *testing.T) {
	rng := newRand(33)
	for _, bits := range []int{4, 6, 8} {
		l, codes := randomLinear(rng, 9, 37, bits, false)
		for _, kr := range []int32{18, 5, 30} {
			h, was := make([]int32, 37), make([]int32, 37)
			for c := range h {
				h[c] = int32(rng.IntN(1<<20) - 1<<19)
			}
			copy(was, h)
			id := rng.IntN(9)
			n := AddEmbed(h, l, id, kr)
			for c := range h {
				x := float64(int(codes[id*37+c])-int(l.Zero[id])) * float64(l.M[id]) * math.Exp2(float64(kr-l.KW))
				want := float64(was[c]) + math.Copysign(math.Floor(math.Abs(x)+0.5), x) // exact: below 2^53
				if float64(h[c]) != want {
					t.Fatalf("%d bits, k_r %d, channel %d: %d, want %v", bits, kr, c, h[c], want)
				}
			}
			if n != 0 {
				t.Errorf("%d saturated", n)
			}
		}
		wantPanic(t, "id", errEmbed, func() { AddEmbed(make([]int32, 37), l, 9, 18) })
	}
	table := &Table16{Rows: 1, Cols: 3, Codes: []int16{1, -2, 32767}, M: []uint16{40000}, K: []int8{20}}
	h := []int32{5, -math.MaxInt32, math.MaxInt32 - 1}
	if n := AddEmbed16(h, table, 0, 18); n != 2 {
		t.Errorf("%d saturated, want 2", n)
	}
	wantEqual(t, "row", h, []int32{10005, -math.MaxInt32, math.MaxInt32})
}
