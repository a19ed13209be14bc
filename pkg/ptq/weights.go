package ptq

import (
	"fmt"
	"math"
	"strings"

	"github.com/illm-go/illm/pkg/simd/gemm"
	"github.com/illm-go/illm/pkg/simd/gemm4"
	"github.com/illm-go/illm/pkg/smooth"
)

// matrix is a quantised weight matrix before it is written.
type matrix struct {
	out, in, bits int
	codes         []uint8 // [out][in], 0 … 2^bits − 1
	zero          []uint8
	scale         []float64 // s_j, extra factors included
	m             []int32
	kw            int32
	sumW          []int32 // Σ(code − 128), 8 bits only
	bias          []int32 // nil: none
	kb            int32
}

// Rounder chooses the codes of one matrix, after smoothing and clipping. The grids are fixed by then, as rounding to
// nearest would have them: scale and zero are [out], a code c of row j stands for scale_j·(c − zero_j), 0 ≤ c < 2^bits; w is [out, in] and must not be
// changed. codes is [out, in], or nil to round this matrix to nearest. name is that of the tensor without ".weight". The
// linears of the blocks are asked for, the tables of the vocabulary are rounded to nearest. Calls come from several
// goroutines at a time and in no order.
type Rounder interface {
	Round(name string, w []float32, out, in, bits int, scale, zero []float64) (codes []uint8, err error)
}

// quantizeRows quantises w [out, in] row by row. extra multiplies every scale (1/√d for the query projection) and leaves
// the codes alone. clip narrows the grids, by rounder the codes are chosen; nil rounds to nearest.
func quantizeRows(name string, w []float32, out, in, bits int, extra float64, clip smooth.Range, rounder Rounder) (*matrix, error) {
	if len(w) != out*in {
		return nil, fmt.Errorf("%s: expected %d weights for shape [%d, %d], found %d", name, out*in, out, in, len(w))
	}
	q := &matrix{out: out, in: in, bits: bits, codes: make([]uint8, out*in), zero: make([]uint8, out), scale: make([]float64, out)}
	zero := make([]float64, out)
	for j := range out {
		var err error
		if q.scale[j], zero[j], err = rowGrid(w[j*in:(j+1)*in], bits, ratio(clip.Lo, j), ratio(clip.Hi, j)); err != nil {
			return nil, fmt.Errorf("%s: channel %d: %w", name, j, err)
		}
		q.zero[j] = uint8(zero[j])
	}
	levels := 1<<bits - 1
	var codes []uint8
	if rounder != nil {
		var err error
		if codes, err = rounder.Round(strings.TrimSuffix(name, ".weight"), w, out, in, bits, q.scale, zero); err != nil {
			return nil, fmt.Errorf("%s: rounding: %w", name, err)
		}
		if codes != nil && len(codes) != out*in {
			return nil, fmt.Errorf("%s: rounding: expected %d codes, found %d", name, out*in, len(codes))
		}
	}
	if codes != nil {
		q.codes = codes
	}
	if bits == 8 {
		q.sumW = make([]int32, out)
	}
	for j := range out {
		row := q.codes[j*in : (j+1)*in]
		switch {
		case q.scale[j] == 0:
			clear(row)
		case codes == nil:
			quantizeRow(row, w[j*in:(j+1)*in], q.scale[j], zero[j], float64(levels))
		}
		sum := int32(0)
		for i, c := range row {
			if int(c) > levels {
				return nil, fmt.Errorf("%s: rounding: channel %d, code %d is %d: expected at most %d", name, j, i, c, levels)
			}
			sum += int32(c)
		}
		if bits == 8 {
			q.sumW[j] = sum - 128*int32(in)
		}
		q.scale[j] *= extra
	}
	q.m, q.kw = commonScale(q.scale)
	return q, nil
}

// ratio is entry j of a side of a clipping range; nil is 1.
func ratio(v []float32, j int) float64 {
	if v == nil {
		return 1
	}
	return float64(v[j])
}

// rowGrid returns step and zero point of one channel over clipLo·min(0, min w) … clipHi·max(0, max w); a zero channel has
// step 0.
func rowGrid(row []float32, bits int, clipLo, clipHi float64) (s, z float64, err error) {
	var lo, hi float32
	for i, v := range row {
		if v != v || math.IsInf(float64(v), 0) {
			return 0, 0, fmt.Errorf("weight %d is %v: expected a finite number", i, v)
		}
		lo, hi = min(lo, v), max(hi, v)
	}
	levels := float64(int(1)<<bits - 1)
	from, to := float64(float64(lo)*clipLo), float64(float64(hi)*clipHi) // exact: 24 bits times 11
	s = (to - from) / levels
	if s == 0 {
		return 0, 0, nil
	}
	return s, math.Round(-from / s), nil
}

func quantizeRow(dst []uint8, row []float32, s, z, levels float64) {
	for i, v := range row {
		c := math.Round(float64(v)/s) + z
		c = min(max(c, 0), levels)
		dst[i] = uint8(c)
	}
}

// commonScale returns M_j = round(s_j·2^k) with the largest k for which every
// M_j stays below 2^24 after rounding. All zero: k = 0.
func commonScale(s []float64) (m []int32, k int32) {
	var top float64
	for _, v := range s {
		top = max(top, v)
	}
	m = make([]int32, len(s))
	if top == 0 {
		return m, 0
	}
	_, e := math.Frexp(top) // top = f·2^e, f in [½, 1): top·2^(24−e) < 2^24
	k = int32(24 - e)
	if math.Round(math.Ldexp(top, int(k))) >= 1<<24 {
		k--
	}
	for j, v := range s {
		m[j] = int32(math.Round(math.Ldexp(v, int(k))))
	}
	return m, k
}

// panel packs the codes in the layout that the kernels read: w' = code − 128 at
// 8 bits, w = code − z at 5 to 7, the code itself in a nibble below.
func (q *matrix) panel() []byte {
	if q.bits <= 4 {
		p := make([]byte, gemm4.PanelBytes(q.out, q.in))
		gemm4.Pack(p, q.codes, q.out, q.in)
		return p
	}
	w := make([]int8, len(q.codes))
	for j := range q.out {
		z := int(q.zero[j])
		if q.bits == 8 {
			z = 128
		}
		for i := j * q.in; i < (j+1)*q.in; i++ {
			w[i] = int8(int(q.codes[i]) - z)
		}
	}
	p := make([]byte, gemm.PanelBytes(q.out, q.in))
	gemm.Pack(p, w, q.out, q.in)
	return p
}

// quantizeRow16 quantises one embedding row symmetrically: code = round(x·2^k/m),
// |code| ≤ 32767, with m/2^k the row's dyadic step, m of 16 bits. A zero row has m = 2^15, k = 15.
func quantizeRow16(dst []int16, row []float32) (m uint16, k int8, err error) {
	var top float64
	for i, v := range row {
		if v != v || math.IsInf(float64(v), 0) {
			return 0, 0, fmt.Errorf("value %d is %v: expected a finite number", i, v)
		}
		top = max(top, math.Abs(float64(v)))
	}
	if top == 0 {
		clear(dst)
		return 1 << 15, 15, nil
	}
	step := top / 32767
	_, e := math.Frexp(step) // step·2^(16−e) in [2^15, 2^16)
	shift := 16 - e
	mant := math.Round(math.Ldexp(step, shift))
	if mant == 1<<16 {
		mant, shift = 1<<15, shift-1
	}
	if shift > math.MaxInt8 || shift < math.MinInt8 {
		return 0, 0, fmt.Errorf("largest value %g: its scale 2^%d does not fit 8 bits", top, -shift)
	}
	step = math.Ldexp(mant, -shift)
	for i, v := range row {
		dst[i] = int16(min(max(math.Round(float64(v)/step), -32767), 32767))
	}
	return uint16(mant), int8(shift), nil
}
