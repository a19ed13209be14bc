package eval

import (
	"fmt"
	"math"
)

// position holds what one prediction leaves behind.
type position struct {
	nll     float64 // lse − x[target]
	target  float64 // probability of the target
	entropy float64 // base only: H = Σ p·(x − lse), p as stored
	kl      float64 // variants only
	top     int32   // most likely token, lowest id among equals
}

// scoreRow sets nll, target and top of one row of logits and returns its lse.
// If e [V] is not nil, it receives exp(x − max x) and the sum of these is returned
// too.
//
// Shapes: x: [V]. Error of lse: below 2^-48·max(1, |lse|).
func scoreRow(s *position, e, x []float32, target int32) (lse, sum float64, err error) {
	top, err := argmax(x)
	if err != nil {
		return 0, 0, err
	}
	m := float64(x[top])
	if e == nil {
		sum = expSum(x, m)
	} else {
		sum = expStore(e, x, m)
	}
	lse = m + math.Log(sum)
	s.top = int32(top)
	s.nll = lse - float64(x[target])
	s.target = math.Exp(-s.nll)
	return lse, sum, nil
}

// expSum returns Σ exp(x_v − m). Four sums, so that additions do not wait for one
// another; their order is fixed.
func expSum(x []float32, m float64) float64 {
	var s0, s1, s2, s3 float64
	for ; len(x) >= 4; x = x[4:] {
		s0 += expNeg(float64(x[0]) - m)
		s1 += expNeg(float64(x[1]) - m)
		s2 += expNeg(float64(x[2]) - m)
		s3 += expNeg(float64(x[3]) - m)
	}
	for _, v := range x {
		s0 += expNeg(float64(v) - m)
	}
	return (s0 + s1) + (s2 + s3)
}

// expStore is expSum that also stores the terms; the sum has the same bits, so
// that a model compared with itself differs in nothing.
func expStore(e, x []float32, m float64) float64 {
	var s0, s1, s2, s3 float64
	e = e[:len(x)]
	for ; len(x) >= 4; e, x = e[4:], x[4:] {
		a, b := expNeg(float64(x[0])-m), expNeg(float64(x[1])-m)
		c, d := expNeg(float64(x[2])-m), expNeg(float64(x[3])-m)
		e[0], e[1], e[2], e[3] = float32(a), float32(b), float32(c), float32(d)
		s0 += a
		s1 += b
		s2 += c
		s3 += d
	}
	for i, v := range x {
		a := expNeg(float64(v) - m)
		e[i] = float32(a)
		s0 += a
	}
	return (s0 + s1) + (s2 + s3)
}

// scoreBase is scoreRow for the base model: it also leaves the distribution in
// p [V] and its H.
func scoreBase(s *position, p, x []float32, target int32) error {
	lse, sum, err := scoreRow(s, p, x, target)
	if err != nil {
		return err
	}
	inv := 1 / sum
	var h0, h1 float64
	i := 0
	for ; i+2 <= len(x); i += 2 {
		p0, p1 := float32(float64(p[i])*inv), float32(float64(p[i+1])*inv)
		p[i], p[i+1] = p0, p1
		h0 += float64(p0) * (float64(x[i]) - lse)
		h1 += float64(p1) * (float64(x[i+1]) - lse)
	}
	for ; i < len(x); i++ {
		p[i] = float32(float64(p[i]) * inv)
		h0 += float64(p[i]) * (float64(x[i]) - lse)
	}
	s.entropy = h0 + h1
	return nil
}

// scoreVariant is scoreRow for a variant, and its divergence from the base
// distribution p [V] of the same position.
func scoreVariant(s *position, base *position, p, x []float32, target int32) error {
	lse, _, err := scoreRow(s, nil, x, target)
	if err != nil {
		return err
	}
	var d0, d1, d2, d3 float64
	i := 0
	p = p[:len(x)]
	for ; i+4 <= len(x); i += 4 {
		d0 += float64(p[i]) * (float64(x[i]) - lse)
		d1 += float64(p[i+1]) * (float64(x[i+1]) - lse)
		d2 += float64(p[i+2]) * (float64(x[i+2]) - lse)
		d3 += float64(p[i+3]) * (float64(x[i+3]) - lse)
	}
	for ; i < len(x); i++ {
		d0 += float64(p[i]) * (float64(x[i]) - lse)
	}
	s.kl = base.entropy - ((d0 + d1) + (d2 + d3))
	return nil
}

// argmax returns the lowest index of the largest logit, and an error unless all
// logits are finite.
func argmax(x []float32) (int, error) {
	best, top := float32(math.Inf(-1)), -1
	var zero float32 // 0·x is 0 for a finite x, NaN otherwise
	for i, v := range x {
		zero += 0 * v
		if v > best {
			best, top = v, i
		}
	}
	if zero != 0 {
		for i, v := range x {
			if v-v != 0 {
				return 0, fmt.Errorf("expected finite logits, found %v for token %d", v, i)
			}
		}
	}
	return top, nil
}
