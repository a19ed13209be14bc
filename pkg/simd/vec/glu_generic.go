package vec

func swiGLUGeneric(y []int64, g, u []uint8, table *[256]uint16, zg, zu int32) (lo, hi int64) {
	n := len(y)
	g, u = g[:n], u[:n]
	for j := range y {
		v := int64((int32(g[j]) - zg) * int32(table[g[j]]) * (int32(u[j]) - zu))
		y[j] = v
		lo = min(lo, v)
		hi = max(hi, v)
	}
	return lo, hi
}

func swiGLUCodes[C uint8 | uint16](y []int64, g, u []C, zg, zu, mf int64, alpha []int32, k int32, quad bool, sigma []uint16) (lo, hi int64) {
	n := len(y)
	g, u, sigma = g[:n], u[:n], sigma[:32769]
	for j := range y {
		x := int64(g[j]) - zg
		w := max(x, -x) * mf
		if alpha != nil {
			w *= int64(alpha[j])
		}
		s := int64(sigma[pow2Q15(w, k, quad)])
		if x < 0 {
			s = 32768 - s
		}
		v := x * s * (int64(u[j]) - zu)
		y[j] = v
		lo = min(lo, v)
		hi = max(hi, v)
	}
	return lo, hi
}

func gateTableGeneric(table *[256]uint16, zg, mf int64, k int32, quad bool, sigma []uint16) {
	sigma = sigma[:32769]
	for a := range max(zg, 255-zg) + 1 { // both signs share one exponential
		s := sigma[pow2Q15(a*mf, k, quad)]
		if c := zg - a; c >= 0 {
			table[uint8(c)] = 32768 - s
		}
		if c := zg + a; c <= 255 { // the code zg itself last
			table[uint8(c)] = s
		}
	}
}
