package floatref

import (
	"math"
	"sync"
)

// rope holds cos and sin of position·frequency, [position][d/2], grown on demand.
type rope struct {
	half int
	freq []float32

	mu       sync.Mutex
	cos, sin []float32
}

func newRope(theta []float64) *rope {
	r := &rope{half: len(theta)}
	for _, t := range theta {
		r.freq = append(r.freq, float32(t))
	}
	return r
}

// tables returns tables that hold at least n positions.
func (r *rope) tables(n int) (cos, sin []float32) {
	r.mu.Lock()
	defer r.mu.Unlock()
	have := len(r.cos) / r.half
	if have < n {
		n = max(n, min(2*have, n+4096))
		c, s := make([]float32, n*r.half), make([]float32, n*r.half)
		copy(c, r.cos)
		copy(s, r.sin)
		for p := have; p < n; p++ {
			for i, f := range r.freq {
				// The product is rounded to float32 before cos and sin, as the reference does it.
				a := float64(float32(float32(p) * f))
				c[p*r.half+i] = float32(math.Cos(a))
				s[p*r.half+i] = float32(math.Sin(a))
			}
		}
		r.cos, r.sin = c, s
	}
	return r.cos, r.sin
}

// rotate turns the pairs (i, i + d/2) of x, the vector of one head at one position, in place.
func rotate(x, cos, sin []float32) {
	half := len(cos)
	a, b := x[:half], x[half:][:half]
	for i, c := range cos {
		s := sin[i]
		u, v := a[i], b[i]
		a[i] = u*c - v*s
		b[i] = v*c + u*s
	}
}
