package fsbr

import "github.com/illm-go/illm/pkg/tape"

// untouched is the width at which a quantiser does nothing.
const untouched = 16

// tiny bounds the step of a row from below: a row of zeros has codes and values 0.
const tiny = 1e-30

// sameExtreme is how close, relative to it, a value counts as the extreme of its row.
const sameExtreme = 1e-6

// all lists the axes 0 … n−1.
func all(n int) []int {
	axes := make([]int, n)
	for i := range axes {
		axes[i] = i
	}
	return axes
}

// ratio holds the learnable shares of a row's range in (0, 1]: [rows] each, or one for all rows [1].
type ratio struct{ lo, hi *tape.Node }

// spread returns a ratio in the shape of the rows' extremes, for which it stands.
func spread(t *tape.Tape, r *tape.Node, rows []int) tape.Val {
	if r.Dims[0] == 1 {
		rows = make([]int, len(rows))
		for i := range rows {
			rows[i] = 1
		}
	}
	return t.Reshape(r.Val, rows...)
}

// giveRatio hands the gradients of all rows to a ratio.
func giveRatio(t *tape.Tape, r *tape.Node, d tape.Val) {
	if r.Dims[0] == 1 {
		d = t.Total(d)
	}
	t.Give(r, t.Reshape(d, r.Dims...))
}

// quantise returns x rounded to the asymmetric grid of n bits of each row along the last axis, as codes and steps:
//
//	lo = r_lo·min(0, min x),  hi = r_hi·max(0, max x),  s = (hi − lo)/(2ⁿ − 1),  z = round(−lo/s)
//	y = (c − z)·s,  c = sat(round(x/s) + z, 0, 2ⁿ − 1)
//
// halves away from zero; r nil is 1. n = 16 returns x. x: [rows, K] or [n, T, d].
//
// Gradient: that of this formula with round(x/s) taken as x/s and z as a constant; with m = 1 where c is not saturated:
//
//	dx = m·dy,   ds = Σ dy·((c − z) − m·x/s),   dhi = ds/(2ⁿ − 1),   dlo = −dhi,
//
// dhi goes to r_hi and, shared equally, to the elements that are the row's maximum, if that is above 0; dlo likewise.
//
// Error: within float32 rounding of x/s of package fakequant's Row: a value within 10⁻⁶ of a tie may fall on the other
// side of it, a whole step.
//
// Sources: after the quantisers of OmniQuant (arXiv:2308.13137) and the public code of I-LLM.
// Departures: the range includes 0; the step has no bounds of 10⁻⁵ and 10⁴.
func quantise(t *tape.Tape, x *tape.Node, n int, r *ratio) *tape.Node {
	if n >= untouched {
		return x
	}
	axis := len(x.Dims) - 1
	levels := float64(int(1)<<n - 1)
	zero := t.Scalar(0, tape.F32)
	top, low := t.MaxOf(x.Val, axis), t.MinOf(x.Val, axis)
	top0, low0 := t.Max(top, zero), t.Min(low, zero)
	hi, lo := top0, low0
	var rhi, rlo tape.Val
	if r != nil {
		rhi, rlo = spread(t, r.hi, hi.Dims), spread(t, r.lo, lo.Dims)
		hi, lo = t.Mul(hi, rhi), t.Mul(lo, rlo)
	}
	s := t.Max(t.Div(t.Sub(hi, lo), t.Scalar(levels, tape.F32)), t.Scalar(tiny, tape.F32))
	z := t.RoundAway(t.Div(t.Sub(zero, lo), s))
	v := t.Div(x.Val, s)
	q := t.Add(t.RoundAway(v), z)
	c := t.Min(t.Max(q, zero), t.Scalar(levels, tape.F32))
	code := t.Sub(c, z)
	out := &tape.Node{Val: t.Mul(code, s), Code: code, Step: s}
	t.Then(func() {
		dy := out.Grad
		inside := t.Equal(q, c)
		ds := t.Sum(t.Mul(dy, t.Sub(code, t.Where(inside, v, zero))), axis)
		dhi := t.Scale(ds, 1/levels)
		dlo := t.Sub(zero, dhi)
		if r != nil {
			giveRatio(t, r.hi, t.Mul(dhi, top0))
			giveRatio(t, r.lo, t.Mul(dlo, low0))
			dhi, dlo = t.Mul(dhi, rhi), t.Mul(dlo, rlo)
		}
		one := t.Scalar(1, tape.F32)
		// A compiler that computes x once for the extreme and once more here, with products fused differently, leaves no
		// element that equals the extreme: hence the margin, and the divisor that is never 0.
		share := func(extreme tape.Val, d tape.Val, counts tape.Val) tape.Val {
			margin := t.Scale(t.Max(extreme, t.Sub(zero, extreme)), sameExtreme)
			apart := t.Sub(x.Val, extreme)
			is := t.GreaterOrEqual(margin, t.Max(apart, t.Sub(zero, apart)))
			d = t.Where(counts, t.Div(d, t.Max(t.Sum(t.Where(is, one, zero), axis), one)), zero)
			return t.Where(is, t.Broadcast(d, x.Dims, all(len(x.Dims))...), zero)
		}
		dx := t.Where(inside, dy, zero)
		dx = t.Add(dx, share(top, dhi, t.Greater(top, zero)))
		dx = t.Add(dx, share(low, dlo, t.Greater(zero, low)))
		t.Give(x, dx)
	})
	return out
}

// roundScores returns the softmax's argument with the distances to each row's maximum rounded to n bits after the clip
// c (0: none), as package fakequant's Distances; the gradient is taken to be 1 by [tape.Tape.Attend]. What is not seen
// stays at −10³⁰.
func roundScores(t *tape.Tape, n int, clip float64) func(s, seen tape.Val) tape.Val {
	if n >= untouched {
		return nil
	}
	levels := float64(int(1)<<n - 1)
	return func(s, seen tape.Val) tape.Val {
		zero := t.Scalar(0, tape.F32)
		seen = t.Broadcast(seen, s.Dims, 0, 1, 2, 3)
		top := t.MaxOf(s, 3)
		d := t.Where(seen, t.Sub(top, s), zero)
		r := t.MaxOf(d, 3)
		if clip > 0 {
			r = t.Min(r, t.Scalar(clip, tape.F32))
		}
		step := t.Max(t.Scale(r, 1/levels), t.Scalar(tiny, tape.F32))
		d = t.Mul(t.RoundAway(t.Div(t.Min(d, r), step)), step)
		return t.Where(seen, t.Sub(zero, d), t.Scalar(-1e30, tape.F32))
	}
}
