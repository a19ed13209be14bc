package gemm4

// matMulGeneric is the definition: blocks groups of 8 depth steps, panels
// groups of 64 channels, every sum modulo 2^32.
func matMulGeneric(acc []int32, ldacc int, x []uint8, ldx int, panel []byte, ldp int, m, panels, blocks int) {
	for p := range panels {
		for i := range m {
			row := x[i*ldx : i*ldx+8*blocks]
			out := acc[i*ldacc+p*Channels:][:Channels]
			clear(out)
			w := panel[p*ldp:]
			for b := range blocks {
				x8 := row[8*b : 8*b+8 : 8*b+8]
				w4 := w[b*blockBytes:][:blockBytes]
				for j := range out {
					c := w4[4*j : 4*j+4 : 4*j+4]
					out[j] += int32(x8[0])*int32(c[0]&15) + int32(x8[1])*int32(c[1]&15) +
						int32(x8[2])*int32(c[2]&15) + int32(x8[3])*int32(c[3]&15) +
						int32(x8[4])*int32(c[0]>>4) + int32(x8[5])*int32(c[1]>>4) +
						int32(x8[6])*int32(c[2]>>4) + int32(x8[7])*int32(c[3]>>4)
				}
			}
		}
	}
}
