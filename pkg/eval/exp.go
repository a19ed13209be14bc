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
	expInv  = expSteps / math.Ln2 // steps in one e-fold
	expStep = math.Ln2 / expSteps // e-folds in one step
	// expMagic rounds a float64 of magnitude below 2^51 to the nearest integer,
	// which then stands in the low bits of the significand.
	expMagic = 0x1.8p52
	// expFloor is below the smallest argument that matters: 65,536 terms of e^-76
	// add less than 2^-93 to a sum that is at least 1, and e^-76 divided by such a
	// sum is still a normal float32 (denormal ones are slow).
	expFloor = -76.0
)

// expNeg returns e^x for −76 ≤ x ≤ 0. It is small enough to be inlined; callers
// see to the range.
//
// x = (128·e + i)·ln2/128 + r with |r| ≤ ln2/256, so e^x = 2^e · 2^(i/128) · e^r,
// and e^r by its series to r^4/24, whose rest is below 2^-49.5. The product of a
// step count (up to 14,035) and ln2/128 is rounded, which moves r by up to 2^-47.
// Error: below 2^-46 of the result (TestExp).
func expNeg(x float64) float64 {
	m := x*expInv + expMagic
	n := math.Float64bits(m) // the step count, two's complement, in the low 51 bits
	r := x - (m-expMagic)*expStep
	return math.Float64frombits(exp2Bits[n%expSteps]+n>>7<<52) * (1 + r*(1+r*(0.5+r*(1.0/6+r*(1.0/24)))))
}
