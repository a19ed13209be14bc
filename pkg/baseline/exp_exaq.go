package baseline

import (
	"github.com/illm-go/illm/pkg/di"
	"github.com/illm-go/illm/pkg/intmath"
	"github.com/illm-go/illm/pkg/quant"
	"github.com/illm-go/illm/pkg/simd/vec"
)

// exaqClip returns the clip value of a row of scores in its own steps of m/2^k, from its deviation σ and the width of
// its codes: C = a·σ + b, with which uniform codes of so many bits lose least of e^x over a normal distribution.
//
//	bits     2      3      4      each further bit
//	a        1.66   1.75   1.83   + 0.08
//	b        1.85   2.06   2.27   + 0.21
//
// σ in integers: with x = (hi − S)>>s below 2^22, μ = round(Σx/n), σ = isqrt(round(Σ(x−μ)²/n)).
// Error of σ: 1.5 steps of 2^−22 of the row's range. ok is false where the row does not reach b.
//
// Source: Shkolnik, Fishman, Chmiel, Ben-Yaacov, Banner and Levy, "EXAQ: Exponent Aware Quantization For LLMs
// Acceleration", 2024 (arXiv 2410.03185), whose code has the three columns. Departure: σ of the row at hand instead of a
// mean over calibration tensors; more than 4 bits, which EXAQ does not treat, by going on in a straight line.
func exaqClip(s []int64, lo, hi int64, m uint32, k int32, bits int) (c int64, ok bool) {
	shift := max(0, intmath.ILog2(uint64(hi-lo))-21)
	sum, squares := vec.Moments(s, hi, uint(shift))
	n := int64(len(s))
	mean := intmath.DivRound(sum, n)
	around := squares - 2*mean*sum + n*mean*mean // Σ(x−μ)²: the terms are below 2^60, 2^61 and 2^60
	sigma := int64(intmath.Isqrt(uint64(intmath.DivRound(around, n))))
	a, b := exaqLine(bits)
	thousandths, _ := quant.Clip(b).Scale()
	c, ok = di.ClipRange(thousandths, m, k)
	if !ok {
		return 0, false
	}
	return c + intmath.DivRound(sigma*a, 1000)<<uint(shift), true
}

// exaqLine returns a and b of exaqClip in thousandths.
func exaqLine(bits int) (a, b int64) {
	switch {
	case bits <= 2:
		return 1660, 1850
	case bits == 3:
		return 1750, 2060
	}
	more := int64(bits - 4)
	return 1830 + 80*more, 2270 + 210*more
}
