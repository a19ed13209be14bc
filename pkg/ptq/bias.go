package ptq

import (
	"fmt"
	"math"
)

// biasBits is the width of B_j without its sign.
const biasBits = 23

// quantizeBias returns B_j = round(b_j·extra·2^k), half away from zero, with the largest k for which every |B_j| stays
// below 2^23 after rounding. extra is the factor of the weights' scales (1/√d for the query). All zero: k = 0.
func quantizeBias(name string, b []float32, out int, extra float64) (codes []int32, k int32, err error) {
	if len(b) != out {
		return nil, 0, fmt.Errorf("%s: expected %d values, found %d", name, out, len(b))
	}
	v := make([]float64, len(b))
	var top float64
	for j, x := range b {
		v[j] = float64(x) * extra
		if math.IsNaN(v[j]) || math.IsInf(v[j], 0) {
			return nil, 0, fmt.Errorf("%s: channel %d is %v: expected a finite number", name, j, x)
		}
		top = max(top, math.Abs(v[j]))
	}
	codes = make([]int32, len(b))
	if top == 0 {
		return codes, 0, nil
	}
	_, e := math.Frexp(top) // top·2^(23−e) < 2^23
	k = int32(biasBits - e)
	if math.Round(math.Ldexp(top, int(k))) >= 1<<biasBits {
		k--
	}
	for j, x := range v {
		codes[j] = int32(math.Round(math.Ldexp(x, int(k))))
	}
	return codes, k, nil
}
