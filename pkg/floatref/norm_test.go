package floatref

import (
	"math"
	"math/big"
	"testing"
)

// LayerNorm against rationals, with a mean far above the deviation; in place and not.
func TestLayerNorm(t *testing.T) {
	const n = 37
	gamma, beta := make([]float32, n), make([]float32, n)
	x := make([]float32, 4*n)
	for i := range n {
		gamma[i], beta[i] = 1+float32(i%5)/8, float32(i%7)/4-0.75
		x[i] = float32(math.Sin(float64(i * i)))
		x[n+i] = 1<<20 + float32(i%3)
		x[2*n+i] = -3.5 // no deviation: β alone
		x[3*n+i] = 1e18 * float32(math.Cos(float64(3*i)))
	}
	for _, inPlace := range []bool{false, true} {
		y := make([]float32, len(x))
		from := x
		if inPlace {
			copy(y, x)
			from = y
		}
		norm{gamma, beta}.apply(y, from, 1e-5, 4)
		for r := range 4 {
			row := x[r*n:][:n]
			mean := new(big.Rat)
			for _, v := range row {
				mean.Add(mean, new(big.Rat).SetFloat64(float64(v)))
			}
			mean.Quo(mean, big.NewRat(n, 1))
			variance := new(big.Rat)
			for _, v := range row {
				d := new(big.Rat).SetFloat64(float64(v))
				d.Sub(d, mean)
				variance.Add(variance, d.Mul(d, d))
			}
			sq, _ := variance.Quo(variance, big.NewRat(n, 1)).Float64()
			for i, v := range row {
				d, _ := new(big.Rat).Sub(new(big.Rat).SetFloat64(float64(v)), mean).Float64()
				want := d/math.Sqrt(sq+1e-5)*float64(gamma[i]) + float64(beta[i])
				if got := float64(y[r*n+i]); !(math.Abs(got-want) < 1e-6*(1+math.Abs(want))) {
					t.Errorf("in place %v, row %d, value %d: %v, want %v", inPlace, r, i, got, want)
				}
			}
		}
	}
}

func TestReLU(t *testing.T) {
	nan := float32(math.NaN())
	y := make([]float32, 5)
	relu(y, []float32{-1, 0, 2.5, float32(math.Inf(-1)), nan, 7})
	for i, want := range []float32{0, 0, 2.5, 0} {
		if y[i] != want {
			t.Errorf("value %d: %v, want %v", i, y[i], want)
		}
	}
	if y[4] == y[4] {
		t.Errorf("NaN became %v", y[4])
	}
}
