package gptq

import (
	"math"

	"github.com/illm-go/illm/pkg/simd/ordered"
)

// apply sets y to the norm of x, one row. Mean and variance are float64 sums in ascending order. y may be x.
func (n norm) apply(y, x []float32, eps float64) {
	size := float64(len(x))
	if n.beta != nil {
		sum := 0.0
		for _, v := range x {
			sum += float64(v)
		}
		mean, sq := sum/size, 0.0
		for _, v := range x {
			d := float64(v) - mean
			sq += float64(d * d)
		}
		f := 1 / math.Sqrt(sq/size+eps)
		for i, v := range x {
			y[i] = float32(float32(float64((float64(v)-mean)*f))*n.gamma[i]) + n.beta[i]
		}
		return
	}
	sq := 0.0
	for _, v := range x {
		sq += float64(float64(v) * float64(v))
	}
	f := float32(1 / math.Sqrt(sq/size+eps))
	for i, v := range x {
		y[i] = float32(float32(v*f) * n.gamma[i])
	}
}

// swiGLU sets y to g·σ(α·g)·u; alpha nil: 1.
func swiGLU(y, g, u, alpha []float32) {
	for i, v := range g {
		if alpha != nil {
			v = float32(v * alpha[i])
		}
		y[i] = -v
	}
	ordered.ExpRow(y, y, 0)
	for i, v := range g {
		y[i] = float32(v / (1 + y[i]) * u[i])
	}
}

func relu(y, x []float32) {
	for i, v := range x {
		if v < 0 {
			v = 0
		}
		y[i] = v
	}
}

// add sets y to y + x.
func add(y, x []float32) {
	for i, v := range x {
		y[i] += v
	}
}

// rope holds cos and sin of position·frequency, [position][d/2]. The angle is a float32 product, as in floatref.
type rope struct {
	half     int
	cos, sin []float32
}

func newRope(theta []float64, positions int) *rope {
	r := &rope{half: len(theta)}
	for p := range positions {
		for _, t := range theta {
			s, c := ordered.SinCos(float64(float32(float32(p) * float32(t))))
			r.cos, r.sin = append(r.cos, float32(c)), append(r.sin, float32(s))
		}
	}
	return r
}

// turn rotates the pairs (i, i + d/2) of x, one head at position p.
func (r *rope) turn(x []float32, p int) {
	c, s := r.cos[p*r.half:][:r.half], r.sin[p*r.half:][:r.half]
	a, b := x[:r.half], x[r.half:][:r.half]
	for i, u := range a {
		v := b[i]
		a[i] = float32(u*c[i]) - float32(v*s[i])
		b[i] = float32(v*c[i]) + float32(u*s[i])
	}
}
