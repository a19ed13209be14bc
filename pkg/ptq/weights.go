package ptq

import (
	"fmt"
	"math"

	"github.com/illm-go/illm/pkg/simd/gemm"
	"github.com/illm-go/illm/pkg/simd/gemm4"
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

// quantizeRows quantises w [out, in] row by row. extra multiplies every scale
// (1/√d for the query projection) and leaves the codes alone.
func quantizeRows(name string, w []float32, out, in, bits int, extra float64) (*matrix, error) {
	if len(w) != out*in {
		return nil, fmt.Errorf("%s: expected %d weights for shape [%d, %d], found %d", name, out*in, out, in, len(w))
	}
	q := &matrix{out: out, in: in, bits: bits, codes: make([]uint8, out*in), zero: make([]uint8, out), scale: make([]float64, out)}
	if bits == 8 {
		q.sumW = make([]int32, out)
	}
	for j := range out {
		row := w[j*in : (j+1)*in]
		s, z, err := rowGrid(row, bits)
		if err != nil {
			return nil, fmt.Errorf("%s: channel %d: %w", name, j, err)
		}
		q.scale[j], q.zero[j] = s*extra, uint8(z)
		var sum int32
		if s > 0 {
			sum = quantizeRow(q.codes[j*in:(j+1)*in], row, s, z, float64(int(1)<<bits-1))
		}
		if bits == 8 {
			q.sumW[j] = sum - 128*int32(in)
		}
	}
	q.m, q.kw = commonScale(q.scale)
	return q, nil
}

// rowGrid returns step and zero point of one channel; a zero channel has step 0.
func rowGrid(row []float32, bits int) (s, z float64, err error) {
	var lo, hi float32
	for i, v := range row {
		if v != v || math.IsInf(float64(v), 0) {
			return 0, 0, fmt.Errorf("weight %d is %v: expected a finite number", i, v)
		}
		lo, hi = min(lo, v), max(hi, v)
	}
	levels := float64(int(1)<<bits - 1)
	s = (float64(hi) - float64(lo)) / levels
	if s == 0 {
		return 0, 0, nil
	}
	return s, math.Round(-float64(lo) / s), nil
}

func quantizeRow(dst []uint8, row []float32, s, z, levels float64) (sum int32) {
	for i, v := range row {
		c := math.Round(float64(v)/s) + z
		c = min(max(c, 0), levels)
		dst[i] = uint8(c)
		sum += int32(dst[i])
	}
	return sum
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
