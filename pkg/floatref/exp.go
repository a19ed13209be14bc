package floatref

import "math"

// expTable holds the bits of 2^(i/32), i = 0…31, as float32.
var expTable = func() (t [32]uint32) {
	for i := range t {
		t[i] = math.Float32bits(float32(math.Exp2(float64(i) / 32)))
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

// expRow replaces x by e^(x − shift) and returns the sum of the results.
//
// Error: at most 2·10⁻⁷ relative on [−87, 88]; frozen by TestExpRow. Arguments outside are taken as the nearest
// end: beside the maximum's 1 the 10⁻³⁸ below −87 is not noticed, and 1 + e^88 is as good as infinite in the
// sigmoid. NaN gives NaN.
//
// Method: y = n·ln2/32 + r, e^y = 2^(n/32)·e^r with a cubic for e^r (|r| ≤ 0.011). math.Exp, in float64,
// takes several times as long.
func expRow(x []float32, shift float32) (sum float32) {
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
		p := r * (1 + r*(0.5+r*(1.0/6)))
		b := math.Float32frombits(expTable[n&31] + uint32(n>>5)<<23)
		e := b + b*p
		x[i] = e
		sum += e
	}
	return sum
}

// softmaxRow replaces the scores x, at least one, by e^(x − max x) and returns the sum of the results.
// The caller divides by the sum after P×V, which is cheaper than dividing the row.
func softmaxRow(x []float32) float32 {
	m := x[0]
	for _, v := range x[1:] {
		if v > m { // the builtin max also orders zeros and NaN, at several times the cost
			m = v
		}
	}
	return expRow(x, m)
}

// swiGLURow sets y to g·σ(α·g)·u = g/(1 + e^−αg)·u; alpha nil is 1.
func swiGLURow(y, g, u, alpha []float32) {
	for i, v := range g {
		y[i] = -v
	}
	for i, a := range alpha {
		y[i] *= a
	}
	expRow(y, 0)
	for i, v := range g {
		y[i] = v / (1 + y[i]) * u[i]
	}
}

// relu sets y to max(x, 0), elementwise over the length of y. NaN stays NaN.
func relu(y, x []float32) {
	for i, v := range x[:len(y)] {
		if v < 0 {
			v = 0
		}
		y[i] = v
	}
}
