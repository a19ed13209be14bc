package di

import (
	"github.com/illm-go/illm/pkg/intmath"
	"github.com/illm-go/illm/pkg/quant"
	"github.com/illm-go/illm/pkg/simd/vec"
)

// ReLU sets dst[:len(t)] to the codes of max(T, 0): the negative half is cut off before the requantisation, so that the
// range is [0, hi], the zero point 0, and every code serves a value that is left.
//
// A rotated row is brought to 31 bits first, rounded, so that its sums stay below 2^60: an error of 2^−31 of the maximum.
//
// In: T int64 [n] in steps of m/2^k, m < 2^16, |T| < 2^60, with its range lo, hi as Accumulate returns it. T is changed.
// Out: as Requant, Zero = 0. Error: half a step of hi/(2^bits − 1).
//
// Source: OPT (arXiv 2205.01068) for the place of ReLU. I-LLM does not treat it; cutting after the requantisation would
// leave half of the codes unused.
func (w *worker) ReLU(dst []uint8, t []int64, lo, hi int64, m uint32, k int32, p Product, bits int) quant.RowParams {
	if lo < 0 {
		vec.ReLU(t)
	}
	if s := intmath.ILog2(uint64(hi)) - (ReLUBits - 1); p.Rotate != nil && s > 0 {
		for j, v := range t {
			t[j] = intmath.RoundShift(v, s)
		}
		k -= int32(s)
	}
	return p.Requant(dst, t, 0, hi, m, k, bits, w.mantissa)
}
