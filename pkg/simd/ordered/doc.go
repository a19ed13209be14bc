// Package ordered multiplies and sums floats in one fixed order, so that calibration gives the same bytes on every
// processor and with every number of threads: what sgemm gives up for speed.
//
// # The order
//
// A float32 sum over k terms x_0 … x_{k−1} has 16 partial sums:
//
//	p_i = Σ x_t,  t ≡ i mod 16, t ascending, from +0; absent terms of the last 16 are +0
//	p_i += p_{i+8} (i < 8),  p_i += p_{i+4} (i < 4),  p_i += p_{i+2} (i < 2),  p_0 += p_1
//
// and in a dot product each x_t = a_t·w_t is rounded to float32 before it is added: there is no fused multiply-add.
// That is one AVX-512 register, two of AVX2, or 16 variables of Go, where an explicit conversion float32(a*w) forbids
// the compiler of arm64, ppc64le, riscv64 and s390x to fuse.
//
// A float64 sum (Rank: Hessians, Cholesky factors, GPTQ updates) has one accumulator for each result, terms in
// ascending order of the step, each product rounded before it is added. Products of two float32 are exact in float64.
//
// Work may be split over results, never inside a sum: any tiling over rows and outputs gives the same bits.
//
// # Functions
//
// Only + − × ÷ √ are rounded correctly everywhere. Exp, Ln, Pow, SinCos and ExpRow are built on those, each step with
// its own rounding, and take nothing from package math but bit patterns and √.
//
// # Cost
//
// On a core with separate multipliers and adders (AMD Zen 4, where this was measured) a product and a sum issue
// together as fast as a fused step. MatMul against sgemm.MatMul, both AVX-512, in GFLOP/s of one core:
//
//	m, n, k          MatMul   sgemm
//	512, 576, 576      100      113
//	512, 1536, 576      92      109
//	512, 576, 1536      99      111
//	512, 512, 64        66      112
//	512, 64, 2048      102      114
//
// Where multiplier and adder are one unit the bound is half of the fused rate. Depths below about 100 pay for the
// reduction of 16 lanes, which a kernel with outputs in the lanes does not have.
//
// # Map
//
//	ordered.go   Dot, Sum, MatMul    rank.go   Rank, the float64 kernel
//	exp.go, ln.go, sincos.go         functions
//	*_generic.go the definitions     *_amd64.go, .s the paths (generator: pkg/simd/_asm)
//
// Source: the project's algorithm reference, section 12 (rules of the float path), which gives the known answer that
// TestKnownAnswer checks.
package ordered
