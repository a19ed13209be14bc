package gemm

// matMulGeneric is the definition: blocks groups of 4 depth steps, panels
// groups of 64 channels, every sum modulo 2^32.
func matMulGeneric(acc []int32, ldacc int, x []uint8, ldx int, panel []byte, ldp int, m, panels, blocks int) {
	for p := range panels {
		for i := range m {
			row := x[i*ldx : i*ldx+4*blocks]
			out := acc[i*ldacc+p*Channels:][:Channels]
			clear(out)
			w := panel[p*ldp:]
			for b := range blocks {
				x4 := row[4*b : 4*b+4 : 4*b+4]
				x0, x1, x2, x3 := int32(x4[0]), int32(x4[1]), int32(x4[2]), int32(x4[3])
				w4 := w[b*blockBytes:][:blockBytes]
				for j := range out {
					c := w4[4*j : 4*j+4 : 4*j+4]
					out[j] += x0*int32(int8(c[0])) + x1*int32(int8(c[1])) + x2*int32(int8(c[2])) + x3*int32(int8(c[3]))
				}
			}
		}
	}
}
