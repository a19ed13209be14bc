// Package fvec holds the non-linear operators of a decoder in floats, a row at a time: the honest rivals of the integer
// ones, vectorised with as much care.
//
//	Softmax                 e^(x_i − max x)/Σ
//	RMSNorm, LayerNorm      x/√(mean x² + ε)·γ; (x − mean)/√(var + ε)·γ + β
//	SwiGLU                  gate·up/(1 + e^(−α·gate))
//	FromInt64, FromInt32,   the way in from an integer engine: integers times one scale
//	  FromCodes
//	Extremes, Codes, Q30    the way back: codes on a dynamic grid; probabilities in Q30
//
// # Precision
//
// Single is float32. Half holds every value in a float32 register and rounds the result of each elementary step to
// IEEE binary16, to nearest, ties to even: differences, products, quotients, e^x, 1/√x and the mean of a row are a step
// each. A sum over a row accumulates in float32 and is rounded once, as half-precision hardware and the usual libraries
// do it (a running sum in binary16 stops growing at 2048). Overflow gives infinity, as it does there.
//
// # Paths
//
//	AVX512   16 lanes, tails under a mask; half by VCVTPS2PH and VCVTPH2PS
//	AVX2     8 lanes with FMA, half by F16C; conversions from 64-bit integers and tails of bytes in Go
//	generic  Go
//
// A processor with AVX-512 FP16 runs the AVX512 path too: its native arithmetic gives the same rounding of each step
// with twice the lanes, which this package does not use. HalfForm says which form is in use.
//
// # Error
//
// e^x: 2.3·10^−7 relative on [−86, 0], arguments below taken as −86 (4·10^−38, beside a maximum of 1). Softmax, norms
// and SwiGLU: a few ulp, bounds at the functions; the paths differ in the order of their sums, so they agree within the
// bounds and not bit for bit.
//
// Source of e^x: the reduction by n·ln 2 in two parts and the polynomial of degree 5 of Arm's optimized routines, which
// llama.cpp's CPU code uses too.
package fvec
