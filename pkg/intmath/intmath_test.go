package intmath

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
)

// edges are the words where roundings and clamps go wrong.
var edges = []int64{0, 1, 2, 3, 5, 7, 127, 128, 255, 256, 1<<14 - 1, 1 << 14, 1<<31 - 1, 1 << 31, 1<<31 + 1, 1<<61 - 1, 1 << 61, 1<<62 - 1}

// halfAway is the oracle of every rounding here: num/den to nearest, halves away from zero, in big integers.
func halfAway(num, den *big.Int) *big.Int {
	twice := new(big.Int).Lsh(new(big.Int).Abs(num), 1)
	twice.Add(twice, den)
	q := twice.Quo(twice, new(big.Int).Lsh(den, 1))
	if num.Sign() < 0 {
		q.Neg(q)
	}
	return q
}

func values(seed uint64, n int) []int64 {
	rng := rand.New(rand.NewPCG(seed, 1))
	var v []int64
	for _, e := range edges {
		v = append(v, e, -e)
	}
	for range n {
		v = append(v, (rng.Int64()>>rng.IntN(62))*int64(1-2*rng.IntN(2))>>1)
	}
	return v
}

func TestKnownAnswers(t *testing.T) {
	for _, c := range []struct{ x, n, want int64 }{
		{-3, 1, -2}, {-1, 1, -1}, {3, 1, 2}, {-5, 2, -1}, {9, 70, 0}, {3, -2, 12},
		{-6, 2, -2}, {6, 2, 2}, {5, 0, 5}, {-5, 0, -5}, {1<<62 - 1, 63, 0}, {1<<62 - 1, 62, 1}, {-(1<<62 - 1), 62, -1},
	} {
		if got := RoundShift(c.x, int(c.n)); got != c.want {
			t.Errorf("RoundShift(%d, %d) = %d, want %d", c.x, c.n, got, c.want)
		}
	}
	for _, c := range [][3]int64{{-5, 2, -3}, {-7, 3, -2}, {8, 3, 3}, {5, 2, 3}, {0, 7, 0}} {
		if got := DivRound(c[0], c[1]); got != c[2] {
			t.Errorf("DivRound(%d, %d) = %d, want %d", c[0], c[1], got, c[2])
		}
	}
	for _, c := range []struct {
		x    int64
		n, b int
		want int64
	}{
		{3, -2, 59, 12}, {-1 << 46, -20, 59, -1 << 59}, {1, -80, 59, 1 << 59}, {0, -80, 59, 0}, {-5, 1, 59, -3},
		{1, math.MinInt, 31, 1 << 31}, {1 << 40, math.MaxInt, 31, 0}, {1 << 40, 0, 31, 1 << 31},
	} {
		if got := SatShift(c.x, c.n, c.b); got != c.want {
			t.Errorf("SatShift(%d, %d, %d) = %d, want %d", c.x, c.n, c.b, got, c.want)
		}
	}
	if got := ILog2(0); got != 0 {
		t.Errorf("ILog2(0) = %d, want 0", got)
	}
	for _, c := range [][2]uint64{{1e18, 1e9}, {1<<62 - 1, 2147483647}, {0, 0}, {1, 1}, {3, 1}, {4, 2}} {
		if b, n := Isqrt(c[0]), IsqrtNewton(c[0]); b != c[1] || n != c[1] {
			t.Errorf("isqrt(%d) = %d (bit-wise), %d (Newton), want %d", c[0], b, n, c[1])
		}
	}
}

// TestRoundShift compares with big integers, over every shift, and checks the odd symmetry.
func TestRoundShift(t *testing.T) {
	for _, x := range values(1, 400) {
		for n := -3; n <= 70; n++ {
			if n < 0 && (x > 1<<58 || x < -1<<58) {
				continue
			}
			var want *big.Int
			if n < 0 {
				want = new(big.Int).Lsh(big.NewInt(x), uint(-n))
			} else {
				want = halfAway(big.NewInt(x), new(big.Int).Lsh(big.NewInt(1), uint(n)))
			}
			got := RoundShift(x, n)
			if n >= 63 { // defined as 0; |x| < 2^62 rounds to it
				want.SetInt64(0)
			}
			if got != want.Int64() {
				t.Fatalf("RoundShift(%d, %d) = %d, want %v", x, n, got, want)
			}
			if RoundShift(-x, n) != -got {
				t.Fatalf("RoundShift(%d, %d) is not odd", x, n)
			}
		}
	}
}

func TestDivRound(t *testing.T) {
	b := values(2, 60)
	for _, x := range values(3, 200) {
		for _, y := range b {
			if y <= 0 {
				continue
			}
			if got, want := DivRound(x, y), halfAway(big.NewInt(x), big.NewInt(y)); got != want.Int64() {
				t.Fatalf("DivRound(%d, %d) = %d, want %v", x, y, got, want)
			}
			q, m := new(big.Int).DivMod(big.NewInt(x), big.NewInt(y), new(big.Int)) // Euclidean = floor for y > 0
			if got := FloorDiv(x, y); got != q.Int64() {
				t.Fatalf("FloorDiv(%d, %d) = %d, want %v (rest %v)", x, y, got, q, m)
			}
		}
	}
}

// TestSatShift compares with the unclamped product in big rationals.
func TestSatShift(t *testing.T) {
	for _, x := range values(4, 200) {
		for _, b := range []int{0, 1, 15, 31, 58, 61} {
			top := new(big.Int).Lsh(big.NewInt(1), uint(b))
			for n := -90; n <= 70; n++ {
				var want *big.Int
				if n < 0 {
					want = new(big.Int).Lsh(big.NewInt(x), uint(-n))
				} else {
					want = halfAway(big.NewInt(x), new(big.Int).Lsh(big.NewInt(1), uint(n)))
				}
				if want.CmpAbs(top) > 0 {
					want = new(big.Int).Mul(top, big.NewInt(int64(want.Sign())))
				}
				if got := SatShift(x, n, b); got != want.Int64() {
					t.Fatalf("SatShift(%d, %d, %d) = %d, want %v", x, n, b, got, want)
				}
			}
		}
	}
}

func TestAsr(t *testing.T) {
	for _, x := range values(5, 50) {
		for n := range 70 {
			want := new(big.Int).Rsh(big.NewInt(x), uint(n)) // big.Int shifts floor
			if got := Asr(x, n); got != want.Int64() {
				t.Fatalf("Asr(%d, %d) = %d, want %v", x, n, got, want)
			}
		}
	}
	if got := Asr(5, -1); got != 5 {
		t.Errorf("Asr(5, -1) = %d, want 5", got)
	}
}

// TestIsqrt takes values around squares, where a root is off by one.
func TestIsqrt(t *testing.T) {
	rng := rand.New(rand.NewPCG(6, 1))
	check := func(a uint64) {
		if a >= 1<<62 {
			return
		}
		want := new(big.Int).Sqrt(new(big.Int).SetUint64(a)).Uint64()
		if b, n := Isqrt(a), IsqrtNewton(a); b != want || n != want {
			t.Fatalf("isqrt(%d) = %d (bit-wise), %d (Newton), want %d", a, b, n, want)
		}
	}
	for a := range uint64(5000) {
		check(a)
	}
	for range 20000 {
		r := rng.Uint64N(1<<31) >> rng.IntN(31)
		check(r * r)
		check(r*r + 2*r) // (r+1)² − 1
		check(r*r - min(r, 1))
		check(rng.Uint64N(1<<62) >> rng.IntN(62))
	}
	if got := Isqrt(math.MaxUint64); got != 1<<31-1 {
		t.Errorf("Isqrt(2^64−1) = %d, want the root of 2^62−1", got)
	}
}

func FuzzSatShift(f *testing.F) {
	f.Add(int64(3), -2, uint8(59))
	f.Add(int64(-1<<46), -20, uint8(59))
	f.Add(int64(1), math.MinInt, uint8(31))
	f.Fuzz(func(t *testing.T, x int64, n int, b uint8) {
		x >>= 2
		bound := int64(1) << (b % 62)
		got := SatShift(x, n, int(b%62))
		if got > bound || got < -bound {
			t.Fatalf("SatShift(%d, %d, %d) = %d exceeds ±%d", x, n, b%62, got, bound)
		}
		if (got > 0 && x < 0) || (got < 0 && x > 0) {
			t.Fatalf("SatShift(%d, %d, %d) = %d changes sign", x, n, b%62, got)
		}
	})
}
