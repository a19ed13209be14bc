package gguf

// The "K" formats: super-blocks of 256 elements with 6-bit (Q4_K, Q5_K) or 8-bit
// (Q6_K) integer scales of sub-blocks under one or two halves.
//
//	Q4_K  d, dmin F16 · 12 bytes: eight 6-bit (scale, min) pairs · 128 nibble bytes
//	Q5_K  d, dmin F16 · 12 bytes · 32 bytes of fifth bits · 128 nibble bytes
//	Q6_K  128 bytes low nibbles · 64 bytes upper bit pairs · 16 × int8 scale · d F16
//
// x = (d·scale)·q − (dmin·min) for the first two, x = (d·scale)·(q − 32) for Q6_K;
// each product is rounded to float32.

// scaleMin unpacks pair j of the eight 6-bit (scale, min) pairs. Pairs 0–3 stand in
// the low six bits of bytes j and j+4; pairs 4–7 take nibbles from bytes 8–11 and
// their upper two bits from the top of bytes 0–7.
func scaleMin(s []byte, j int) (scale, min float32) {
	if j < 4 {
		return float32(s[j] & 63), float32(s[j+4] & 63)
	}
	return float32(s[j+4]&15 | s[j-4]>>6<<4), float32(s[j+4]>>4 | s[j]>>6<<4)
}

func decodeQ4K(dst []float32, src []byte) {
	for ; len(dst) >= 256; dst, src = dst[256:], src[144:] {
		d, dmin := f16At(src), f16At(src[2:])
		scales, q := src[4:16], src[16:144]
		for j := range 8 { // sub-blocks 2g, 2g+1: low and high nibbles of bytes 32g…32g+31
			s, m := scaleMin(scales, j)
			ds, dm := d*s, dmin*m
			shift := 4 * (j & 1)
			for i, b := range q[j/2*32 : j/2*32+32] {
				dst[32*j+i] = float32(ds*float32(b>>shift&15)) - dm
			}
		}
	}
}

func decodeQ5K(dst []float32, src []byte) {
	for ; len(dst) >= 256; dst, src = dst[256:], src[176:] {
		d, dmin := f16At(src), f16At(src[2:])
		scales, high, q := src[4:16], src[16:48], src[48:176]
		for j := range 8 { // bit j of high[i] is the fifth bit of element i of sub-block j
			s, m := scaleMin(scales, j)
			ds, dm := d*s, dmin*m
			shift := 4 * (j & 1)
			for i, b := range q[j/2*32 : j/2*32+32] {
				code := b>>shift&15 | high[i]>>j&1<<4
				dst[32*j+i] = float32(ds*float32(code)) - dm
			}
		}
	}
}

func decodeQ6K(dst []float32, src []byte) {
	for ; len(dst) >= 256; dst, src = dst[256:], src[210:] {
		low, high, scales, d := src[:128], src[128:192], src[192:208], f16At(src[208:])
		for i := range 256 {
			// Each half of 128 elements is four runs of 32: runs 0, 1 in the low
			// nibbles of 64 bytes, runs 2, 3 in the high ones; the upper bit pairs
			// of all four runs share one byte.
			h, run, l := i/128, i/32&3, i&31
			nib := low[64*h+32*(run&1)+l] >> (4 * (run >> 1)) & 15
			top := high[32*h+l] >> (2 * run) & 3
			ds := d * float32(int8(scales[i/16]))
			dst[i] = ds * float32(int(nib|top<<4)-32)
		}
	}
}
