// Package intmath owns the rounding of the integer engine: every shift and division of a signed number that is not an
// exact one goes through a function here whose name says how it rounds.
//
//	Asr(x, n)         ⌊x/2^n⌋                        floor
//	RoundShift(x, n)  x/2^n to nearest               halves away from zero
//	DivRound(a, b)    a/b to nearest                 halves away from zero
//	FloorDiv(a, b)    ⌊a/b⌋                          floor
//	SatShift(x, n, b) x/2^n to nearest, within ±2^b  halves away from zero, clamped before a left shift
//	Isqrt(a)          ⌊√a⌋                           floor
//	ILog2(a)          position of the top bit        ILog2(0) = 0
//
// Go's truncating division and rounding to even are not used anywhere. Rounding half away from zero is odd,
// f(−x) = −f(x), so no operator drifts to one side.
//
// # Bounds
//
// Inputs obey |x| < 2^62, which leaves room for the rounding term; magnitudes never reach −2^63 or, where 32 bits are
// stored, −2^31: saturation is to ±(2^31−1). Shift counts may be anything.
//
// Sources: I-LLM (arXiv 2405.17849), Algorithm 4 for the square root; gemmlowp for the rounding shift.
package intmath
