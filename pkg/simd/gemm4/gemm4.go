// Package gemm4 multiplies rows of unsigned bytes by packed unsigned nibbles
// and adds up in int32: the product under linear layers and caches of 2 to 4
// bits.
//
//	acc[i][j] = Σ_k x[i][k]·code[j][k]   i < m rows, j < n channels, k < depth
//
// The codes are raw, 0 … 15; a zero point enters through Σ_k x[i][k] (package
// di), which keeps the inner loop free of subtractions.
//
// # Layout
//
// As in package gemm, panels of 64 channels, but a 256-byte block holds 8 depth
// steps: the low nibbles are depth steps 8b … 8b+3, the high ones 8b+4 … 8b+7.
//
//	block b, byte 4·ch + r:   low nibble k = 8b+r,   high nibble k = 8b+4+r
//
// So one mask and one shift turn a load into two operands of the byte kernel.
// Padding is nibble 0; x may hold anything in its padding.
//
// # Range
//
// acc is exact while k·255·15 < 2^31, that is k ≤ 561 421, and wraps modulo
// 2^32 beyond, in every path alike.
//
// # Paths
//
//	set           tile     dot product                                       GOPS, 512 rows   GOPS, 1 row
//	generic       1×64     int32                                                          3             1
//	AVX2          4×16     VPMADDUBSW, which cannot saturate: 2·255·15                  180            97
//	AVXVNNI       6×16     VPDPBUSD, VEX form, 32 bytes                                 439           244
//	AVX512VNNI    6×64     VPDPBUSD, EVEX form, 64 bytes                                901           329
//	NEONDotProd   4×16     UDOT                                                  not measured
//
// All are equal bit for bit; what package gemm says of encodings and of machines holds here. The speeds are those of
// BenchmarkPaths with 1536 channels and depth 576 in cache, one thread of a Xeon at two clocks: in the run of the first two
// lines the others had 321, 207 and 511, 223, the latter without the bytes. With AVX-512 many rows go through a copy of the
// panel in bytes (unpackRows), so that masks and shifts are paid once a panel.
//
// One row against reading as many bytes of DRAM, one and two threads of the Xeon: 96–101 and 101–105 % (BenchmarkBandwidth).
package gemm4

// Channels is the number of output channels in one panel.
const Channels = 64

// blockBytes is the size of 8 depth steps of one panel.
const blockBytes = 4 * Channels

// Pad returns n rounded up to whole panels.
func Pad(n int) int { return (n + Channels - 1) &^ (Channels - 1) }

// Stride returns the bytes of one panel of depth k: the least ldp.
func Stride(k int) int { return (k + 7) / 8 * blockBytes }

// PanelBytes returns the packed size of a [n][k] matrix.
func PanelBytes(n, k int) int { return Pad(n) / Channels * Stride(k) }

// Pack stores codes, row-major [n][k] and each at most 15, into panel with
// ldp = Stride(k) and writes the padding as 0. It panics if a slice is too
// short or a code does not fit a nibble.
func Pack(panel []byte, codes []uint8, n, k int) {
	if n < 0 || k < 0 {
		panic(badShape)
	}
	size := PanelBytes(n, k)
	if len(codes) < n*k || len(panel) < size {
		panic(badPack)
	}
	clear(panel[:size])
	ldp := Stride(k)
	for j := range n {
		col := panel[j/Channels*ldp+j%Channels*4:]
		for i, v := range codes[j*k : j*k+k] {
			if v > 15 {
				panic(badCode)
			}
			col[i/8*blockBytes+i%4] |= v << (i & 4)
		}
	}
}

// MatMul sets acc[i*ldacc+j] = Σ_k x[i*ldx+k]·code[j][k] for i < m and all j up
// to n rounded up to 64: the padded channels are written too.
//
// Shapes: acc [m][ldacc], ldacc ≥ Pad(n); x [m][ldx], each row readable up to
// k rounded up to 8; panel: n rounded up to 64 channels, ldp ≥ Stride(k) bytes
// from one panel of 64 to the next. Depths in [k, ⌈k/8⌉·8) must be 0 in panel.
// Concurrency: no state, no allocation; callers split rows or panels.
// It panics if a slice is too short for its shape.
func MatMul(acc []int32, ldacc int, x []uint8, ldx int, panel []byte, ldp int, m, n, k int) {
	if m < 0 || n < 0 || k < 0 {
		panic(badShape)
	}
	if m == 0 || n == 0 {
		return
	}
	depth := (k + 7) &^ 7
	panels := Pad(n) / Channels
	if ldacc < panels*Channels || len(acc) < (m-1)*ldacc+panels*Channels {
		panic(badAcc)
	}
	if ldx < depth && m > 1 || len(x) < (m-1)*ldx+depth {
		panic(badX)
	}
	if ldp < depth*Channels/2 && panels > 1 || len(panel) < (panels-1)*ldp+depth*Channels/2 {
		panic(badPanel)
	}
	matMul(acc, ldacc, x, ldx, panel, ldp, m, panels, depth/8)
}
