package baseline

import (
	"math"

	"gonum.org/v1/gonum/stat"

	"github.com/illm-go/illm/pkg/intmath"
	"github.com/illm-go/illm/pkg/quant"
	"github.com/illm-go/illm/pkg/simd/vec"
)

// buildTaylor is the Taylor polynomial of the order after range reduction by ln 2 (vec.TaylorQ30).
//
// Error: 9.4, 1.7, 0.24, 0.03 % on x ≤ 5 for orders 2 … 5. Source: gemmlowp's exp_on_negative_values has order 4 on a
// quarter of a unit and a product of constants for the rest; the same family.
func buildTaylor(order int) func(quant.Clip) evaluator {
	return func(quant.Clip) evaluator {
		return evaluator{
			at: func(d int64, m uint32, k int32) int64 {
				return vec.TaylorQ30(vec.Natural(d*int64(m), k), order)
			},
			row: func(e, d []int32, m uint32, k int32) { vec.ExpTaylor(e, d, int64(m), k, order) },
		}
	}
}

// buildRawTaylor is the polynomial without range reduction, Horner as in vec.TaylorQ30 with p = x. It leaves [0, 1] from
// x ≈ 1.6 on and reaches −464 at x = 15; a row of numerators is clamped to what it can hold.
//
// Range: x < 2^21 in 16 fraction bits, |acc| < 2^42: products below 2^63.
func buildRawTaylor(order int64) func(quant.Clip) evaluator {
	return func(quant.Clip) evaluator {
		return evaluator{at: func(d int64, m uint32, k int32) int64 {
			x, acc := vec.Natural(d*int64(m), k), int64(1)<<30
			for i := order; i >= 1; i-- {
				acc = 1<<30 - intmath.DivRound(intmath.Asr(x*acc, 16), i) // x/2^16·acc = (p·acc)/2^30
			}
			return acc
		}}
	}
}

// buildBERT is I-BERT's i-exp (vec.BERTQ30). Error: 0.33 % on x ≤ 5, 0.002 absolute.
//
// Source: Kim et al., "I-BERT: Integer-only BERT Quantization", 2021; the constants are those of its code. Departure:
// its period ⌊ln 2/s⌋ in steps of a static scale is exact here, in 16 fraction bits.
func buildBERT(quant.Clip) evaluator {
	return evaluator{
		at: func(d int64, m uint32, k int32) int64 {
			return vec.BERTQ30(vec.Natural(d*int64(m), k))
		},
		row: func(e, d []int32, m uint32, k int32) { vec.ExpBERT(e, d, int64(m), k) },
	}
}

// buildLines is a piecewise linear exponential of 16 segments over [0, c]: breakpoints equally spaced in e^(−x/2), each
// line a least-squares fit to points equally spaced in its segment, beyond c the last line, not below 0.
//
// Error: 0.0025 absolute, but 16 times the value at x = 15, where the last line is. Source: NN-LUT (Yu et al., 2022),
// whose lines are a trained one-layer ReLU network; fitted directly here.
func buildLines(clip quant.Clip) evaluator {
	const points = 4096 // a segment
	c := float64(endOf(clip)) / 1000
	start := func(i int) float64 { return -2 * math.Log(1-float64(i)/16*(1-math.Exp(-c/2))) }
	l := new(vec.Lines)
	x, y := make([]float64, points), make([]float64, points)
	for i := range l.Slope {
		a, b := start(i), start(i+1)
		for j := range x {
			x[j] = a + (b-a)*(float64(j)+0.5)/points
			y[j] = math.Exp(-x[j])
		}
		intercept, slope := stat.LinearRegression(x, y, nil, false)
		l.Start[i] = int32(math.Round(math.Ldexp(a, 16)))
		l.Slope[i] = int32(math.Round(math.Ldexp(slope, 24)))
		l.Intercept[i] = max(0, q30(intercept))
	}
	return evaluator{
		at: func(d int64, m uint32, k int32) int64 {
			return l.Q30(vec.Natural(d*int64(m), k))
		},
		row: func(e, d []int32, m uint32, k int32) { vec.ExpLines(e, d, int64(m), k, l) },
	}
}
