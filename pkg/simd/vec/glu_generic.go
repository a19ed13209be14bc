package vec

func swiGLUGeneric(y []int64, g, u []uint8, table *[256]int32, zu int32) (lo, hi int64) {
	n := len(y)
	g, u = g[:n], u[:n]
	for j := range y {
		v := int64(table[g[j]]) * int64(int32(u[j])-zu)
		y[j] = v
		lo = min(lo, v)
		hi = max(hi, v)
	}
	return lo, hi
}
