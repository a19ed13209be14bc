package vec

// SwiGLU sets y[j] = (g[j] − zg)·table[g[j]]·(u[j] − zu) and returns min(0, min y), max(0, max y).
//
// The table holds σ of every gate code in Q15, at most 2^15: |y| < 2^31. 0 ≤ zg, zu ≤ 255.
func SwiGLU(y []int64, g, u []uint8, table *[256]uint16, zg, zu int32) (lo, hi int64) {
	return swiGLU(y, g, u, table, zg, zu)
}

// SwiGLUCodes is SwiGLU without a table over the gate codes, for 8- or 16-bit operands and a factor a channel:
// with a = |g[j] − zg| and E the exponential of a·mf·alpha[j]/2^k in Q15 (Octaves, Pow2 or Pow2Quad),
// σ = sigma[E] where g[j] ≥ zg and 2^15 − sigma[E] below; y[j] = (g[j]−zg)·σ·(u[j]−zu).
//
// alpha may be nil, meaning 1. sigma has 32769 entries round(2^30/(2^15+E)). a·mf·alpha < 2^54, with 8-bit operands
// below 2^45, and |y| < 2^47, 2^31.
func SwiGLUCodes[C uint8 | uint16](y []int64, g, u []C, zg, zu, mf int64, alpha []int32, k int32, quad bool, sigma []uint16) (lo, hi int64) {
	if g8, ok := any(g).([]uint8); ok && alpha != nil {
		return swiGLUAlpha(y, g8, any(u).([]uint8), zg, zu, mf, alpha, k, quad, sigma)
	}
	return swiGLUCodes(y, g, u, zg, zu, mf, alpha, k, quad, sigma)
}

// GateTable sets table[x] to the σ of SwiGLUCodes, without alpha, for every 8-bit gate code x: sigma[E] where x ≥ zg and
// 2^15 − sigma[E] below. 0 ≤ zg ≤ 255, mf < 2^17.
func GateTable(table *[256]uint16, zg, mf int64, k int32, quad bool, sigma []uint16) {
	gateTable(table, zg, mf, k, quad, sigma)
}

// pow2Q15 returns the exponential of w/2^k in Q15.
func pow2Q15(w int64, k int32, quad bool) int64 {
	v := Octaves(w, k)
	if quad {
		return Pow2Quad(v) >> uint(v>>15)
	}
	return Pow2(v) >> uint(v>>15)
}
