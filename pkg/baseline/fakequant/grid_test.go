package fakequant

import (
	"fmt"
	"math"
	"math/big"
	"testing"
)

// exactRow is the definition in doc.go on rationals: codes and step of one row.
func exactRow(x []float32, bits int) []*big.Rat {
	lo, hi := new(big.Rat), new(big.Rat)
	v := make([]*big.Rat, len(x))
	for i, f := range x {
		v[i] = new(big.Rat).SetFloat64(float64(f))
		if v[i].Cmp(lo) < 0 {
			lo = v[i]
		}
		if v[i].Cmp(hi) > 0 {
			hi = v[i]
		}
	}
	levels := int64(1)<<bits - 1
	s := new(big.Rat).Sub(hi, lo)
	if s.Sign() == 0 {
		return v
	}
	s.Quo(s, big.NewRat(levels, 1))
	z := nearest(new(big.Rat).Quo(new(big.Rat).Neg(lo), s))
	for i := range v {
		c := min(max(z+nearest(new(big.Rat).Quo(v[i], s)), 0), levels)
		v[i] = new(big.Rat).Mul(big.NewRat(c-z, 1), s)
	}
	return v
}

// nearest rounds to an integer, halves away from zero.
func nearest(r *big.Rat) int64 {
	a := new(big.Rat).Abs(r)
	a.Add(a, big.NewRat(1, 2))
	n := new(big.Int).Quo(a.Num(), a.Denom()).Int64()
	if r.Sign() < 0 {
		return -n
	}
	return n
}

func TestRow(t *testing.T) {
	rows := [][]float32{
		{3000, -5000, 0, 12000, -1},
		{0, 0, 0},
		{7, 7, 7},
		{-7, -7},
		{1},
		{-1e-30, 1e-30, 5e-31},
		{-3e30, 1e30, 2.5e30, 1e-30},
		{0.5, 1, 1.5, 2, 255},           // a step of 1: halves
		{-0.5, -1.5, -2.5, -127, 128},   // and negative ones
		{-127.5, 127.5, 0.25, 1, -0.75}, // z itself is a half
		{100, 101, 102, 103},            // a range that 0 widens
	}
	long := make([]float32, 300)
	for i := range long {
		long[i] = float32(math.Sin(float64(i*i))) * float32(i)
	}
	rows = append(rows, long)
	for _, row := range rows {
		for bits := 2; bits <= 16; bits++ {
			got, want := append([]float32(nil), row...), exactRow(row, bits)
			Row(got, bits)
			span := 0.0
			for _, w := range want {
				f, _ := w.Float64()
				span = max(span, math.Abs(f))
			}
			for i := range got {
				w, _ := want[i].Float64()
				if d := math.Abs(float64(got[i]) - w); !(d <= 1e-6*span) {
					t.Errorf("%d bits of %v: value %d: %v, want %v", bits, short(row), i, got[i], w)
				}
			}
		}
	}
}

func short(x []float32) string { return fmt.Sprint(x[:min(len(x), 6)]) }

// The known answer of requant in the algorithm reference (section 12), times its scale.
func TestRowKnownAnswer(t *testing.T) {
	x := []float32{3000, -5000, 0, 12000, -1}
	Row(x, 8)
	for i, code := range []float64{120, 0, 75, 255, 75} {
		if want := (code - 75) * 17000 / 255; math.Abs(float64(x[i])-want) > 1e-2 {
			t.Errorf("value %d: %v, want %v", i, x[i], want)
		}
	}
}

func TestSymmetric(t *testing.T) {
	x := []float32{-32767, 32767, 0.5, -0.5, 0.4, 1000.2, 0}
	Symmetric(x, 16)
	for i, want := range []float32{-32767, 32767, 1, -1, 0, 1000, 0} {
		if x[i] != want {
			t.Errorf("value %d: %v, want %v", i, x[i], want)
		}
	}
}

// The known answer of the clip (section 12): S in steps of 2^-20, c = 15, 8 bits.
func TestDistances(t *testing.T) {
	x := []float32{0, -0.25, -2, -64}
	step := Distances(x, 8, 15)
	if math.Abs(float64(step)-15.0/255) > 1e-8 {
		t.Errorf("step %v, want 15/255", step)
	}
	for i, d := range []float64{0, 4, 34, 255} {
		if math.Abs(float64(x[i])+d*15/255) > 1e-6 {
			t.Errorf("value %d: %v, want −%v·15/255", i, x[i], d)
		}
	}
	y := []float32{3, 13, 3 + 10.0/255}
	if Distances(y, 8, 0); y[0] != -10 || y[1] != 0 || math.Abs(float64(y[2])+254*10.0/255) > 1e-6 {
		t.Errorf("without clip: %v", y)
	}
	z := []float32{5, 5, 5}
	if step := Distances(z, 8, 15); step != 0 || z[0] != 0 || z[2] != 0 {
		t.Errorf("equal scores: step %v, %v", step, z)
	}
}

// The known answers of DI-Exp, DI-Exp+ and of the sigmoid built from them (section 12): scale 15/255 and 6/127.
func TestShapes(t *testing.T) {
	for i, d := range []float32{0, 1, 10, 100, 255} {
		x := -d * 15 / 255
		for _, c := range []struct {
			name string
			got  float32
			want float64
		}{
			{"DI-Exp", Exp(x), []float64{1073741824, 1028358144, 619773952, 3238400, 368}[i]},
			{"DI-Exp+", ExpPlus(x), []float64{1073741824, 1013874688, 594444288, 2994432, 327}[i]},
		} {
			// The integers round octaves to 2^-15, the parabola and the result down.
			if g := float64(c.got) * (1 << 30); math.Abs(g-c.want) > 2e-4*c.want+2 {
				t.Errorf("%s(%v): %v·2^-30, want %v", c.name, x, g, c.want)
			}
		}
	}
	for i, code := range []float64{-127, -50, -1, 0, 1, 50, 127} {
		want := []float64{88, 2986, 16101, 16384, 16667, 29782, 32680}[i]
		x := float32(code * 6 / 127)
		got := float64(sigmoid(Exp, x)) * (1 << 15)
		if math.Abs(got-want) > 1.5 {
			t.Errorf("σ(%v): %v·2^-15, want %v", x, got, want)
		}
	}
}
