package ordered

// Lanes is the number of partial sums of a float32 sum.
const Lanes = 16

// Dot returns Σ a[t]·w[t] in the fixed order. It panics if the lengths differ.
func Dot(a, w []float32) float32 {
	if len(a) != len(w) {
		panic(badLength)
	}
	if len(a) == 0 {
		return 0
	}
	var c [1]float32
	matMul(c[:], 1, a, len(a), w, len(w), 1, 1, len(a))
	return c[0]
}

// Sum returns Σ x[t] in the fixed order.
func Sum(x []float32) float32 {
	var p [Lanes]float32
	for len(x) >= Lanes {
		b := (*[Lanes]float32)(x)
		for i, v := range b {
			p[i] += v
		}
		x = x[Lanes:]
	}
	for i, v := range x {
		p[i] += v
	}
	return fold(&p)
}

// fold adds the partial sums.
func fold(p *[Lanes]float32) float32 {
	for n := Lanes / 2; n > 0; n /= 2 {
		for i := range n {
			p[i] += p[i+n]
		}
	}
	return p[0]
}

// MatMul sets c[i*ldc+j] = Dot(row i of a, row j of w) for i < m, j < n; row i of a is a[i*lda:][:k], row j of w is
// w[j*ldw:][:k].
//
// Every result is that of Dot, bit for bit, on every path. Concurrency: no state, no allocation; callers split rows
// or outputs. It panics if a slice is too short for its shape.
func MatMul(c []float32, ldc int, a []float32, lda int, w []float32, ldw int, m, n, k int) {
	if m < 0 || n < 0 || k < 0 {
		panic(badShape)
	}
	if m == 0 || n == 0 {
		return
	}
	if ldc < n && m > 1 || len(c) < (m-1)*ldc+n {
		panic(badC)
	}
	if lda < k && m > 1 || len(a) < (m-1)*lda+k {
		panic(badA)
	}
	if ldw < k && n > 1 || len(w) < (n-1)*ldw+k {
		panic(badW)
	}
	if k == 0 {
		for i := range m {
			clear(c[i*ldc:][:n])
		}
		return
	}
	matMul(c, ldc, a, lda, w, ldw, m, n, k)
}
