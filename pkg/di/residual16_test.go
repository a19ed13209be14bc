package di

import (
	"math"
	"math/big"
	"testing"
)

// NarrowResidual against exact fractions: ties away from zero, the ends of the codes, and what is a code already stays.
func TestNarrowResidual(t *testing.T) {
	rng := newRand(16)
	steps := []int32{1, 2, 3, 7, 1000, MaxResidualStep}
	var h, s []int32
	for _, r := range steps {
		for _, v := range []int32{0, 1, -1, r / 2, -r / 2, r/2 + 1, 5*r + r/2, 32767, -32767, math.MaxInt32, -math.MaxInt32} {
			h, s = append(h, v), append(s, r)
		}
		for range 50 {
			h, s = append(h, int32(rng.Uint32())), append(s, r)
		}
	}
	if err := CheckResidualSteps(s, len(h)); err != nil {
		t.Fatal(err)
	}
	got := append([]int32(nil), h...)
	cut, want := NarrowResidual(got, s), 0
	for c, v := range h {
		q := new(big.Rat).SetFrac64(int64(v), int64(s[c]))
		half := big.NewRat(1, 2)
		if q.Sign() < 0 {
			half.Neg(half)
		}
		q.Add(q, half)
		code := new(big.Int).Quo(q.Num(), q.Denom()).Int64() // towards zero, after a half away from it
		if code > 32767 || code < -32767 {
			code, want = max(-32767, min(code, 32767)), want+1
		}
		if int64(got[c]) != code*int64(s[c]) {
			t.Errorf("%d in steps of %d: %d, want %d", v, s[c], got[c], code*int64(s[c]))
		}
	}
	if cut != want {
		t.Errorf("%d cut, want %d", cut, want)
	}
	again := append([]int32(nil), got...)
	if n := NarrowResidual(again, s); n != 0 {
		t.Errorf("%d of its own codes were cut", n)
	}
	for c := range got {
		if again[c] != got[c] {
			t.Errorf("%d became %d on its own grid of %d", got[c], again[c], s[c])
		}
	}
	for _, bad := range [][]int32{{1}, {1, 0}, {1, -3}, {1, MaxResidualStep + 1}} {
		if CheckResidualSteps(bad, 2) == nil {
			t.Errorf("steps %d are taken", bad)
		}
	}
}
