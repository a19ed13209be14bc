package ordered

import "math"

// lnTerms is the number of terms of the series of ln behind the first: the next one is below 10⁻¹⁷.
const lnTerms = 11

// Ln returns the natural logarithm of x. It is −Inf for 0 and NaN below.
//
// Error: at most 4·10⁻¹⁶ relative, 2·10⁻¹⁶ absolute near 1; frozen by TestLn.
//
// Method: x = 2^e·m, √½ ≤ m < √2, ln m = 2·artanh s = 2(s + s³/3 + s⁵/5 + …), s = (m − 1)/(m + 1).
func Ln(x float64) float64 {
	switch {
	case x != x || x < 0:
		return math.NaN()
	case x == 0:
		return math.Inf(-1)
	case x > math.MaxFloat64:
		return x
	}
	e := 0.0
	if x < 0x1p-1022 {
		x *= 0x1p54
		e = -54
	}
	bits := math.Float64bits(x)
	e += float64(int(bits>>52) - 1023)
	m := math.Float64frombits(bits&(1<<52-1) | 1023<<52)
	if m > math.Sqrt2 {
		m /= 2
		e++
	}
	s := (m - 1) / (m + 1)
	q := float64(s * s)
	p := 0.0
	for k := lnTerms; k > 0; k-- {
		p = float64(q * (1/float64(2*k+1) + p))
	}
	s *= 2
	return float64(e*ln2Upper) + (s + (float64(s*p) + float64(e*ln2Lower)))
}

// Pow returns x^a = e^(a·ln x) for x ≥ 0; 0^a is 0 for a > 0, 1 for a = 0 and +Inf below.
//
// Error: 5·10⁻¹⁶·(1 + |a·ln x|) relative; frozen by TestPow.
func Pow(x, a float64) float64 {
	if a == 0 {
		return 1
	}
	return Exp(float64(a * Ln(x)))
}
