package chart

import (
	"math"
	"math/rand"
	"slices"
	"testing"
)

func TestTicks(t *testing.T) {
	r := rand.New(rand.NewSource(1))
	for range 5000 {
		a := math.Pow(10, r.Float64()*12-6) * (1 + r.Float64())
		s := newSpan()
		s.add(a, a*math.Pow(10, r.Float64()*r.Float64()*8))
		check := func(name string, lo, hi float64, ticks []float64, least, most int) {
			t.Helper()
			if lo > s.lo || hi < s.hi {
				t.Fatalf("%s of %v: limits %g … %g leave data out", name, s, lo, hi)
			}
			if len(ticks) < least || len(ticks) > most || !slices.IsSorted(ticks) {
				t.Fatalf("%s of %v: ticks %v, want %d to %d in order", name, s, ticks, least, most)
			}
			for _, v := range ticks {
				if v < lo-1e-9*math.Abs(lo) || v > hi+1e-9*math.Abs(hi) {
					t.Fatalf("%s of %v: tick %g outside %g … %g", name, s, v, lo, hi)
				}
			}
		}
		lo, hi, ticks := s.linear(5)
		check("linear", lo, hi, ticks, 2, 9)
		lo, hi, ticks = s.log()
		check("log", lo, hi, ticks, 2, 16)
	}
	lo, hi, ticks := span{21.6, 24.6}.linear(5)
	if lo != 21 || hi != 25 || !slices.Equal(ticks, []float64{21, 22, 23, 24, 25}) {
		t.Errorf("21.6 … 24.6: %g … %g, %v", lo, hi, ticks)
	}
	if _, _, ticks := (span{21, 2000}).log(); !slices.Contains(ticks, 50) || !slices.Contains(ticks, 1000) {
		t.Errorf("21 … 2000: %v, want 50 and 1000 among them", ticks)
	}
	if lo, hi, _ := (span{7, 7}).linear(5); !(lo < 7 && hi > 7) {
		t.Errorf("one value: %g … %g, want room on both sides", lo, hi)
	}
	for _, s := range []span{newSpan(), {-math.MaxFloat64, math.MaxFloat64}, {1, math.Nextafter(1, 2)}} {
		if _, _, ticks := s.linear(5); len(ticks) > 20 {
			t.Errorf("%v: %d ticks", s, len(ticks))
		}
	}
}

func TestNumber(t *testing.T) {
	for _, c := range []struct {
		v, err float64
		want   string
	}{
		{22.18432, 0.0531, "22.184 ± 0.053"}, {2050.4, 96, "2050 ± 96"}, {2050.4, 960, "2050 ± 960"},
		{21.63, 0, "21.63"}, {15, 0, "15"}, {0, 0, "0"}, {12.5, 0, "12.5"}, {0.00012345, 0, "0.00012345"},
		{1e-7, 0, "1e-07"}, {1e12, 0, "1e+12"}, {math.Inf(1), 0, "∞"}, {math.NaN(), 0, "not a number"},
		{304978, 0, "304978"}, {-0.25, 0.5, "-0.25 ± 0.50"},
	} {
		if got := number(c.v, c.err); got != c.want {
			t.Errorf("number(%g, %g) = %q, want %q", c.v, c.err, got, c.want)
		}
	}
}
