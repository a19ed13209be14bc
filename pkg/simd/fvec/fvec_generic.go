package fvec

import "math"

// The definitions. A float32 product that is added to something is converted explicitly where a fused form would change
// what an elementary step is.

// exp1 is e^y for y ≤ 88, arguments below −86 taken as −86: y = n·ln 2 + r, |r| ≤ ln 2/2, 2^n·polynomial(r).
func exp1(y float32) float32 {
	y = max(y, -86)
	n := float32(math.RoundToEven(float64(y * math.Log2E)))
	y = float32(float64(y) - float64(n)*0x1.62e4p-1)
	y = float32(float64(y) - float64(n)*0x1.7f7d1cp-20)
	u := y * y
	a := (float32(0x1.0e4020p-7)*y+0x1.573e2ep-5)*u + (float32(0x1.555e66p-3)*y + 0x1.fffdb6p-2)
	a = a*u + (float32(0x1.ffffecp-1)*y + 1)
	return math.Float32frombits(math.Float32bits(a) + uint32(int32(n))<<23)
}

func maximumGeneric(x []float32) float32 {
	m := float32(math.Inf(-1))
	for _, v := range x {
		if v > m {
			m = v
		}
	}
	return m
}

func expSumGeneric(dst, x []float32, shift float32, p Precision) (sum float32) {
	for i, v := range x {
		e := p.Round(exp1(p.Round(v - shift)))
		dst[i] = e
		sum += e
	}
	return sum
}

func scaleGeneric(dst, x []float32, c float32, p Precision) {
	for i, v := range x {
		dst[i] = p.Round(v * c)
	}
}

func scaleQ30Generic(dst []int32, x []float32, c float32, p Precision) {
	for i, v := range x {
		dst[i] = int32(math.RoundToEven(float64(p.Round(v*c) * (1 << 30))))
	}
}

func sumGeneric(x []float32) float32 {
	var s [4]float32
	for i, v := range x {
		s[i&3] += v
	}
	return s[0] + s[1] + (s[2] + s[3])
}

func sumSquaresGeneric(x []float32, mean float32, p Precision) float32 {
	var s [4]float32
	for i, v := range x {
		v = p.Round(v - mean)
		s[i&3] += v * v
	}
	return s[0] + s[1] + (s[2] + s[3])
}

func normaliseGeneric(dst, x, gamma, beta []float32, mean, c float32, p Precision) {
	for i, v := range x {
		v = p.Round(p.Round(p.Round(v-mean)*c) * gamma[i])
		if beta != nil {
			v = p.Round(v + beta[i])
		}
		dst[i] = v
	}
}

func swiGLUGeneric(dst, gate, up, alpha []float32, p Precision) {
	for i, g := range gate {
		e := g
		if alpha != nil {
			e = p.Round(alpha[i] * g)
		}
		e = p.Round(1 + p.Round(exp1(min(-e, 86))))
		dst[i] = p.Round(p.Round(g/e) * up[i])
	}
}

func extremesGeneric(x []float32) (lo, hi float32) {
	for _, v := range x {
		if v < lo {
			lo = v
		}
		if v > hi {
			hi = v
		}
	}
	return lo, hi
}

func codesGeneric(dst []uint8, x []float32, c float32, z, top int32) (sum int32) {
	for i, v := range x {
		q := min(max(z+int32(math.RoundToEven(float64(v*c))), 0), top)
		dst[i] = uint8(q)
		sum += q
	}
	return sum
}

func fromInt64Generic(dst []float32, x []int64, c float32, p Precision) {
	for i, v := range x {
		dst[i] = p.Round(float32(v) * c)
	}
}

func fromInt32Generic(dst []float32, x []int32, c float32, p Precision) {
	for i, v := range x {
		dst[i] = p.Round(float32(v) * c)
	}
}

func fromCodesGeneric(dst []float32, x []uint8, z int32, c float32, p Precision) {
	for i, v := range x {
		dst[i] = p.Round(float32(int32(v)-z) * c)
	}
}
