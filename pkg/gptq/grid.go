package gptq

import (
	"math"

	"github.com/illm-go/illm/pkg/simd/ordered"
)

// One is a range ratio of 1 in Q15.
const One = 1 << 15

// row rounds x in place to its own asymmetric grid of bits bits over ρ·[min(0, min x), max(0, max x)], ρ = ratio/2^15:
//
//	s = (hi − lo)/(2^n − 1), z = round(−lo/s), x̂ = (sat(z + round(x/s), 0, 2^n − 1) − z)·s
//
// in float64, halves away from zero; the values are rounded to float32. A row of zeros stays as it is. For ρ = 1 this
// is fakequant.Row, bit for bit.
func row(x []float32, bits int, ratio int32) {
	lo, hi := ordered.Extremes(x)
	share := float64(ratio) / One
	low := float64(float64(min(lo, 0)) * share)
	r := float64(float64(max(hi, 0))*share) - low
	if r == 0 {
		return
	}
	levels := float64(int(1)<<bits - 1)
	ordered.Grid(x, levels, r, ordered.Away(float64(-low*levels)/r), r/levels)
}

// symmetric rounds x in place to ±(2^(bits−1) − 1) steps of max|x|/(2^(bits−1) − 1).
func symmetric(x []float32, bits int) {
	var top float32
	for _, v := range x {
		if v < 0 {
			v = -v
		}
		if v > top {
			top = v
		}
	}
	if top == 0 {
		return
	}
	n := float64(int(1)<<(bits-1) - 1)
	step := float64(top) / n
	for i, v := range x {
		x[i] = float32(float64(ordered.Away(float64(float64(v)*n)/float64(top)) * step))
	}
}

// finite reports the first value of x that is NaN or infinite; −1: none.
func finite(x []float32) int {
	for i, v := range x {
		if v-v != 0 {
			return i
		}
	}
	return -1
}

// weightGrid is the grid of one row of weights: step and zero point of min' = lo·min(0, min w), max' = hi·max(0, max w).
// A zero row has step 0.
func weightGrid(w []float32, lo, hi float64, bits int) (scale, zero float64) {
	var a, b float32
	for _, v := range w {
		if v < a {
			a = v
		}
		if v > b {
			b = v
		}
	}
	low, high := float64(float64(a)*lo), float64(float64(b)*hi)
	scale = (high - low) / float64(int(1)<<bits-1)
	if scale == 0 {
		return 0, 0
	}
	return scale, math.Round(-low / scale)
}
