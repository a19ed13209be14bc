package ordered

import "math"

// ln 2 in two parts: the upper one has 32 mantissa bits, so that its product with an exponent is exact in float64.
const (
	ln2Upper = 0x1.62e42feep-1
	ln2Lower = math.Ln2 - ln2Upper
)

// roundMagic added and subtracted rounds a float64 below 2^51 to an integer, ties to even.
const roundMagic = 3 << 51

// expTerms is the degree of the Taylor polynomial of e^r, |r| ≤ ln2/2: the next term is below 2·10⁻¹⁷.
const expTerms = 13

// Exp returns e^x. It is 0 below −745 and +Inf above 709.8; NaN gives NaN.
//
// Error: at most 5·10⁻¹⁶ relative for results in the normal range; frozen by TestExp.
//
// Method: x = n·ln2 + r, e^x = 2^n·e^r by Horner's rule, every product rounded.
func Exp(x float64) float64 {
	switch {
	case x != x:
		return x
	case x > 709.782712893384:
		return math.Inf(1)
	case x < -745.2:
		return 0
	}
	n := float64(x*(1/math.Ln2)) + roundMagic - roundMagic
	r := x - float64(n*ln2Upper) - float64(n*ln2Lower)
	p := 1.0
	for k := expTerms; k > 0; k-- {
		p = 1 + float64(r*p)/float64(k)
	}
	// In two steps, so that neither 2^1024 nor a subnormal factor is needed.
	h := int(n) / 2
	return p * power2(h) * power2(int(n)-h)
}

// power2 is 2^n, −1022 ≤ n ≤ 1023.
func power2(n int) float64 { return math.Float64frombits(uint64(n+1023) << 52) }

// Sigmoid returns 1/(1 + e^−x).
func Sigmoid(x float64) float64 { return 1 / (1 + Exp(-x)) }

// exp32 holds the bits of 2^(i/32), i = 0…31, as float32.
var exp32 = func() (t [32]uint32) {
	for i := range t {
		t[i] = math.Float32bits(float32(Exp(float64(float64(i) * (math.Ln2 / 32)))))
	}
	return t
}()

const (
	expSteps = 32 / math.Ln2
	// ln2/32 in two parts: the upper one has 12 mantissa bits, so that its product
	// with a step count below 2^12 is exact in float32.
	expUpper = 0x1.62e00p-6
	expLower = math.Ln2/32 - 0x1.62e00p-6
	// Adding and subtracting 1.5·2^23 rounds a float32 below 2^22 to an integer.
	expRound = 3 << 22
)

// ExpRow sets dst[i] to e^(x[i] − shift) in float32.
//
// Error: at most 3·10⁻⁷ relative on [−87, 88]; frozen by TestExpRow. Arguments outside are taken as the nearest end.
// NaN gives NaN. Aliasing: dst may be x. It panics if the lengths differ.
//
// Method: y = n·ln2/32 + r, e^y = 2^(n/32)·e^r with a cubic for e^r (|r| ≤ 0.011), every product rounded.
func ExpRow(dst, x []float32, shift float32) {
	if len(dst) != len(x) {
		panic(badLength)
	}
	if len(x) > 0 {
		expRow(dst, x, shift)
	}
}

// expRowGeneric is the definition of ExpRow.
func expRowGeneric(dst, x []float32, shift float32) {
	for i, y := range x {
		y -= shift
		if y < -87 {
			y = -87
		}
		if y > 88 {
			y = 88
		}
		t := float32(y*expSteps) + expRound
		n := int32(math.Float32bits(t) - math.Float32bits(expRound))
		t -= expRound
		r := y - float32(t*expUpper) - float32(t*expLower)
		p := 0.5 + float32(r*(1.0/6))
		p = 1 + float32(r*p)
		p = float32(r * p)
		b := math.Float32frombits(exp32[n&31] + uint32(n>>5)<<23)
		dst[i] = b + float32(b*p)
	}
}
