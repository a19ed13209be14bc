// Package gemm multiplies rows of unsigned bytes by packed signed bytes and
// adds up in int32: the product under every 5- to 8-bit linear layer and under
// Q·K and P×V with an 8-bit cache.
//
//	acc[i][j] = Σ_k x[i][k]·w[j][k]      i < m rows, j < n channels, k < depth
//
// # Layout
//
// w is stored in panels of 64 channels; a panel is a run of 256-byte blocks,
// each holding 4 consecutive depth steps of the 64 channels:
//
//	block b of a panel:  | ch 0: k=4b 4b+1 4b+2 4b+3 | ch 1: … | … | ch 63: … |
//
// which is one 512-bit load per 16 channels and the operand order of the
// 4-byte dot product VPDPBUSD. Channels beyond n and depths beyond k are byte
// 0, so that nothing has to be masked: x may hold anything in its padding.
//
// # Range
//
// acc is exact while k·255·128 < 2^31, that is k ≤ 65 792, and wraps modulo
// 2^32 beyond, in every path alike.
//
// # Paths
//
//	set           tile     dot product                                  GOPS, 512 rows   GOPS, 1 row
//	generic       1×64     int32                                                     3             4
//	AVX2          4×16     VPMADDWD of bytes widened to words                       84            60
//	AVXVNNI       6×16     VPDPBUSD, VEX form, 32 bytes                            349           147
//	AVX512VNNI    6×64     VPDPBUSD, EVEX form, 64 bytes                           637           267
//	NEONDotProd   4×16     SDOT of x − 128; one row: UDOT of w + 128         not measured
//	NEONI8MM      4×16     SUDOT                                             not measured
//
// All are equal bit for bit. VPMADDUBSW would saturate (255·127·2 > 32 767), so the AVX2 path widens first. The speeds are
// those of BenchmarkPaths with 1536 channels and depth 576 in cache, one thread of a Xeon whose peaks are 737 GOPS with 64
// bytes and 349 to 378 with 32.
//
// Go's assembler knows neither the VEX form of VPDPBUSD nor arm64's dot products: the generator writes their encodings. The
// VEX tiles ran on a processor with AVX-VNNI; where there is none, a test runs their twins in the EVEX form and compares the
// two, instruction by instruction. The arm64 tiles ran under qemu-aarch64 alone, so nothing is known of their speed.
package gemm

// Channels is the number of output channels in one panel.
const Channels = 64

// blockBytes is the size of 4 depth steps of one panel.
const blockBytes = 4 * Channels

// Pad returns n rounded up to whole panels.
func Pad(n int) int { return (n + Channels - 1) &^ (Channels - 1) }

// Stride returns the bytes of one panel of depth k: the least ldp.
func Stride(k int) int { return (k + 3) / 4 * blockBytes }

// PanelBytes returns the packed size of a [n][k] matrix.
func PanelBytes(n, k int) int { return Pad(n) / Channels * Stride(k) }

// Pack stores w, row-major [n][k], into panel with ldp = Stride(k) and writes
// the padding as 0. It panics if a slice is too short.
func Pack(panel []byte, w []int8, n, k int) {
	if n < 0 || k < 0 {
		panic(badShape)
	}
	size := PanelBytes(n, k)
	if len(w) < n*k || len(panel) < size {
		panic(badPack)
	}
	clear(panel[:size])
	ldp := Stride(k)
	for j := range n {
		col := panel[j/Channels*ldp+j%Channels*4:]
		for i, v := range w[j*k : j*k+k] {
			col[i/4*blockBytes+i%4] = byte(v)
		}
	}
}

// MatMul sets acc[i*ldacc+j] = Σ_k x[i*ldx+k]·w[j][k] for i < m and all j up to
// n rounded up to 64: the padded channels are written too (as 0, if their
// weights are).
//
// Shapes: acc [m][ldacc], ldacc ≥ Pad(n); x [m][ldx], each row readable up to
// k rounded up to 4; panel: n rounded up to 64 channels, ldp ≥ Stride(k) bytes
// from one panel of 64 to the next (more where a panel has room for further
// depth, as in the V cache). Depths in [k, ⌈k/4⌉·4) must be 0 in panel.
// Concurrency: no state, no allocation; callers split rows or panels.
// It panics if a slice is too short for its shape.
func MatMul(acc []int32, ldacc int, x []uint8, ldx int, panel []byte, ldp int, m, n, k int) {
	if m < 0 || n < 0 || k < 0 {
		panic(badShape)
	}
	if m == 0 || n == 0 {
		return
	}
	depth := (k + 3) &^ 3
	panels := Pad(n) / Channels
	if ldacc < panels*Channels || len(acc) < (m-1)*ldacc+panels*Channels {
		panic(badAcc)
	}
	if ldx < depth && m > 1 || len(x) < (m-1)*ldx+depth {
		panic(badX)
	}
	if ldp < depth*Channels && panels > 1 || len(panel) < (panels-1)*ldp+depth*Channels {
		panic(badPanel)
	}
	matMul(acc, ldacc, x, ldx, panel, ldp, m, panels, depth/4)
}

// PeakWork runs rounds of the dot-product instruction on registers alone and
// returns how many operations that was, a multiplication and an addition being
// two: timed, it is the peak that MatMul is measured against. It returns 0 on a
// path without such an instruction.
func PeakWork(rounds int) int64 {
	if rounds <= 0 {
		return 0
	}
	return peakWork(rounds)
}

// PeakRead loads every byte of p and returns how many it loaded, whole KiB: timed over memory larger than the caches, it
// is the bandwidth that a product of few rows is measured against.
func PeakRead(p []byte) int64 {
	blocks := len(p) / 1024
	if blocks > 0 {
		peakRead(p, blocks)
	}
	return int64(blocks) * 1024
}

// peakReadGeneric loads a word of each line.
func peakReadGeneric(p []byte, blocks int) (sum uint32) {
	for i := 0; i < blocks*1024; i += 64 {
		sum |= uint32(p[i])
	}
	return sum
}
