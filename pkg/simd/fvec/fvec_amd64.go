//go:build !purego

package fvec

import "github.com/illm-go/illm/pkg/simd/cpu"

var useAVX512, useAVX2 bool

func init() {
	cpu.Register("fvec", cpu.AVX512, &useAVX512)
	if hasF16C() { // every processor with AVX2 so far
		cpu.Register("fvec", cpu.AVX2, &useAVX2)
	}
}

// hasF16C: leaf 1, ECX bit 29.
func hasF16C() bool {
	_, _, c, _ := cpuid(1, 0)
	return c>>29&1 != 0
}

// hasFP16 tells whether there is AVX-512 FP16: leaf 7, EDX bit 23.
func hasFP16() bool {
	if most, _, _, _ := cpuid(0, 0); most < 7 {
		return false
	}
	_, _, _, d := cpuid(7, 0)
	return d>>23&1 != 0
}

// HalfForm says how half precision is computed on this machine.
func HalfForm() string {
	form := "float32, each step rounded in Go"
	switch {
	case useAVX512:
		form = "float32 lanes, each step rounded by AVX-512 (VCVTPS2PH)"
	case useAVX2:
		form = "float32 lanes, each step rounded by F16C"
	}
	if hasFP16() {
		form += "; this processor's AVX-512 FP16 is not used"
	}
	return form
}

func maximum(x []float32) float32 {
	n := len(x)
	switch {
	case n == 0:
	case useAVX512:
		return maximumAVX512(&x[0], n)
	case useAVX2:
		return maximumAVX2(&x[0], n)
	}
	return maximumGeneric(x)
}

func extremes(x []float32) (lo, hi float32) {
	n := len(x)
	switch {
	case n == 0:
	case useAVX512:
		return extremesAVX512(&x[0], n)
	case useAVX2:
		return extremesAVX2(&x[0], n)
	}
	return extremesGeneric(x)
}

func expSum(dst, x []float32, shift float32, p Precision) (sum float32) {
	n := len(x)
	switch {
	case n == 0:
	case useAVX512 && p == Half:
		return expSumHalfAVX512(&dst[0], &x[0], n, shift)
	case useAVX512:
		return expSumAVX512(&dst[0], &x[0], n, shift)
	case useAVX2 && p == Half:
		return expSumHalfAVX2(&dst[0], &x[0], n, shift)
	case useAVX2:
		return expSumAVX2(&dst[0], &x[0], n, shift)
	}
	return expSumGeneric(dst, x, shift, p)
}

func scale(dst, x []float32, c float32, p Precision) {
	n := len(x)
	switch {
	case n == 0:
	case useAVX512 && p == Half:
		scaleHalfAVX512(&dst[0], &x[0], n, c)
		return
	case useAVX512:
		scaleAVX512(&dst[0], &x[0], n, c)
		return
	case useAVX2 && p == Half:
		scaleHalfAVX2(&dst[0], &x[0], n, c)
		return
	case useAVX2:
		scaleAVX2(&dst[0], &x[0], n, c)
		return
	}
	scaleGeneric(dst, x, c, p)
}

func scaleQ30(dst []int32, x []float32, c float32, p Precision) {
	n := len(x)
	switch {
	case n == 0:
	case useAVX512 && p == Half:
		scaleQ30HalfAVX512(&dst[0], &x[0], n, c)
		return
	case useAVX512:
		scaleQ30AVX512(&dst[0], &x[0], n, c)
		return
	case useAVX2 && p == Half:
		scaleQ30HalfAVX2(&dst[0], &x[0], n, c)
		return
	case useAVX2:
		scaleQ30AVX2(&dst[0], &x[0], n, c)
		return
	}
	scaleQ30Generic(dst, x, c, p)
}

func sum(x []float32) float32 {
	n := len(x)
	switch {
	case n == 0:
	case useAVX512:
		return sumAVX512(&x[0], n)
	case useAVX2:
		return sumAVX2(&x[0], n)
	}
	return sumGeneric(x)
}

func sumSquares(x []float32, mean float32, p Precision) float32 {
	n := len(x)
	switch {
	case n == 0:
	case useAVX512 && p == Half:
		return sumSquaresHalfAVX512(&x[0], n, mean)
	case useAVX512:
		return sumSquaresAVX512(&x[0], n, mean)
	case useAVX2 && p == Half:
		return sumSquaresHalfAVX2(&x[0], n, mean)
	case useAVX2:
		return sumSquaresAVX2(&x[0], n, mean)
	}
	return sumSquaresGeneric(x, mean, p)
}

func fromInt64(dst []float32, x []int64, c float32, p Precision) {
	n := len(x)
	switch {
	case n == 0:
	case useAVX512 && p == Half:
		fromInt64HalfAVX512(&dst[0], &x[0], n, c)
		return
	case useAVX512:
		fromInt64AVX512(&dst[0], &x[0], n, c)
		return
	}
	fromInt64Generic(dst, x, c, p)
}

func fromInt32(dst []float32, x []int32, c float32, p Precision) {
	n := len(x)
	switch {
	case n == 0:
	case useAVX512 && p == Half:
		fromInt32HalfAVX512(&dst[0], &x[0], n, c)
		return
	case useAVX512:
		fromInt32AVX512(&dst[0], &x[0], n, c)
		return
	case useAVX2 && p == Half:
		fromInt32HalfAVX2(&dst[0], &x[0], n, c)
		return
	case useAVX2:
		fromInt32AVX2(&dst[0], &x[0], n, c)
		return
	}
	fromInt32Generic(dst, x, c, p)
}

func normalise(dst, x, gamma, beta []float32, mean, c float32, p Precision) {
	n := len(x)
	switch {
	case n == 0:
	case useAVX512 && beta == nil && p == Half:
		normaliseHalfAVX512(&dst[0], &x[0], &gamma[0], n, mean, c)
		return
	case useAVX512 && beta == nil:
		normaliseAVX512(&dst[0], &x[0], &gamma[0], n, mean, c)
		return
	case useAVX512 && p == Half:
		normaliseBetaHalfAVX512(&dst[0], &x[0], &gamma[0], &beta[0], n, mean, c)
		return
	case useAVX512:
		normaliseBetaAVX512(&dst[0], &x[0], &gamma[0], &beta[0], n, mean, c)
		return
	case useAVX2 && beta == nil && p == Half:
		normaliseHalfAVX2(&dst[0], &x[0], &gamma[0], n, mean, c)
		return
	case useAVX2 && beta == nil:
		normaliseAVX2(&dst[0], &x[0], &gamma[0], n, mean, c)
		return
	case useAVX2 && p == Half:
		normaliseBetaHalfAVX2(&dst[0], &x[0], &gamma[0], &beta[0], n, mean, c)
		return
	case useAVX2:
		normaliseBetaAVX2(&dst[0], &x[0], &gamma[0], &beta[0], n, mean, c)
		return
	}
	normaliseGeneric(dst, x, gamma, beta, mean, c, p)
}

func swiGLU(dst, gate, up, alpha []float32, p Precision) {
	n := len(gate)
	switch {
	case n == 0:
	case useAVX512 && alpha == nil && p == Half:
		swiGLUHalfAVX512(&dst[0], &gate[0], &up[0], n)
		return
	case useAVX512 && alpha == nil:
		swiGLUAVX512(&dst[0], &gate[0], &up[0], n)
		return
	case useAVX512 && p == Half:
		swiGLUAlphaHalfAVX512(&dst[0], &gate[0], &up[0], &alpha[0], n)
		return
	case useAVX512:
		swiGLUAlphaAVX512(&dst[0], &gate[0], &up[0], &alpha[0], n)
		return
	case useAVX2 && alpha == nil && p == Half:
		swiGLUHalfAVX2(&dst[0], &gate[0], &up[0], n)
		return
	case useAVX2 && alpha == nil:
		swiGLUAVX2(&dst[0], &gate[0], &up[0], n)
		return
	case useAVX2 && p == Half:
		swiGLUAlphaHalfAVX2(&dst[0], &gate[0], &up[0], &alpha[0], n)
		return
	case useAVX2:
		swiGLUAlphaAVX2(&dst[0], &gate[0], &up[0], &alpha[0], n)
		return
	}
	swiGLUGeneric(dst, gate, up, alpha, p)
}

// The kernels of AVX2 that move bytes take whole vectors; the rest goes by the definition.

func codes(dst []uint8, x []float32, c float32, z, top int32) (sum int32) {
	n := len(x)
	switch {
	case n == 0:
	case useAVX512:
		return codesAVX512(&dst[0], &x[0], n, c, z, top)
	case useAVX2 && n >= 8:
		n &^= 7
		sum = codesAVX2(&dst[0], &x[0], n, c, z, top)
		return sum + codesGeneric(dst[n:], x[n:], c, z, top)
	}
	return codesGeneric(dst, x, c, z, top)
}

func fromCodes(dst []float32, x []uint8, z int32, c float32, p Precision) {
	n := len(x)
	switch {
	case n == 0:
		return
	case useAVX512 && p == Half:
		fromCodesHalfAVX512(&dst[0], &x[0], n, z, c)
		return
	case useAVX512:
		fromCodesAVX512(&dst[0], &x[0], n, z, c)
		return
	case useAVX2 && n >= 8:
		n &^= 7
		if p == Half {
			fromCodesHalfAVX2(&dst[0], &x[0], n, z, c)
		} else {
			fromCodesAVX2(&dst[0], &x[0], n, z, c)
		}
		dst, x = dst[n:], x[n:]
	}
	fromCodesGeneric(dst, x, z, c, p)
}
