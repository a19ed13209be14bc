package ordered

import "math"

// π/2 in three parts: the upper two have 33 mantissa bits, so that their products with a number below 2^20 are exact
// in float64. (The parts are those of fdlibm's rem_pio2.)
const (
	pio2Upper  = 0x1.921fb544p+0
	pio2Middle = 0x1.0b4611a6p-34
	pio2Lower  = 0x1.3198a2e037073p-69
)

// maxAngle bounds the argument of SinCos.
const maxAngle = 1 << 20

// SinCos returns sin x and cos x for |x| ≤ 2^20; beyond it both are NaN.
//
// Error: at most 3·10⁻¹⁶ absolute; frozen by TestSinCos.
//
// Method: x = n·π/2 + r, |r| ≤ π/4, Taylor polynomials, every product rounded.
func SinCos(x float64) (sin, cos float64) {
	if !(x <= maxAngle && x >= -maxAngle) {
		return math.NaN(), math.NaN()
	}
	n := float64(x*(2/math.Pi)) + roundMagic - roundMagic
	r := x - float64(n*pio2Upper) - float64(n*pio2Middle) - float64(n*pio2Lower)
	q := float64(r * r)
	s, c := 1.0, 1.0
	for k := 18; k > 1; k -= 2 {
		s = 1 - float64(q*s)/float64(k*(k+1))
		c = 1 - float64(q*c)/float64(k*(k-1))
	}
	s = float64(r * s)
	switch int(n) & 3 {
	case 0:
		return s, c
	case 1:
		return c, -s
	case 2:
		return -s, -c
	}
	return -c, s
}
