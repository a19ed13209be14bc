//go:build purego || !(amd64 || arm64)

package vec

func minMax(t []int64) (lo, hi int64) {
	return minMaxGeneric(t)
}

func accumulate(t []int64, acc, sum, m []int32, zero []uint8, z, c, off int32) (lo, hi int64) {
	return accumulateGeneric(t, acc, sum, m, zero, z, c, off)
}

func addBias(t []int64, bias []int32, r int64, l, s uint) (lo, hi int64) {
	return addBiasGeneric(t, bias, r, l, s)
}

func relu(t []int64) {
	reluGeneric(t)
}

func requant(dst []uint8, t []int64, s uint, g int64, h uint, z, top int64) (sum int64) {
	return requantGeneric(dst, t, s, g, h, z, top)
}

func requant16(dst []uint16, t []int64, s uint, g int64, h uint, z, top int64) (sum int64) {
	return requant16Generic(dst, t, s, g, h, z, top)
}

func rotate(t []int64, cos, sin []int16, s uint) (lo, hi int64) {
	return rotateGeneric(t, cos, sin, s)
}

func scores(s []int64, acc, sum, zero, k []int32, m []uint32, zq, c, kmin int32) (lo, hi int64) {
	return scoresGeneric(s, acc, sum, zero, k, m, zq, c, kmin)
}

func exp(e []int32, s []int64, hi, r int64, s1 uint, g int64, h uint, top, mf int64, k int32, quad bool) {
	expGeneric(e, s, hi, r, s1, g, h, top, mf, k, quad)
}

func fold(w []int64, e []int32, m []uint32, k []int32, kmin int32) (top, sumW, sumE int64) {
	return foldGeneric(w, e, m, k, kmin)
}

func sumShift(w []int64, s uint) (sum int64) {
	return sumShiftGeneric(w, s)
}

func split(lo, hi []uint8, w []int64, s uint, c int64, n uint, zero []int32) (sum, dot int64) {
	return splitGeneric(lo, hi, w, s, c, n, zero)
}

func merge(u []int64, acc []int32, dot int32, m int64, n uint) (least, most int64) {
	return mergeGeneric(u, acc, dot, m, n)
}

func join(u, hi, lo []int32) {
	joinGeneric(u, hi, lo)
}

func gateTable(table *[256]uint16, zg, mf int64, k int32, quad bool, sigma []uint16) {
	gateTableGeneric(table, zg, mf, k, quad, sigma)
}

func swiGLUAlpha(y []int64, g, u []uint8, zg, zu, mf int64, alpha []int32, k int32, quad bool, sigma []uint16) (lo, hi int64) {
	return swiGLUCodes(y, g, u, zg, zu, mf, alpha, k, quad, sigma)
}

func swiGLU(y []int64, g, u []uint8, table *[256]uint16, zg, zu int32) (lo, hi int64) {
	return swiGLUGeneric(y, g, u, table, zg, zu)
}

func maxAbs(h []int32) uint32 {
	return maxAbsGeneric(h)
}

func sumSquares(h []int32, s uint) (sum int64) {
	return sumSquaresGeneric(h, s)
}

func norm(v []int64, h, gamma []int32, s uint, rho int64, n uint) (lo, hi int64) {
	return normGeneric(v, h, gamma, s, rho, n)
}

func sumRound(h []int32, l, s uint) (sum int64) {
	return sumRoundGeneric(h, l, s)
}

func centredSquares(h []int32, l, s uint, mean int64) (sum int64) {
	return centredSquaresGeneric(h, l, s, mean)
}

func layerNorm(v []int64, h, gamma []int32, beta []int64, l, s uint, mean, rho int64, n uint) (lo, hi int64) {
	return layerNormGeneric(v, h, gamma, beta, l, s, mean, rho, n)
}

func addResidual(h []int32, t []int64, m int64, n uint) (saturated int) {
	return addResidualGeneric(h, t, m, n)
}
