package ordered

import (
	"math"
	"math/rand/v2"
	"testing"
)

// The library of the machine errs by less than one unit in the last place, 2.2·10⁻¹⁶: good enough an oracle for
// bounds above that.
func TestExp(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	worst := 0.0
	for range 200000 {
		x := rng.Float64()*1400 - 700
		if rng.IntN(2) == 0 {
			x = rng.NormFloat64()
		}
		want := math.Exp(x)
		worst = max(worst, math.Abs(Exp(x)-want)/want)
	}
	if worst > 5e-16 {
		t.Errorf("relative error %v", worst)
	}
	for x, want := range map[float64]float64{0: 1, 710: math.Inf(1), -800: 0, math.Inf(1): math.Inf(1), math.Inf(-1): 0} {
		if got := Exp(x); got != want {
			t.Errorf("Exp(%v) = %v, want %v", x, got, want)
		}
	}
	if got := Exp(-744); !(got > 0 && got < 1e-320) {
		t.Errorf("Exp(-744) = %v, want a subnormal", got)
	}
	if !math.IsNaN(Exp(math.NaN())) {
		t.Error("Exp(NaN) is a number")
	}
	if Sigmoid(0) != 0.5 || Sigmoid(800) != 1 || Sigmoid(-800) != 0 {
		t.Error("sigmoid at 0, 800, −800")
	}
}

func TestExpRow(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 2))
	x, y := make([]float32, 1), make([]float32, 1)
	worst := 0.0
	for range 300000 {
		x[0] = float32(rng.Float64()*174 - 87)
		ExpRow(y, x, 0.5)
		want := math.Exp(max(float64(x[0]-0.5), -87))
		worst = max(worst, math.Abs(float64(y[0])-want)/want)
	}
	if worst > 3e-7 {
		t.Errorf("relative error %v", worst)
	}
	row := []float32{-200, 3, float32(math.NaN())}
	ExpRow(row, row, 3)
	if !(row[0] > 0 && row[0] < 1e-37) || row[1] != 1 || row[2] == row[2] {
		t.Errorf("edges: %v", row)
	}
}

func TestLn(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 3))
	for i := range 200000 {
		x := math.Exp(rng.Float64()*1400 - 700)
		if i%2 == 0 {
			x = 1 + rng.NormFloat64()*1e-3
		}
		want := math.Log(x)
		if d := math.Abs(Ln(x) - want); d > 4e-16*math.Abs(want)+1e-18 && d > 2e-16 {
			t.Fatalf("Ln(%v) = %v, want %v", x, Ln(x), want)
		}
	}
	for x, want := range map[float64]float64{1: 0, 0: math.Inf(-1), math.Inf(1): math.Inf(1), 0x1p-1074: -1074 * math.Ln2} {
		if got := Ln(x); got != want {
			t.Errorf("Ln(%v) = %v, want %v", x, got, want)
		}
	}
	if !math.IsNaN(Ln(-1)) {
		t.Error("Ln(-1) is a number")
	}
}

func TestPow(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 4))
	for range 100000 {
		x, a := math.Exp(20*rng.NormFloat64()), 2*rng.Float64()-1
		want := math.Pow(x, a)
		if d := math.Abs(Pow(x, a)-want) / want; d > 5e-16*(1+math.Abs(a*math.Log(x))) {
			t.Fatalf("Pow(%v, %v) errs by %v", x, a, d)
		}
	}
	if Pow(0, 0.5) != 0 || Pow(0, 0) != 1 || Pow(7, 0) != 1 || !math.IsInf(Pow(0, -1), 1) {
		t.Error("edges")
	}
}

func TestSinCos(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 5))
	for i := range 200000 {
		x := (2*rng.Float64() - 1) * 4
		if i%2 == 0 {
			x *= maxAngle / 4
		}
		s, c := SinCos(x)
		if a, b := math.Abs(s-math.Sin(x)), math.Abs(c-math.Cos(x)); a > 3e-16 || b > 3e-16 {
			t.Fatalf("SinCos(%v) errs by %v, %v", x, a, b)
		}
	}
	if s, c := SinCos(0); s != 0 || c != 1 {
		t.Errorf("SinCos(0) = %v, %v", s, c)
	}
	if s, _ := SinCos(2 * maxAngle); s == s {
		t.Error("an angle out of range has a sine")
	}
}
