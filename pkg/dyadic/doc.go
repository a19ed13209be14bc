// Package dyadic holds scales of the form m/2^k, the only scales of the integer engine.
//
//	value = M / 2^K       M unsigned of exactly B bits (2^(B−1) ≤ M < 2^B), K signed
//
// Multiplying a code by a scale is one product and one rounding shift, x·M >> K, and the product of two scales is the
// product of their mantissas, brought back to B bits by Fit. B = 16 is the default: a wrong mantissa is a gain error of
// the whole row, at most 2^−16 relative for B = 16, against 2^−8 for the B = 8 of the paper.
//
//	Fit(num, den, B)      the nearest scale to num/den: one division
//	s.Mul(t, B)           Fit(s.M·t.M, 1) with the exponents added
//	s.Apply(x)            round(x·s)
//
// (M, K) and (2M, K+1) are the same value; a fitted scale is the one whose top bit is set, so equal values compare equal.
//
// Source: I-LLM (arXiv 2405.17849), the dyadic numbers of DI-MatMul, there with 8 bits for m and for k. Departure: the
// width, and rounding where the paper shifts right.
package dyadic
