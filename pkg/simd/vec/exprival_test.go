package vec

import (
	"fmt"
	"math/big"
	"slices"
	"testing"
)

func TestDistanceCodesPaths(t *testing.T) {
	walk(t, func(s *source) []any {
		bits := 1 + s.IntN(56)
		x := ints[int64](s, s.n, -1<<bits, 1<<bits)
		top := int64(1)<<(1+s.IntN(16)) - 1
		d := slab[int32](s, s.n)
		DistanceCodes(d, x, slices.Max(x), s.between(1, 1<<(bits+1)), uint(max(0, bits-29)), s.between(0, 1<<31-1), uint(s.between(1, 61)), top)
		return []any{d, x}
	})
}

func TestMomentsPaths(t *testing.T) {
	walk(t, func(s *source) []any {
		bits := 1 + s.IntN(56)
		x := ints[int64](s, s.n, -1<<bits, 1<<bits)
		sum, squares := Moments(x, slices.Max(x), uint(max(0, bits-21)))
		return []any{sum, squares, x}
	})
}

// fractions are tables of the true values, rounded; the kernels take any.
func fractions(bits int, lerp, short bool) *Fractions {
	entries := make([]int32, 1<<bits+1)
	for i := range entries { // 2^30·2^(−i/2^bits) by square roots
		v := new(big.Float).SetPrec(200).SetInt64(1 << 30)
		half := new(big.Float).SetPrec(200).SetInt64(2)
		for b := bits - 1; b >= 0; b-- {
			half.Sqrt(half)
			if i>>b&1 == 1 {
				v.Quo(v, half)
			}
		}
		if i == 1<<bits {
			v.SetInt64(1 << 29)
		}
		n, _ := v.Add(v, big.NewFloat(0.5)).Int64()
		entries[i] = int32(n)
	}
	return NewFractions(entries, lerp, short)
}

// TestExpRivalPaths: every row kernel equals its scalar definition.
func TestExpRivalPaths(t *testing.T) {
	var table [256]int32
	lines := &Lines{}
	for i := range table {
		table[i] = int32(1<<30 - i*4000000)
	}
	for i := range 16 {
		lines.Start[i], lines.Slope[i], lines.Intercept[i] = int32(i*i*4000), -int32(1<<24-i<<20), int32(1<<30-i<<26)
	}
	rows := map[string]func(e, d []int32, m int64, k int32){
		"chord":     func(e, d []int32, m int64, k int32) { ExpChord(e, d, m+m>>1, k, false) },
		"chordQuad": func(e, d []int32, m int64, k int32) { ExpChord(e, d, m+m>>1, k, true) },
		"direct":    func(e, d []int32, m int64, k int32) { ExpDirect(e, d, m, k, 1114112, &table) },
		"fine":      func(e, d []int32, m int64, k int32) { ExpDirect(e, d, m, k, 1<<33+5, &table) },
		"bert":      func(e, d []int32, m int64, k int32) { ExpBERT(e, d, m, k) },
		"lines":     func(e, d []int32, m int64, k int32) { ExpLines(e, d, m, k, lines) },
	}
	for n := 2; n <= 6; n++ {
		rows[fmt.Sprint("taylor", n)] = func(e, d []int32, m int64, k int32) { ExpTaylor(e, d, m, k, n) }
	}
	for _, bits := range []int{2, 3, 4, 5, 6} {
		for i := range 4 {
			f := fractions(bits, i&1 == 1, i&2 == 2)
			rows[fmt.Sprintf("fraction%d/%d", bits, i)] = func(e, d []int32, m int64, k int32) { ExpFraction(e, d, m, k, f) }
		}
	}
	for name, f := range rows {
		t.Run(name, func(t *testing.T) {
			walk(t, func(s *source) []any {
				d := ints[int32](s, s.n, 0, 1<<16-1)
				m, k := s.between(1, 1<<16-1), int32(s.between(-60, 90))
				if s.IntN(2) == 0 {
					m, k = s.between(1<<15, 1<<16-1), int32(s.between(14, 34))
				}
				e := slab[int32](s, s.n)
				f(e, d, m, k)
				return []any{e, d}
			})
		})
	}
	walk(t, func(s *source) []any {
		d, e := ints[int32](s, s.n, 0, 255), slab[int32](s, s.n)
		ExpLookup(e, d, &table)
		for j, c := range d {
			if e[j] != table[c] {
				t.Fatalf("code %d: %d, want %d", c, e[j], table[c])
			}
		}
		return []any{e, d}
	})
}

// TestExpPeriodPaths: the two that divide by a period, at every size of it and at those next to powers of two.
func TestExpPeriodPaths(t *testing.T) {
	for name, f := range map[string]func(e, d []int32, t int64){"published": ExpPublished, "shiftmax": ExpShiftmax} {
		t.Run(name, func(t *testing.T) {
			walk(t, func(s *source) []any {
				e, d := slab[int32](s, s.n), ints[int32](s, s.n, 0, 1<<16-1)
				for range 8 {
					period := max(1, int64(1)<<s.IntN(46)+s.between(-2, 2))
					if s.IntN(2) == 0 {
						period = s.between(1, 1<<18)
					}
					f(e, d, period)
				}
				return []any{e, d}
			})
		})
	}
}

// TestExpPeriodDivision: the multiplications that replace the divisions, for every code.
func TestExpPeriodDivision(t *testing.T) {
	d, e := make([]int32, 1<<16), make([]int32, 1<<16)
	for j := range d {
		d[j] = int32(j)
	}
	for _, period := range []int64{2, 3, 5, 7, 8, 9, 12, 17, 255, 257, 3039, 4370, 32767, 32768, 65534, 65535, 65536, 65537, 94206, 94207, 94208, 131071, 131072, 1<<29 + 1} {
		ExpPublished(e, d, period)
		for j := range d {
			if want := PublishedQ30(int64(j), period); int64(e[j]) != want {
				t.Fatalf("published, t %d, d %d: %d, want %d", period, j, e[j], want)
			}
		}
		ExpShiftmax(e, d, period)
		for j := range d {
			if want := ShiftmaxQ30(int64(j), period); int64(e[j]) != want {
				t.Fatalf("shiftmax, t %d, d %d: %d, want %d", period, j, e[j], want)
			}
		}
	}
}

// TestExpTaylorDivision: the kernels divide by multiplication; every exponent they can meet gives the definition.
func TestExpTaylorDivision(t *testing.T) {
	if testing.Short() {
		t.Skip("2^21 exponents of five polynomials")
	}
	d, e := make([]int32, 1<<14), make([]int32, 1<<14)
	for order := 2; order <= 6; order++ {
		for base := int32(0); base < 1<<21; base += 1 << 14 {
			// 65536/2^(16+2) natural units a code: k = 18 and m = 4 give steps of one unit of x
			for j := range d {
				d[j] = int32(j)
			}
			m := int64(base>>14+1) * 4 // all multiples of x that 128 slopes meet
			if order < 6 {
				ExpTaylor(e, d, m, 18, order)
			} else {
				ExpBERT(e, d, m, 18)
			}
			for j, c := range d {
				x := Natural(int64(c)*m, 18)
				want := BERTQ30(x)
				if order < 6 {
					want = TaylorQ30(x, order)
				}
				if int64(e[j]) != want {
					t.Fatalf("order %d, x %d: %d, want %d", order, x, e[j], want)
				}
			}
		}
	}
}
