package di

import (
	"math"
	"math/big"
	"testing"
)

// phases returns round(2^64·base^(−2i/d)/2π) in 200-bit floats.
func phases(base float64, d int) []uint64 {
	// π to 60 digits; a float64 has too few for a phase of 64 bits.
	pi, _, err := big.ParseFloat("3.14159265358979323846264338327950288419716939937510582097494", 10, 200, big.ToNearestEven)
	if err != nil {
		panic(err)
	}
	turn := new(big.Float).SetPrec(200).SetMantExp(big.NewFloat(1), 64)
	turn.Quo(turn, pi.Mul(pi, big.NewFloat(2)))
	phi := make([]uint64, d/2)
	for i := range phi {
		theta := big.NewFloat(math.Pow(base, -float64(2*i)/float64(d)))
		v := new(big.Float).SetPrec(200).Mul(turn, theta)
		phi[i], _ = v.Add(v, big.NewFloat(0.5)).Uint64()
	}
	return phi
}

func TestRoPEKnownAnswers(t *testing.T) {
	const phi = 1238054759683200512 // base 10^4, d = 64, i = 3
	if c, s := CosSin(phi * 1000 & math.MaxUint64); c != 12284 || s != 10841 {
		t.Errorf("position 1000: (%d, %d), want (12284, 10841)", c, s)
	}
	// A wrap-around constant product: Go folds the constant above with arbitrary precision, the table adds.
	r := NewRoPE([]uint64{phi}, 1001)
	if c, s := r.cos[1000], r.sin[1000]; c != 12284 || s != 10841 {
		t.Errorf("table at position 1000: (%d, %d), want (12284, 10841)", c, s)
	}
	for q, want := range [][2]int16{{16384, 0}, {0, 16384}, {-16384, 0}, {0, -16384}} {
		if c, s := CosSin(uint64(q) << 62); c != want[0] || s != want[1] {
			t.Errorf("%d quarter turns: (%d, %d), want %v", q, c, s, want)
		}
	}
	// T = 65535 is brought to 16 bits by a shift of 1, rounds to 32768 and is clamped.
	v := []int64{65535, 0}
	k, lo, hi := NewRoPE([]uint64{phi}, 1).Rotate(v, 0, 65535, 20, 0)
	if v[0] != 32767 || v[1] != 0 || k != 19 || lo != 0 || hi != 32767 {
		t.Errorf("Rotate(65535) = %v, k %d, range (%d, %d)", v, k, lo, hi)
	}
}

// TestRoPETable compares with float64 at all pairs of positions across the first 131 072.
func TestRoPETable(t *testing.T) {
	phi := phases(10000, 64)
	if got := phi[3]; got>>11 != 1238054759683200512>>11 { // float64 θ has 53 bits
		t.Errorf("φ_3 = %d", got)
	}
	for p := uint64(0); p < 131072; p += 1 + p/7 {
		for i, f := range phi {
			// θ_i as float64 is what φ_i was made from, so reduce the angle by the phase.
			a := math.Ldexp(float64(int64(p*f)), -64) * 2 * math.Pi
			c, s := CosSin(p * f)
			if dc, ds := math.Abs(float64(c)-16384*math.Cos(a)), math.Abs(float64(s)-16384*math.Sin(a)); dc > 0.5001 || ds > 0.5001 {
				t.Fatalf("pair %d at position %d: (%d, %d) is off by (%.4f, %.4f)", i, p, c, s, dc, ds)
			}
		}
	}
}

// TestRotate: the rotation is off by at most 2.4 steps of full scale 32767, and the range is that of the result.
func TestRotate(t *testing.T) {
	const d = 64
	rng := newRand(4)
	phi := phases(10000, d)
	r := NewRoPE(phi, 3000)
	if r.Dim() != d || r.Positions() != 3000 {
		t.Fatalf("Dim %d, Positions %d", r.Dim(), r.Positions())
	}
	worst := 0.0
	for range 400 {
		row := normRow(rng, d, math.Exp2(55*rng.Float64()))
		in := append([]int64(nil), row...)
		lo, hi := MinMax(row)
		pos := rng.IntN(3000)
		k, lo2, hi2 := r.Rotate(row, lo, hi, 30, pos)
		if a, b := MinMax(row); a != lo2 || b != hi2 {
			t.Fatalf("range (%d, %d), want (%d, %d)", lo2, hi2, a, b)
		}
		unit := math.Exp2(float64(30 - k)) // one step of the result in steps of the input
		for i, f := range phi {
			a := math.Ldexp(float64(int64(uint64(pos)*f)), -64) * 2 * math.Pi
			x, y := float64(in[i]), float64(in[i+d/2])
			worst = max(worst, math.Abs(float64(row[i])*unit-x*math.Cos(a)+y*math.Sin(a))/unit,
				math.Abs(float64(row[i+d/2])*unit-x*math.Sin(a)-y*math.Cos(a))/unit)
		}
	}
	if worst > 2.4 {
		t.Errorf("largest error %.3f steps, want at most 2.4", worst)
	}
	zero := make([]int64, d)
	if k, lo, hi := r.Rotate(zero, 0, 0, 30, 7); k != 30 || lo != 0 || hi != 0 {
		t.Errorf("zero row: k %d, range (%d, %d)", k, lo, hi)
	}
	wantPanic(t, "position", errRoPEPos, func() { r.Rotate(zero, 0, 0, 30, 3000) })
	wantPanic(t, "negative position", errRoPEPos, func() { r.Rotate(zero, 0, 0, 30, -1) })
	wantPanic(t, "dimension", errRoPEDim, func() { r.Rotate(zero[:62], 0, 0, 30, 0) })
}

// TestRotateRelative: the product of two rotated heads depends on the distance of their positions alone.
func TestRotateRelative(t *testing.T) {
	const d = 32
	rng := newRand(5)
	r := NewRoPE(phases(10000, d), 500)
	q, k := normRow(rng, d, 1e9), normRow(rng, d, 1e9)
	at := func(row []int64, pos int) []int64 {
		v := append([]int64(nil), row...)
		lo, hi := MinMax(v)
		r.Rotate(v, lo, hi, 0, pos)
		return v
	}
	dot := func(a, b []int64) (s float64) {
		for i := range a {
			s += float64(a[i]) * float64(b[i])
		}
		return s
	}
	want := dot(at(q, 40), at(k, 10))
	scale := math.Sqrt(dot(at(q, 0), at(q, 0)) * dot(at(k, 0), at(k, 0)))
	for shift := 1; shift < 460; shift += 23 {
		if got := dot(at(q, 40+shift), at(k, 10+shift)); math.Abs(got-want) > 2e-4*scale {
			t.Errorf("shifted by %d: %g, want %g (scale %g)", shift, got, want, scale)
		}
	}
}
