//go:build !purego

package gemm4

import "sync"

// With many rows it pays to write a panel's nibbles out as bytes once and to multiply those: the masks and shifts of the
// nibble tiles come back with every six rows, and take a fifth of the issue slots of a multiplier that does nothing else.

// unpackRows is the number of rows from which on that is done.
const unpackRows = 48

// unpackBlocks bounds the blocks that are written out at once, 128 KiB of bytes.
const unpackBlocks = 256

type unpacked [unpackBlocks * 2 * blockBytes]byte

var buffers = sync.Pool{New: func() any { return new(unpacked) }}

// tilesUnpacked is tilesVNNI by way of bytes.
func tilesUnpacked(acc *int32, ldacc int, x *uint8, ldx int, panel *byte, ni, nb, accumulate int) {
	if ni < unpackRows {
		tilesVNNI(acc, ldacc, x, ldx, panel, ni, nb, accumulate)
		return
	}
	buf := buffers.Get().(*unpacked)
	defer buffers.Put(buf)
	passes := (nb + unpackBlocks - 1) / unpackBlocks
	for b, p := 0, 0; p < passes; p++ {
		n := (nb - b) / (passes - p)
		unpackAVX512(&buf[0], skip(panel, b*blockBytes), n)
		tilesBytes(acc, ldacc, skip(x, 8*b), ldx, &buf[0], ni, 2*n, accumulate)
		accumulate = 1
		b += n
	}
}

// tilesBytes is tilesVNNI on bytes, for at least 12 rows.
func tilesBytes(acc *int32, ldacc int, x *uint8, ldx int, panel *byte, ni, nb, accumulate int) {
	full, rest, four := ni/6, ni%6, 0
	if rest == 1 || rest == 2 {
		full, four, rest = full-1, 1, rest+2
	}
	gemmU8S8_6x64c4_AVX512VNNI(acc, ldacc, x, ldx, panel, nb, full, accumulate)
	if rest == 0 {
		return // a pointer past the last row would point outside its slice
	}
	acc, x = skip(acc, 6*full*ldacc), skip(x, 6*full*ldx)
	if four > 0 {
		gemmU8S8_4x64c4_AVX512VNNI(acc, ldacc, x, ldx, panel, nb, 1, accumulate)
		acc, x = skip(acc, 4*ldacc), skip(x, 4*ldx)
	}
	switch rest {
	case 3:
		gemmU8S8_3x64c4_AVX512VNNI(acc, ldacc, x, ldx, panel, nb, 1, accumulate)
	case 4:
		gemmU8S8_4x64c4_AVX512VNNI(acc, ldacc, x, ldx, panel, nb, 1, accumulate)
	case 5:
		gemmU8S8_5x64c4_AVX512VNNI(acc, ldacc, x, ldx, panel, nb, 1, accumulate)
	}
}
