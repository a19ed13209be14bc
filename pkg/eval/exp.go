package eval

import "math"

// expSteps is the number of table entries an octave.
const expSteps = 128

// exp2Bits holds the bits of 2^(i/128), math.Exp2 being within one unit in the
// last place.
var exp2Bits = func() (t [expSteps]uint64) {
	for i := range t {
		t[i] = math.Float64bits(math.Exp2(float64(i) / expSteps))
	}
	return t
}()

const (
	expInv = expSteps / math.Ln2 // steps in one e-fold
	// ln2/128 in two parts: the first has 25 significant bits, so that its product
	// with a step count below 2^14 is exact.
	expHi = 0x1.62e42fep-8
	expLo = 0x1.f473de6af278fp-37
	// expMagic rounds a float64 of magnitude below 2^51 to the nearest integer,
	// which then stands in the low bits of the significand.
	expMagic = 0x1.8p52
	// expFloor is below the smallest argument that matters: 65,536 terms of e^-76
	// add less than 2^-93 to a sum that is at least 1, and e^-76 divided by such a
	// sum is still a normal float32 (denormal ones are slow).
	expFloor = -76.0
)

// expNeg returns e^x for −76 ≤ x ≤ 0, and 0 below (the sums here are at least 1).
//
// x = (128·e + i)·ln2/128 + r with |r| ≤ ln2/256, so e^x = 2^e · 2^(i/128) · e^r,
// and e^r by its series to r^4/24: the rest is below 2^-49.5, relative.
// Error: below 2^-49 of the result (TestExp).
// x must not be NaN: callers look for that themselves.
func expNeg(x float64) float64 {
	if x < expFloor {
		return 0
	}
	m := x*expInv + expMagic
	k := m - expMagic
	r := (x - k*expHi) - k*expLo
	p := r + r*r*(0.5+r*(1.0/6+r*(1.0/24)))
	n := math.Float64bits(m) // the step count, two's complement, in the low 51 bits
	t := math.Float64frombits(exp2Bits[n%expSteps] + n>>7<<52)
	return t + t*p
}
