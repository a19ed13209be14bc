package chart

import "math"

// span collects the extent of the values of one axis.
type span struct{ lo, hi float64 }

func newSpan() span { return span{math.Inf(1), math.Inf(-1)} }

func (s *span) add(values ...float64) {
	for _, v := range values {
		if !math.IsNaN(v) && !math.IsInf(v, 0) {
			s.lo, s.hi = math.Min(s.lo, v), math.Max(s.hi, v)
		}
	}
}

// linear returns round limits that hold the span and the ticks between them:
// multiples of 1, 2, 2.5 or 5 times a power of ten, about count of them.
func (s span) linear(count int) (lo, hi float64, ticks []float64) {
	lo, hi = s.lo, s.hi
	if !(hi >= lo) {
		lo, hi = 0, 1
	}
	if hi == lo {
		pad := math.Max(math.Abs(hi)*0.05, 1e-9)
		lo, hi = lo-pad, hi+pad
	}
	raw := (hi - lo) / float64(count)
	if raw == 0 || math.IsInf(raw, 0) { // limits closer than a float64 resolves, or farther apart than it holds
		return lo, hi, []float64{lo, hi}
	}
	power := math.Pow(10, math.Floor(math.Log10(raw)))
	step := 10 * power
	for _, m := range []float64{1, 2, 2.5, 5} {
		if m*power >= raw {
			step = m * power
			break
		}
	}
	first, last := math.Floor(lo/step+1e-9), math.Ceil(hi/step-1e-9)
	if math.Abs(first) > 1e12 || math.Abs(last) > 1e12 { // steps below the digits of the limits
		return lo, hi, []float64{lo, hi}
	}
	for i := first; i <= last; i++ {
		ticks = append(ticks, tidy(i*step))
	}
	return tidy(first * step), tidy(last * step), ticks
}

// log returns limits a little beyond the span and ticks at round numbers of
// every decade: 1, 2, 5 while they fit, more when the span is less than a decade,
// powers of ten when it is long.
func (s span) log() (lo, hi float64, ticks []float64) {
	if !(s.hi >= s.lo) || s.lo <= 0 {
		return 1, 10, []float64{1, 10}
	}
	a, b := math.Log10(s.lo), math.Log10(s.hi)
	pad := math.Max((b-a)*0.06, 0.01)
	a, b = a-pad, b+pad
	lo, hi = math.Pow(10, a), math.Pow(10, b)
	if b-a < 0.25 { // less than a factor 1.8: round decimal steps read better
		_, _, all := span{lo, hi}.linear(5)
		for _, t := range all {
			if t >= lo && t <= hi {
				ticks = append(ticks, t)
			}
		}
		return lo, hi, ticks
	}
	mantissas := []float64{1, 2, 5}
	switch {
	case b-a < 0.8:
		mantissas = []float64{1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 7, 8}
	case b-a < 1.3:
		mantissas = []float64{1, 1.5, 2, 3, 5, 7}
	case b-a > 5:
		mantissas = []float64{1}
	}
	every := math.Max(1, math.Ceil((b-a)/8))
	for e := math.Floor(a); e <= b; e++ {
		if len(mantissas) == 1 && math.Mod(e, every) != 0 {
			continue
		}
		for _, m := range mantissas {
			if t := tidy(m * math.Pow(10, e)); t >= lo && t <= hi {
				ticks = append(ticks, t)
			}
		}
	}
	return lo, hi, ticks
}

// tidy removes the last digits of rounding noise: 0.30000000000000004 → 0.3.
func tidy(v float64) float64 {
	if v == 0 || math.IsInf(v, 0) {
		return v
	}
	return tidyTo(v, 12)
}

// tidyTo rounds to so many significant digits.
func tidyTo(v float64, digits int) float64 {
	scale := math.Pow(10, float64(digits)-math.Ceil(math.Log10(math.Abs(v))))
	if math.IsInf(scale, 0) || scale == 0 {
		return v
	}
	return math.Round(v*scale) / scale
}
