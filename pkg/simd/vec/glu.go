package vec

// SwiGLU sets y[j] = table[g[j]]·(u[j] − zu) and returns min(0, min y), max(0, max y).
//
// The table holds (code − z_g)·σ in Q15 for every gate code: |table| < 2^23, so |y| < 2^31.
func SwiGLU(y []int64, g, u []uint8, table *[256]int32, zu int32) (lo, hi int64) {
	return swiGLU(y, g, u, table, zu)
}

// SwiGLUCodes is the definition without a table over the gate codes, for 8- or 16-bit operands and a factor a channel:
// with a = |g[j] − zg| and E the exponential of a·mf·alpha[j]/2^k in Q15 (Octaves, Pow2 or Pow2Quad),
// σ = sigma[E] where g[j] ≥ zg and 2^15 − sigma[E] below; y[j] = (g[j]−zg)·σ·(u[j]−zu).
//
// alpha may be nil, meaning 1. sigma has 32769 entries round(2^30/(2^15+E)). a·mf·alpha < 2^54, |y| < 2^47.
func SwiGLUCodes[C uint8 | uint16](y []int64, g, u []C, zg, zu, mf int64, alpha []int32, k int32, quad bool, sigma []uint16) (lo, hi int64) {
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

// GateTable sets table[x] = (x − zg)·σ for every 8-bit gate code x, σ as in SwiGLUCodes without alpha. 0 ≤ zg ≤ 255.
func GateTable(table *[256]int32, zg, mf int64, k int32, quad bool, sigma []uint16) {
	sigma = sigma[:32769]
	for a := range max(zg, 255-zg) + 1 { // both signs share one exponential
		s := int64(sigma[pow2Q15(a*mf, k, quad)])
		if c := zg - a; c >= 0 {
			table[uint8(c)] = int32(a * (s - 32768))
		}
		if c := zg + a; c <= 255 {
			table[uint8(c)] = int32(a * s)
		}
	}
}

// pow2Q15 returns the exponential of w/2^k in Q15.
func pow2Q15(w int64, k int32, quad bool) int64 {
	v := Octaves(w, k)
	if quad {
		return Pow2Quad(v) >> uint(v>>15)
	}
	return Pow2(v) >> uint(v>>15)
}
