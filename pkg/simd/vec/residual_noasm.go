//go:build purego || !(amd64 || arm64)

package vec

func accumulateResidual(h, acc, sum, w []int32, zero []uint8, z, c, off int32, m int64, n uint) (saturated int) {
	return accumulateResidualGeneric(h, acc, sum, w, zero, z, c, off, m, n)
}
