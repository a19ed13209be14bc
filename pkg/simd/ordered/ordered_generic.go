package ordered

// dotGeneric is the definition of Dot.
func dotGeneric(a, w []float32) float32 {
	var p [Lanes]float32
	w = w[:len(a)]
	for len(a) >= Lanes {
		x, y := (*[Lanes]float32)(a), (*[Lanes]float32)(w)
		for i, v := range x {
			p[i] += float32(v * y[i])
		}
		a, w = a[Lanes:], w[Lanes:]
	}
	for i, v := range a {
		p[i] += float32(v * w[i])
	}
	return fold(&p)
}

func matMulGeneric(c []float32, ldc int, a []float32, lda int, w []float32, ldw int, m, n, k int) {
	for i := range m {
		for j := range n {
			c[i*ldc+j] = dotGeneric(a[i*lda:][:k], w[j*ldw:][:k])
		}
	}
}

// rankGeneric is the definition of Rank.
func rankGeneric(c []float64, ldc int, a []float64, lda int, b []float64, ldb int, m, n, steps int) {
	for t := range steps {
		x, y := a[t*lda:][:m], b[t*ldb:][:n]
		for i, v := range x {
			row := c[i*ldc:][:n]
			for j, u := range y {
				row[j] += float64(v * u)
			}
		}
	}
}
