package eval

import (
	"fmt"
	"math"
)

// position holds what one prediction leaves behind.
type position struct {
	nll    float64 // lse − x[target]
	target float64 // probability of the target
	kl     float64 // variants only
	top    int32   // most likely token, lowest id among equals

	// Base only; p as stored, m the largest logit.
	dot  float64 // Σ p·(x − m)
	mass float64 // Σ p
	lse  float64 // lse − m
}

// fill sets the fields that need nothing but the row; sum is Σ exp(x − x[top]).
func (s *position) fill(x []float32, top int, sum float64, target int32) {
	s.top = int32(top)
	s.lse = math.Log(sum)
	s.nll = s.lse + (float64(x[top]) - float64(x[target]))
	s.target = math.Exp(-s.nll)
}

// scoreAlone scores a row x [V] that is compared with nothing.
func scoreAlone(s *position, x []float32, target int32) error {
	top, err := argmax(x)
	if err != nil {
		return err
	}
	s.fill(x, top, expSum(x, float64(x[top])), target)
	return nil
}

// scoreBase scores a row x [V] of the base model and leaves its distribution in
// p [V].
func scoreBase(s *position, p, x []float32, target int32) error {
	top, err := argmax(x)
	if err != nil {
		return err
	}
	m := float64(x[top])
	sum := expStore(p, x, m)
	s.fill(x, top, sum, target)
	s.dot, s.mass = normalize(p, x, m, 1/sum)
	return nil
}

// scoreVariant scores a row x [V] and its divergence from the base distribution
// p [V] of the same position.
func scoreVariant(s *position, base *position, p, x []float32, target int32) error {
	top, err := argmax(x)
	if err != nil {
		return err
	}
	sum, dot := expDot(p, x, float64(x[top]))
	s.fill(x, top, sum, target)
	s.kl = (base.dot - dot) + (s.lse-base.lse)*base.mass
	return nil
}

// The loops below keep four sums, so that additions do not wait for one another,
// and add them in one fixed way: a model compared with itself differs in nothing.
// Arguments below expFloor count as expFloor.

// expSum returns Σ exp(x − m).
func expSum(x []float32, m float64) float64 {
	var s0, s1, s2, s3 float64
	for ; len(x) >= 4; x = x[4:] {
		s0 += expNeg(floor(float64(x[0]) - m))
		s1 += expNeg(floor(float64(x[1]) - m))
		s2 += expNeg(floor(float64(x[2]) - m))
		s3 += expNeg(floor(float64(x[3]) - m))
	}
	for _, v := range x {
		s0 += expNeg(floor(float64(v) - m))
	}
	return (s0 + s1) + (s2 + s3)
}

// expStore is expSum that also stores the terms in e, those below the floor as 0:
// a probability that is really nothing must not count when it is multiplied by a
// logit far away.
func expStore(e, x []float32, m float64) float64 {
	var s0, s1, s2, s3 float64
	e = e[:len(x)]
	for ; len(x) >= 4; e, x = e[4:], x[4:] {
		a, b := float64(x[0])-m, float64(x[1])-m
		c, d := float64(x[2])-m, float64(x[3])-m
		ea, eb := expNeg(floor(a)), expNeg(floor(b))
		ec, ed := expNeg(floor(c)), expNeg(floor(d))
		e[0], e[1], e[2], e[3] = kept(ea, a), kept(eb, b), kept(ec, c), kept(ed, d)
		s0 += ea
		s1 += eb
		s2 += ec
		s3 += ed
	}
	for i, v := range x {
		a := float64(v) - m
		ea := expNeg(floor(a))
		e[i] = kept(ea, a)
		s0 += ea
	}
	return (s0 + s1) + (s2 + s3)
}

// kept is what is stored for exp(x) = e.
func kept(e, x float64) float32 {
	if x < expFloor {
		return 0
	}
	return float32(e)
}

// normalize multiplies p by inv and returns Σ p·(x − m) and Σ p of the result.
func normalize(p, x []float32, m, inv float64) (dot, mass float64) {
	var d0, d1, d2, d3, m0, m1, m2, m3 float64
	p = p[:len(x)]
	for ; len(x) >= 4; p, x = p[4:], x[4:] {
		a, b := float32(float64(p[0])*inv), float32(float64(p[1])*inv)
		c, d := float32(float64(p[2])*inv), float32(float64(p[3])*inv)
		p[0], p[1], p[2], p[3] = a, b, c, d
		d0 += float64(a) * (float64(x[0]) - m)
		d1 += float64(b) * (float64(x[1]) - m)
		d2 += float64(c) * (float64(x[2]) - m)
		d3 += float64(d) * (float64(x[3]) - m)
		m0 += float64(a)
		m1 += float64(b)
		m2 += float64(c)
		m3 += float64(d)
	}
	for i, v := range x {
		p[i] = float32(float64(p[i]) * inv)
		d0 += float64(p[i]) * (float64(v) - m)
		m0 += float64(p[i])
	}
	return (d0 + d1) + (d2 + d3), (m0 + m1) + (m2 + m3)
}

// expDot returns Σ exp(x − m) and Σ p·(x − m).
func expDot(p, x []float32, m float64) (sum, dot float64) {
	var s0, s1, s2, s3, d0, d1, d2, d3 float64
	p = p[:len(x)]
	for ; len(x) >= 4; p, x = p[4:], x[4:] {
		a, b := float64(x[0])-m, float64(x[1])-m
		c, d := float64(x[2])-m, float64(x[3])-m
		d0 += float64(p[0]) * a
		d1 += float64(p[1]) * b
		d2 += float64(p[2]) * c
		d3 += float64(p[3]) * d
		s0 += expNeg(floor(a))
		s1 += expNeg(floor(b))
		s2 += expNeg(floor(c))
		s3 += expNeg(floor(d))
	}
	for i, v := range x {
		a := float64(v) - m
		d0 += float64(p[i]) * a
		s0 += expNeg(floor(a))
	}
	return (s0 + s1) + (s2 + s3), (d0 + d1) + (d2 + d3)
}

// floor raises x to expFloor.
func floor(x float64) float64 {
	if x < expFloor {
		return expFloor
	}
	return x
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
