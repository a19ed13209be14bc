//go:build purego || !amd64

package fvec

// HalfForm says how half precision is computed on this machine.
func HalfForm() string { return "float32, each step rounded in Go" }

func maximum(x []float32) float32 {
	return maximumGeneric(x)
}

func extremes(x []float32) (lo, hi float32) {
	return extremesGeneric(x)
}

func expSum(dst, x []float32, shift float32, p Precision) (sum float32) {
	return expSumGeneric(dst, x, shift, p)
}

func scale(dst, x []float32, c float32, p Precision) {
	scaleGeneric(dst, x, c, p)
}

func scaleQ30(dst []int32, x []float32, c float32, p Precision) {
	scaleQ30Generic(dst, x, c, p)
}

func sum(x []float32) float32 {
	return sumGeneric(x)
}

func sumSquares(x []float32, mean float32, p Precision) float32 {
	return sumSquaresGeneric(x, mean, p)
}

func fromInt64(dst []float32, x []int64, c float32, p Precision) {
	fromInt64Generic(dst, x, c, p)
}

func fromInt32(dst []float32, x []int32, c float32, p Precision) {
	fromInt32Generic(dst, x, c, p)
}

func normalise(dst, x, gamma, beta []float32, mean, c float32, p Precision) {
	normaliseGeneric(dst, x, gamma, beta, mean, c, p)
}

func swiGLU(dst, gate, up, alpha []float32, p Precision) {
	swiGLUGeneric(dst, gate, up, alpha, p)
}

func codes(dst []uint8, x []float32, c float32, z, top int32) (sum int32) {
	return codesGeneric(dst, x, c, z, top)
}

func fromCodes(dst []float32, x []uint8, z int32, c float32, p Precision) {
	fromCodesGeneric(dst, x, z, c, p)
}
