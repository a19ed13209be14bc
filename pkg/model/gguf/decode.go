package gguf

import (
	"encoding/binary"

	"github.com/illm-go/illm/pkg/half"
)

// decoders are called with len(dst) a multiple of the block and src exactly the blocks.
var decoders = map[Type]func(dst []float32, src []byte){
	F32:  half.DecodeF32,
	F16:  half.DecodeF16,
	BF16: half.DecodeBF16,
	Q8_0: decodeQ8_0,
	Q4_0: decodeQ4_0,
	Q4_1: decodeQ4_1,
	Q5_0: decodeQ5_0,
	Q5_1: decodeQ5_1,
	Q4_K: decodeQ4K,
	Q5_K: decodeQ5K,
	Q6_K: decodeQ6K,
}

// f16At reads the half at b[0:2].
func f16At(b []byte) float32 { return half.F16(binary.LittleEndian.Uint16(b)) }

func decodeQ8_0(dst []float32, src []byte) {
	for ; len(dst) >= 32; dst, src = dst[32:], src[34:] {
		d := f16At(src)
		x, q := dst[:32], src[2:34]
		for i := range x {
			x[i] = d * float32(int8(q[i]))
		}
	}
}

// A 4-bit block has only 16 values: a table of them costs half as much as
// computing each of the 32 elements, and rounds the same.

func decodeQ4_0(dst []float32, src []byte) {
	var value [16]float32
	for ; len(dst) >= 32; dst, src = dst[32:], src[18:] {
		d := f16At(src)
		for q := range value {
			value[q] = d * float32(q-8)
		}
		nibbles(dst[:32], src[2:18], &value)
	}
}

func decodeQ4_1(dst []float32, src []byte) {
	var value [16]float32
	for ; len(dst) >= 32; dst, src = dst[32:], src[20:] {
		d, m := f16At(src), f16At(src[2:])
		for q := range value {
			value[q] = float32(d*float32(q)) + m
		}
		nibbles(dst[:32], src[4:20], &value)
	}
}

func nibbles(dst []float32, q []byte, value *[16]float32) {
	lo, hi := dst[:16], dst[16:32]
	q = q[:16]
	for i := range lo {
		lo[i] = value[q[i]&15]
		hi[i] = value[q[i]>>4]
	}
}

func decodeQ5_0(dst []float32, src []byte) {
	var value [32]float32
	for ; len(dst) >= 32; dst, src = dst[32:], src[22:] {
		d := f16At(src)
		for q := range value {
			value[q] = d * float32(q-16)
		}
		fives(dst[:32], src[2:6], src[6:22], &value)
	}
}

func decodeQ5_1(dst []float32, src []byte) {
	var value [32]float32
	for ; len(dst) >= 32; dst, src = dst[32:], src[24:] {
		d, m := f16At(src), f16At(src[2:])
		for q := range value {
			value[q] = float32(d*float32(q)) + m
		}
		fives(dst[:32], src[4:8], src[8:24], &value)
	}
}

// fives joins the low four bits with the fifth: bit i of high belongs to element i.
func fives(dst []float32, high, q []byte, value *[32]float32) {
	h := binary.LittleEndian.Uint32(high)
	lo, hi := dst[:16], dst[16:32]
	q = q[:16]
	for i := range lo {
		lo[i] = value[uint32(q[i]&15)|h>>i&1<<4]
		hi[i] = value[uint32(q[i]>>4)|h>>(i+16)&1<<4]
	}
}
