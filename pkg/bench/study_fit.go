package bench

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat"
)

// FitPoint is one length of StudyContext, in milliseconds.
type FitPoint struct {
	Tokens                  int
	Pairs                   float64 // of a token with one it sees: T(T+1)/2
	Total, Linear           float64
	Attention, AttentionErr float64
	Fitted                  float64
	LinearOff               float64 // of Linear/Tokens from its mean, relative
	AttentionOff            float64 // of Attention/Pairs from Fit.Pair, relative
	attentionOffErr         float64
}

// Fit is the cost of a prompt of T tokens as Fixed + Token·T + Whole·T(T+1)/2, in milliseconds, by least squares of the
// relative residuals, and Pair, the attention's own cost of a pair, from the profile's share.
type Fit struct {
	Fixed, Token, Whole float64
	Pair                float64
	R2                  float64 // of the weighted fit
	Points              []FitPoint
}

// Fit fits the records of StudyContext; with fewer than three lengths the constant is left out.
func (m Measured) Fit() (f Fit) {
	for _, r := range m.with("tokens").byAxis("tokens") {
		n, _ := r.AxisFloat("tokens")
		a, _ := r.Metric("attention_ms")
		f.Points = append(f.Points, FitPoint{Tokens: int(n), Pairs: number(r, "pairs"), Total: number(r, "prefill_ms"), Linear: number(r, "linear_ms"), Attention: a.Value, AttentionErr: a.Stderr})
	}
	n := len(f.Points)
	if n < 2 {
		for i := range f.Points {
			f.Points[i].Fitted = f.Points[i].Total
		}
		return f
	}
	columns := 2
	if n > 3 {
		columns = 3
	}
	design, ones := mat.NewDense(n, columns, nil), mat.NewVecDense(n, nil)
	for i, p := range f.Points { // rows divided by the measured time: relative residuals
		row := []float64{float64(p.Tokens), p.Pairs, 1}[:columns]
		for j, v := range row {
			design.Set(i, j, v/p.Total)
		}
		ones.SetVec(i, 1)
	}
	var x mat.VecDense
	var qr mat.QR
	qr.Factorize(design)
	if err := qr.SolveVecTo(&x, false, ones); err != nil {
		return f
	}
	f.Token, f.Whole = x.AtVec(0), x.AtVec(1)
	if columns == 3 {
		f.Fixed = x.AtVec(2)
	}
	var linear, square, cross float64
	var measured, fitted, weights []float64
	for i := range f.Points {
		p := &f.Points[i]
		p.Fitted = f.Fixed + f.Token*float64(p.Tokens) + f.Whole*p.Pairs
		measured, fitted, weights = append(measured, p.Total), append(fitted, p.Fitted), append(weights, 1/(p.Total*p.Total))
		linear += p.Linear / float64(p.Tokens) / float64(n)
		if p.AttentionErr > 0 {
			w := 1 / (p.AttentionErr * p.AttentionErr)
			square, cross = square+w*p.Pairs*p.Pairs, cross+w*p.Pairs*p.Attention
		}
	}
	f.R2 = stat.RSquaredFrom(fitted, measured, weights)
	if square > 0 {
		f.Pair = cross / square
	}
	for i := range f.Points {
		p := &f.Points[i]
		p.LinearOff = p.Linear/float64(p.Tokens)/linear - 1
		if f.Pair > 0 {
			p.AttentionOff = p.Attention/p.Pairs/f.Pair - 1
			p.attentionOffErr = p.AttentionErr / p.Pairs / f.Pair
		}
	}
	return f
}

// fitFrom is the shortest prompt whose attention is held against the fit: blocks of 32 rows see up to 31 keys more than
// their rows do, a quarter of all pairs at 128 tokens and an eighth at 256.
const fitFrom = 256

// goals of the cost against the length.
func (f Fit) goals() []Goal {
	long := slices.DeleteFunc(slices.Clone(f.Points), func(p FitPoint) bool { return p.Tokens < fitFrom })
	if len(long) < 2 {
		return nil
	}
	att, lin := Goal{What: "attention off its quadratic count, from 256 tokens on", Goal: 0.15, AtMost: true}, Goal{What: "linear parts off a constant cost a token", Goal: 0.1, AtMost: true}
	for _, p := range long {
		if v := math.Abs(p.AttentionOff); v >= att.Value {
			att.Value, att.Low, att.High = v, v-1.96*p.attentionOffErr, v+1.96*p.attentionOffErr
		}
		if v := math.Abs(p.LinearOff); v >= lin.Value {
			lin.Value, lin.Low, lin.High = v, v, v
		}
	}
	return []Goal{att, lin}
}
