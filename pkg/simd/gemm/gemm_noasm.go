//go:build purego || !(amd64 || arm64)

package gemm

func matMul(acc []int32, ldacc int, x []uint8, ldx int, panel []byte, ldp int, m, panels, blocks int) {
	matMulGeneric(acc, ldacc, x, ldx, panel, ldp, m, panels, blocks)
}

func peakWork(int) int64 { return 0 }

func peakRead(p []byte, blocks int) uint32 { return peakReadGeneric(p, blocks) }
