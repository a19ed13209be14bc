// Package half converts between float32 and the two 16-bit float formats that
// model files use: IEEE 754 binary16 (F16) and bfloat16 (BF16, the upper half of
// a float32).
//
//	F16:  s eeeee mmmmmmmmmm      value (−1)^s · 2^(e−15) · 1.m, subnormals 2^−14 · 0.m
//	BF16: s eeeeeeee mmmmmmm      value (−1)^s · 2^(e−127) · 1.m
//
// Widening is exact. Narrowing rounds to nearest, ties to even, overflows to
// infinity, and keeps a NaN a NaN (quiet). All of it is integer work on the bit
// patterns, so results are equal on every platform.
package half

import "math"

// F16 returns the value of the binary16 pattern h. Exact.
func F16(h uint16) float32 {
	sign := uint32(h>>15) << 31
	exp := uint32(h>>10) & 0x1f
	man := uint32(h) & 0x3ff
	switch exp {
	case 0: // zero or subnormal: man · 2^−24, a product of two exact float32 values
		v := float32(man) * 0x1p-24
		return math.Float32frombits(math.Float32bits(v) | sign)
	case 0x1f: // infinity, NaN
		return math.Float32frombits(sign | 0x7f800000 | man<<13)
	}
	return math.Float32frombits(sign | (exp+112)<<23 | man<<13)
}

// ToF16 returns the binary16 pattern nearest to v, ties to even; |v| ≥ 65520 gives infinity.
func ToF16(v float32) uint16 {
	b := math.Float32bits(v)
	sign := uint16(b>>16) & 0x8000
	b &= 0x7fffffff
	switch {
	case b > 0x7f800000: // NaN: keep the upper payload, force quiet
		return sign | 0x7e00 | uint16(b>>13)&0x3ff
	case b >= 0x477ff000: // 65520 and above round to infinity
		return sign | 0x7c00
	case b >= 0x38800000: // normal: rebias 127 → 15, round the lower 13 bits
		b -= 112 << 23
		return sign | uint16((b+0xfff+b>>13&1)>>13)
	case b < 0x33000000: // below 2^−25: zero (2^−25 itself ties to the even zero, handled below)
		return sign
	}
	// Subnormal: man·2^(e−150) in units of 2^−24 is man >> (126−e), 14 ≤ shift ≤ 24.
	shift := 126 - b>>23
	man := b&0x7fffff | 0x800000
	half := uint32(1) << (shift - 1)
	return sign | uint16((man+half-1+man>>shift&1)>>shift)
}

// BF16 returns the value of the bfloat16 pattern h. Exact.
func BF16(h uint16) float32 { return math.Float32frombits(uint32(h) << 16) }

// ToBF16 returns the bfloat16 pattern nearest to v, ties to even.
func ToBF16(v float32) uint16 {
	b := math.Float32bits(v)
	if b&0x7fffffff > 0x7f800000 {
		return uint16(b>>16) | 0x40
	}
	return uint16((b + 0x7fff + b>>16&1) >> 16)
}

// DecodeF16 sets dst[i] to the value of the little-endian pattern at src[2i:].
// Panics if src is shorter than 2·len(dst).
func DecodeF16(dst []float32, src []byte) {
	src = src[:2*len(dst)]
	for i := range dst {
		dst[i] = F16(uint16(src[2*i]) | uint16(src[2*i+1])<<8)
	}
}

// DecodeBF16 is DecodeF16 for bfloat16 patterns.
func DecodeBF16(dst []float32, src []byte) {
	src = src[:2*len(dst)]
	for i := range dst {
		dst[i] = BF16(uint16(src[2*i]) | uint16(src[2*i+1])<<8)
	}
}

// DecodeF32 sets dst[i] to the little-endian float32 at src[4i:].
// Panics if src is shorter than 4·len(dst).
func DecodeF32(dst []float32, src []byte) {
	src = src[:4*len(dst)]
	for i := range dst {
		dst[i] = math.Float32frombits(uint32(src[4*i]) | uint32(src[4*i+1])<<8 | uint32(src[4*i+2])<<16 | uint32(src[4*i+3])<<24)
	}
}
