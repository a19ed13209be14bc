package baseline

import (
	"math"

	"github.com/illm-go/illm/pkg/dyadic"
	"github.com/illm-go/illm/pkg/quant"
)

// ExpError is how far an exponential is from e^−x over every distance of a domain.
type ExpError struct {
	MaxAbs, MeanAbs float64
	MaxRel5         float64 // on x ≤ 5
	MaxRel15        float64 // on x ≤ 15
	Falls           int     // distances at which it rises where e^−x falls: 0 is monotone
	ZeroFrom        float64 // least x from which on it is 0; +Inf: nowhere in the domain
	Points          int
}

// Domain is a set of rows of distances: every code 0 … Top under each scale.
type Domain struct {
	Top    int64
	Scales []dyadic.Scale
	Bound  float64 // distances beyond it are left out; 0: none
}

// Scores16 is every distance of 16-bit scores whose row is cut at c (in thousandths): all 2^16 of them.
func Scores16(clip quant.Clip) Domain {
	return Domain{Top: 1<<16 - 1, Scales: []dyadic.Scale{scaleOf(clip, 16)}}
}

// Scores8 is every distance of 8-bit scores under a dense set of scales: ranges of a row from c/1024 to c, 128 an
// octave.
func Scores8(clip quant.Clip) Domain {
	d := Domain{Top: 255}
	full := scaleOf(clip, 8)
	for i := range 1281 {
		num := uint64(math.Round(math.Ldexp(math.Exp2(-float64(i)/128), 40)))
		s := dyadic.Fit(num, 1, dyadic.Bits)
		s.K += 40
		d.Scales = append(d.Scales, full.Mul(s, dyadic.Bits))
	}
	return d
}

// scaleOf is the step of codes of so many bits over [0, c].
func scaleOf(clip quant.Clip, bits int) dyadic.Scale {
	return dyadic.Fit(uint64(clip), 1000*(1<<uint(bits)-1), dyadic.Bits)
}

// Error measures the exponential over a domain; clip is what its tables end at.
func (x Exponential) Error(clip quant.Clip, domain Domain) ExpError {
	v := x.build(clip)
	r := ExpError{ZeroFrom: math.Inf(1)}
	for _, s := range domain.Scales {
		zero, before := math.Inf(1), int64(math.MaxInt64)
		for d := int64(0); d <= domain.Top; d++ {
			at := distance(d, s.M, s.K)
			if domain.Bound > 0 && at > domain.Bound {
				break
			}
			e := v.at(d, s.M, s.K)
			want, got := math.Exp(-at), math.Ldexp(float64(e), -30)
			abs := math.Abs(got - want)
			r.MaxAbs = max(r.MaxAbs, abs)
			r.MeanAbs += abs
			if at <= 5 {
				r.MaxRel5 = max(r.MaxRel5, abs/want)
			}
			if at <= 15 {
				r.MaxRel15 = max(r.MaxRel15, abs/want)
			}
			if e > before {
				r.Falls++
			}
			before = e
			if e != 0 {
				zero = math.Inf(1)
			} else if math.IsInf(zero, 1) {
				zero = at
			}
			r.Points++
		}
		r.ZeroFrom = min(r.ZeroFrom, zero)
	}
	r.MeanAbs /= float64(max(r.Points, 1))
	return r
}
