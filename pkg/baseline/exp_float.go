package baseline

import (
	"math"

	"github.com/illm-go/illm/pkg/half"
	"github.com/illm-go/illm/pkg/quant"
)

// The references of ablation B in floating point take the same integer distance and give the same Q30 numerators; the
// softmax around them stays integer. Speed of float exponentials is measured elsewhere, on whole float operators.

// distance is x = d·m/2^k.
func distance(d int64, m uint32, k int32) float64 {
	return math.Ldexp(float64(d*int64(m)), -int(max(k, -1000)))
}

func buildFloat64(quant.Clip) evaluator {
	return evaluator{at: func(d int64, m uint32, k int32) int64 {
		return int64(math.Round(math.Ldexp(math.Exp(-distance(d, m, k)), 30)))
	}}
}

func buildFloat32(quant.Clip) evaluator {
	return evaluator{at: func(d int64, m uint32, k int32) int64 {
		x := float32(distance(d, m, k))
		e := float32(math.Exp(-float64(x)))
		return int64(math.Round(math.Ldexp(float64(e), 30)))
	}}
}

// buildHalf rounds the distance and the result to half precision, whose smallest number is 2^−24.
func buildHalf(quant.Clip) evaluator {
	return evaluator{at: func(d int64, m uint32, k int32) int64 {
		x := half.F16(half.ToF16(float32(distance(d, m, k))))
		e := half.F16(half.ToF16(float32(math.Exp(-float64(x)))))
		return int64(math.Ldexp(float64(e), 30))
	}}
}
