package fvec

import (
	"math"

	"github.com/illm-go/illm/pkg/half"
)

// Precision is what the results of elementary steps are rounded to.
type Precision bool

const (
	Single Precision = false // float32
	Half   Precision = true  // IEEE binary16
)

// String returns the name that records carry.
func (p Precision) String() string {
	if p == Half {
		return "float16"
	}
	return "float32"
}

// Round returns v in that precision.
func (p Precision) Round(v float32) float32 {
	if p == Half {
		return half.F16(half.ToF16(v))
	}
	return v
}

// same panics unless both rows have n elements.
func same(n int, rows ...[]float32) {
	for _, r := range rows {
		if len(r) != n {
			panic(badLength)
		}
	}
}

// Softmax sets dst[i] to e^(x[i] − max x)/Σ_j e^(x[j] − max x).
//
// Shapes: dst, x: [n], n ≥ 1. dst may be x. Error, relative to the value, with d = max x − x: 10^−6 + 2^−24·d (float32),
// 2.5·10^−3 + 2^−11·d (half, values above 6·10^−5).
func Softmax(dst, x []float32, p Precision) {
	same(len(x), dst)
	if len(x) == 0 {
		panic(badEmpty)
	}
	sum := p.Round(expSum(dst, x, maximum(x), p))
	scale(dst, dst, 1/sum, p)
}

// SoftmaxQ30 sets dst[i] to round(2^30·softmax(x)[i]) for a row whose maximum is top; x is spent.
//
// Error: as Softmax, and half a unit (in float32 values above 2^−6 have fewer than 30 bits of their own).
func SoftmaxQ30(dst []int32, x []float32, top float32, p Precision) {
	if len(dst) != len(x) {
		panic(badLength)
	}
	if len(x) == 0 {
		panic(badEmpty)
	}
	sum := p.Round(expSum(x, x, top, p))
	scaleQ30(dst, x, 1/sum, p)
}

// RMSNorm sets dst to x/√(Σx²/n + eps)·gamma.
//
// Shapes: dst, x, gamma: [n], n ≥ 1. dst may be x. Error: 10^−6 of the row's rms (float32), 4·10^−3 (half). It returns
// the factor 1/√…: 0 says that the mean square overflowed, in half above 65504, and that dst is worthless.
func RMSNorm(dst, x, gamma []float32, eps float32, p Precision) (factor float32) {
	n := len(x)
	same(n, dst, gamma)
	if n == 0 {
		panic(badEmpty)
	}
	v := p.Round(sumSquares(x, 0, p) / float32(n))
	factor = inverseRoot(v, eps, p)
	normalise(dst, x, gamma, nil, 0, factor, p)
	return factor
}

// LayerNorm sets dst to (x − mean)/√(variance + eps)·gamma + beta; a nil beta is 0.
//
// Shapes, error and result: as RMSNorm; the mean costs 2^−24 of the largest |x| on top (half 2^−11).
func LayerNorm(dst, x, gamma, beta []float32, eps float32, p Precision) (factor float32) {
	n := len(x)
	same(n, dst, gamma)
	if n == 0 {
		panic(badEmpty)
	}
	if beta != nil {
		same(n, beta)
	}
	mean := p.Round(sum(x) / float32(n))
	v := p.Round(sumSquares(x, mean, p) / float32(n))
	if factor = inverseRoot(v, eps, p); !(factor > 0) { // the mean itself may be infinite
		factor = 0
	}
	normalise(dst, x, gamma, beta, mean, factor, p)
	return factor
}

// inverseRoot is 1/√(v + eps) in three steps.
func inverseRoot(v, eps float32, p Precision) float32 {
	root := p.Round(float32(math.Sqrt(float64(p.Round(v + p.Round(eps))))))
	return p.Round(1 / root)
}

// SwiGLU sets dst to gate·up/(1 + e^(−alpha·gate)); a nil alpha is 1.
//
// Shapes: dst, gate, up, alpha: [n]. dst may be gate or up. Error: 10^−6 relative (float32); half: 2·10^−3 of a result
// above 10^−3, plus 2^−11·|gate| from the rounding of alpha·gate. Beyond |alpha·gate| = 86 σ is taken there.
func SwiGLU(dst, gate, up, alpha []float32, p Precision) {
	same(len(gate), dst, up)
	if alpha != nil {
		same(len(gate), alpha)
	}
	swiGLU(dst, gate, up, alpha, p)
}

// Extremes returns min(0, min x) and max(0, max x).
func Extremes(x []float32) (lo, hi float32) { return extremes(x) }

// Codes sets dst[i] to z + round(x[i]·c), cut to 0 … top, and returns the sum of the codes. Halves go to the even
// neighbour. |x·c| < 2^30, len(dst)·top < 2^31.
func Codes(dst []uint8, x []float32, c float32, z, top int32) (sum int32) {
	if len(dst) != len(x) {
		panic(badLength)
	}
	return codes(dst, x, c, z, top)
}

// FromInt64 sets dst[i] to x[i]·c, x rounded to float32 first.
func FromInt64(dst []float32, x []int64, c float32, p Precision) {
	if len(dst) != len(x) {
		panic(badLength)
	}
	fromInt64(dst, x, c, p)
}

// FromInt32 sets dst[i] to x[i]·c, x rounded to float32 first.
func FromInt32(dst []float32, x []int32, c float32, p Precision) {
	if len(dst) != len(x) {
		panic(badLength)
	}
	fromInt32(dst, x, c, p)
}

// FromCodes sets dst[i] to (x[i] − z)·c.
func FromCodes(dst []float32, x []uint8, z int32, c float32, p Precision) {
	if len(dst) != len(x) {
		panic(badLength)
	}
	fromCodes(dst, x, z, c, p)
}

// FromCodes16 is FromCodes for codes of more than 8 bits; on every machine in Go.
func FromCodes16(dst []float32, x []uint16, z int32, c float32, p Precision) {
	if len(dst) != len(x) {
		panic(badLength)
	}
	for i, v := range x {
		dst[i] = p.Round(float32(int32(v)-z) * c)
	}
}
