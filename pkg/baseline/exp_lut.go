package baseline

import (
	"math"

	"github.com/illm-go/illm/pkg/di"
	"github.com/illm-go/illm/pkg/quant"
	"github.com/illm-go/illm/pkg/simd/vec"
)

// endOf is where a table over [0, c] ends, in thousandths: c, or without a clip 32 octaves, beyond which numerators in
// Q30 are 0.
func endOf(clip quant.Clip) int64 {
	if clip <= 0 {
		return 22180 // 32·ln 2
	}
	return int64(clip)
}

// q30 rounds to Q30. Tables are made of it once, in float64; what runs afterwards is integer. A value within 2^−22 of a
// tie could round differently on a machine whose exp differs in the last place; no entry here is that near to one.
func q30(v float64) int32 { return int32(math.Round(math.Ldexp(v, 30))) }

// buildDirect is the table of 256 entries round(2^30·e^(−i·c/255)), i = round(255·x/c); 0 beyond c.
//
// Error: half a step of c/255, 3 % at c = 15. Source: the int8 softmax tables of inference on small devices.
func buildDirect(clip quant.Clip) evaluator {
	end := endOf(clip)
	step := 255 << 16 * 1000 / end // ⌊255·2^16/c⌋: x in 16 fraction bits times step is i in 32
	table := new([256]int32)
	for i := range table {
		table[i] = q30(math.Exp(-float64(i) * float64(end) / 255000))
	}
	return evaluator{
		at: func(d int64, m uint32, k int32) int64 {
			return vec.DirectQ30(vec.Natural(d*int64(m), k), step, table)
		},
		row: func(e, d []int32, m uint32, k int32) { vec.ExpDirect(e, d, int64(m), k, step, table) },
	}
}

// buildFraction is the table of 2^bits + 1 entries round(2^30·2^(−i/2^bits)) over the fraction of an octave, log2 e as
// 94548/2^16: the nearest entry, or with lerp the line between two.
//
// Error: 2^−(bits+1.5) relative, with lerp 2^−(2·bits+4), and from 94548 3·10⁻⁶·x; 0.3 % at x = 15 from the 15 fraction
// bits of an octave and those of Q30.
//
// With two bits, lerp and short (15 bits) this is Softermax's unit: base 2, the exponent's integer part a shift, its
// fraction four lines, unnormalised results in Q(1,15). Source: Stevens, Venkatesan, Dai, Khailany and Raghunathan,
// "Softermax: Hardware/Software Co-Design of an Efficient Softmax for Transformers", DAC 2021. Departure: log2 e is
// folded into the scale, where the paper trains the model for base 2; the input keeps the row's codes instead of Q(6,2);
// the maximum is the row's, as everywhere here, instead of a running one.
func buildFraction(bits int, lerp, short bool) func(quant.Clip) evaluator {
	entries := make([]int32, 1<<bits+1)
	for i := range entries {
		entries[i] = q30(math.Exp2(-float64(i) / float64(int(1)<<bits)))
	}
	f := vec.NewFractions(entries, lerp, short)
	return func(quant.Clip) evaluator {
		return evaluator{
			at: func(d int64, m uint32, k int32) int64 {
				return f.Q30(vec.Octaves(d*di.Log2E(m, true), k))
			},
			row: func(e, d []int32, m uint32, k int32) { vec.ExpFraction(e, d, di.Log2E(m, true), k, f) },
		}
	}
}
