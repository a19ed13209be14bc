package dyadic

import (
	"math/big"
	"math/rand/v2"
	"testing"
)

func TestFitKnownAnswers(t *testing.T) {
	for _, c := range []struct {
		num, den uint64
		want     Scale
	}{
		{1, 3, Scale{43691, 17}},
		{65535, 65536, Scale{65535, 16}},
		{131071, 1, Scale{32768, -2}}, // 2^17 − 1 rounds up to 2^16 and is renormalised
		{1000000000000, 255, Scale{59838, -16}},
		{5, 10000000000000, Scale{36029, 56}},
		{15000, 1000, Scale{61440, 12}},
		{12500, 1000, Scale{51200, 12}},
		{17000, 1000, Scale{34816, 11}},
		{6000, 1000, Scale{49152, 13}},
	} {
		if got := Fit(c.num, c.den, 16); got != c.want {
			t.Errorf("Fit(%d, %d, 16) = %v, want %v", c.num, c.den, got, c.want)
		}
	}
	a, b := Scale{49539, 20}, Scale{40000, 22} // a SwiGLU product, whose σ adds another 15 to K
	if got, want := a.Mul(b, 16), (Scale{60472, 27}); got != want {
		t.Errorf("%v.Mul(%v) = %v, want %v", a, b, got, want)
	}
	if got, want := One(16), (Scale{32768, 15}); got != want {
		t.Errorf("One(16) = %v, want %v", got, want)
	}
}

// TestFit checks width and nearness against rationals over the whole domain, ends included.
func TestFit(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	check := func(num, den uint64, bits int) {
		t.Helper()
		s := Fit(num, den, bits)
		if s.M < 1<<(bits-1) || s.M >= 1<<bits {
			t.Fatalf("Fit(%d, %d, %d) = %v: mantissa is not of %d bits", num, den, bits, s, bits)
		}
		exact := new(big.Rat).SetFrac(new(big.Int).SetUint64(num), new(big.Int).SetUint64(den))
		got := new(big.Rat).SetInt64(int64(s.M))
		pow := new(big.Int).Lsh(big.NewInt(1), uint(max(s.K, -s.K)))
		if s.K >= 0 {
			got.Quo(got, new(big.Rat).SetInt(pow))
		} else {
			got.Mul(got, new(big.Rat).SetInt(pow))
		}
		rel := got.Sub(got, exact)
		rel.Quo(rel.Abs(rel), exact)
		if rel.Cmp(big.NewRat(1, 1<<bits)) > 0 {
			t.Fatalf("Fit(%d, %d, %d) = %v: relative error %s above 2^−%d", num, den, bits, s, rel.FloatString(9), bits)
		}
	}
	ends := []uint64{1, 2, 3, 255, 65535, 1<<31 - 1, 1<<46 - 1}
	for _, bits := range []int{4, 8, 16} {
		for _, den := range ends {
			for _, num := range append(ends, 1<<62-1, 1<<61, den, 2*den-1, 2*den) {
				check(num, den, bits)
			}
		}
		for range 5000 {
			check(1+rng.Uint64N(1<<62-1)>>rng.IntN(62), 1+rng.Uint64N(1<<46-1)>>rng.IntN(46), bits)
		}
	}
	for m := uint64(1); m < 1<<16; m += 7 { // the bias reciprocal
		check(1, m, 24)
	}
}

func TestFitPanicsOutsideItsDomain(t *testing.T) {
	for _, c := range [][3]uint64{{0, 1, 16}, {1, 0, 16}, {1 << 62, 1, 16}, {1, 1 << 46, 16}, {1, 1, 1}, {1, 1, 25}} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("Fit(%d, %d, %d) did not panic", c[0], c[1], c[2])
				}
			}()
			Fit(c[0], c[1], int(c[2]))
		}()
	}
}

// TestApply: multiplying by a scale of value v is rounding x·v.
func TestApply(t *testing.T) {
	for _, c := range []struct {
		s    Scale
		x, y int64
	}{{Scale{49152, 15}, 3, 5}, {Scale{49152, 15}, -3, -5}, {One(16), 12345, 12345}, {Scale{32768, 16}, -1, -1}} {
		if got := c.s.Apply(c.x); got != c.y {
			t.Errorf("%v.Apply(%d) = %d, want %d", c.s, c.x, got, c.y)
		}
	}
}
