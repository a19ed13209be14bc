//go:build purego || !(amd64 || arm64)

package gemm4

func matMul(acc []int32, ldacc int, x []uint8, ldx int, panel []byte, ldp int, m, panels, blocks int) {
	matMulGeneric(acc, ldacc, x, ldx, panel, ldp, m, panels, blocks)
}
