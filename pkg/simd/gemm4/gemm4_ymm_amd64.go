//go:build !purego

package gemm4

// A kernel computes tiles of a fixed number of rows and channels: the shape of the functions in gemm4_stub_amd64.go.
type kernel func(acc *int32, ldacc int, x *uint8, ldx int, panel *byte, blocks, tiles, accumulate int)

// kernels are those of one instruction set with 16 registers of 32 bytes, which hold a part of a panel's channels.
type kernels struct {
	rows     int       // of a full tile
	channels [7]int    // of the tile of so many rows
	run      [7]kernel // by rows
}

var (
	kernelsAVX2 = kernels{4, [7]int{1: 64, 2: 16, 3: 16, 4: 16}, [7]kernel{
		1: gemmU8U4_1x64c8_AVX2, 2: gemmU8U4_2x16c8_AVX2, 3: gemmU8U4_3x16c8_AVX2, 4: gemmU8U4_4x16c8_AVX2,
	}}
	kernelsAVXVNNI = kernels{6, [7]int{1: 64, 2: 32, 3: 16, 4: 16, 5: 16, 6: 16}, [7]kernel{
		1: gemmU8U4_1x64c8_AVXVNNI, 2: gemmU8U4_2x32c8_AVXVNNI, 3: gemmU8U4_3x16c8_AVXVNNI,
		4: gemmU8U4_4x16c8_AVXVNNI, 5: gemmU8U4_5x16c8_AVXVNNI, 6: gemmU8U4_6x16c8_AVXVNNI,
	}}
)

func tilesAVX2(acc *int32, ldacc int, x *uint8, ldx int, panel *byte, ni, nb, accumulate int) {
	kernelsAVX2.tiles(acc, ldacc, x, ldx, panel, ni, nb, accumulate)
}

func tilesAVXVNNI(acc *int32, ldacc int, x *uint8, ldx int, panel *byte, ni, nb, accumulate int) {
	kernelsAVXVNNI.tiles(acc, ldacc, x, ldx, panel, ni, nb, accumulate)
}

// tiles runs full tiles, then one of the rest. A rest of 1 or 2 behind tiles of 6 shares the rows of the last of them,
// as in tilesVNNI.
func (k *kernels) tiles(acc *int32, ldacc int, x *uint8, ldx int, panel *byte, ni, nb, accumulate int) {
	full, rest, four := ni/k.rows, ni%k.rows, 0
	if k.rows == 6 && full > 0 && (rest == 1 || rest == 2) {
		full, four, rest = full-1, 1, rest+2
	}
	for _, part := range [3][2]int{{k.rows, full}, {4, four}, {rest, 1}} {
		rows, n := part[0], part[1]
		if rows == 0 || n == 0 {
			continue
		}
		for q := 0; q < Channels; q += k.channels[rows] {
			k.run[rows](skip(acc, q), ldacc, x, ldx, skip(panel, 4*q), nb, n, accumulate)
		}
		if ni -= rows * n; ni == 0 {
			return // a pointer past the last row would point outside its slice
		}
		acc, x = skip(acc, rows*n*ldacc), skip(x, rows*n*ldx)
	}
}
