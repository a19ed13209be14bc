package floatref

import "math"

// expTable holds 2^(i/32) for i = 0…31, rounded to float32.
var expTable = func() (t [32]float32) {
	for i := range t {
		t[i] = float32(math.Exp2(float64(i) / 32))
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

// exp32 returns e^x.
//
// Error: at most 2·10⁻⁷ relative on [−87, 88]; frozen by TestExp32.
// Range: x < −87 gives 0 (the result would be subnormal soon after), x > 88 gives e^88, NaN gives NaN.
//
// Method: x = n·ln2/32 + r, e^x = 2^(n/32)·e^r with a cubic for e^r (|r| ≤ 0.011).
// math.Exp works in float64 and takes several times as long.
func exp32(x float32) float32 {
	if x < -87 {
		return 0
	}
	if x > 88 {
		x = 88
	}
	t := float32(x*expSteps) + expRound
	n := int32(math.Float32bits(t)) - int32(math.Float32bits(expRound))
	t -= expRound
	r := x - float32(t*expUpper)
	r -= float32(t * expLower)
	p := r * (1 + r*(0.5+r*(1.0/6)))
	b := expTable[n&31]
	e := b + b*p
	if !(e > 0) {
		return e // NaN: no exponent to add to
	}
	return math.Float32frombits(uint32(int32(math.Float32bits(e)) + n>>5<<23))
}

// softmaxRow replaces the scores x by e^(x − max x) and returns the sum of the results.
// The caller divides by the sum after P×V, which is cheaper than dividing the row.
func softmaxRow(x []float32) float32 {
	if len(x) == 0 {
		return 0
	}
	m := x[0]
	for _, v := range x[1:] {
		m = max(m, v)
	}
	var s0, s1 float32
	i := 0
	for ; i+2 <= len(x); i += 2 {
		a, b := exp32(x[i]-m), exp32(x[i+1]-m)
		x[i], x[i+1] = a, b
		s0 += a
		s1 += b
	}
	for ; i < len(x); i++ {
		x[i] = exp32(x[i] - m)
		s0 += x[i]
	}
	return s0 + s1
}

// silu returns x·σ(x) = x/(1 + e^−x).
func silu(x float32) float32 { return x / (1 + exp32(-x)) }
