package bench

import (
	"fmt"
	"math"

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
	AttentionOff            float64 // of Attention from Row·T + Pair·T(T+1)/2, relative
	attentionOffErr         float64
}

// Fit is the cost of a prompt of T tokens as Fixed + Token·T + Whole·T(T+1)/2, in milliseconds, by least squares of the
// relative residuals; and attention alone, from the profile's share, as Row·T + Pair·T(T+1)/2: what a row of scores costs
// whatever its length (scales, divisions, the blocks' ends), and what each pair costs.
type Fit struct {
	Fixed, Token, Whole float64
	Row, Pair           float64
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
	x, ok := solve(design, ones)
	if !ok {
		return f
	}
	f.Token, f.Whole = x[0], x[1]
	if columns == 3 {
		f.Fixed = x[2]
	}
	f.attention()
	var linear float64
	var measured, fitted, weights []float64
	for i := range f.Points {
		p := &f.Points[i]
		p.Fitted = f.Fixed + f.Token*float64(p.Tokens) + f.Whole*p.Pairs
		measured, fitted, weights = append(measured, p.Total), append(fitted, p.Fitted), append(weights, 1/(p.Total*p.Total))
		linear += p.Linear / float64(p.Tokens) / float64(n)
	}
	f.R2 = stat.RSquaredFrom(fitted, measured, weights)
	for i := range f.Points {
		p := &f.Points[i]
		p.LinearOff = p.Linear/float64(p.Tokens)/linear - 1
		if want := f.Row*float64(p.Tokens) + f.Pair*p.Pairs; want > 0 {
			p.AttentionOff, p.attentionOffErr = p.Attention/want-1, p.AttentionErr/want
		}
	}
	return f
}

// solve is the least-squares solution of a·x = b.
func solve(a *mat.Dense, b *mat.VecDense) (x []float64, ok bool) {
	var qr mat.QR
	var v mat.VecDense
	qr.Factorize(a)
	if err := qr.SolveVecTo(&v, false, b); err != nil {
		return nil, false
	}
	return v.RawVector().Data, true
}

// attention fits Row and Pair, each length weighted by its error.
func (f *Fit) attention() {
	n := 0
	for _, p := range f.Points {
		if p.AttentionErr > 0 {
			n++
		}
	}
	if n < 2 {
		return
	}
	design, b := mat.NewDense(n, 2, nil), mat.NewVecDense(n, nil)
	i := 0
	for _, p := range f.Points {
		if p.AttentionErr > 0 {
			design.SetRow(i, []float64{float64(p.Tokens) / p.AttentionErr, p.Pairs / p.AttentionErr})
			b.SetVec(i, p.Attention/p.AttentionErr)
			i++
		}
	}
	if x, ok := solve(design, b); ok {
		f.Row, f.Pair = x[0], x[1]
	}
}

// RowShare is the part of attention's time that a prompt of n tokens spends on what a row costs whatever its length.
func (f Fit) RowShare(n int) float64 {
	row := f.Row * float64(n)
	if all := row + f.Pair*float64(n)*float64(n+1)/2; all > 0 {
		return row / all
	}
	return 0
}

// countFrom is the shortest prompt whose attention is held against the count of pairs alone: below, what a row costs
// whatever its length shows.
const countFrom = 1024

// goals of the cost against the length.
func (f Fit) goals() []Goal {
	if len(f.Points) < 3 {
		return nil
	}
	off := Goal{What: "attention off a cost a row and a cost a pair", Goal: 0.15, AtMost: true}
	count := Goal{What: fmt.Sprintf("attention's cost a pair, the longest prompt's by that of %d tokens, off 1", countFrom), Goal: 0.15, AtMost: true}
	lin := Goal{What: "linear parts off a constant cost a token", Goal: 0.1, AtMost: true}
	var long []FitPoint
	for _, p := range f.Points {
		if v := math.Abs(p.AttentionOff); v >= off.Value {
			off.Value, off.Low, off.High = v, max(0, v-1.96*p.attentionOffErr), v+1.96*p.attentionOffErr
		}
		if v := math.Abs(p.LinearOff); v >= lin.Value {
			lin.Value, lin.Low, lin.High = v, v, v
		}
		if p.Tokens >= countFrom {
			long = append(long, p)
		}
	}
	out := []Goal{lin, off}
	if n := len(long); n > 1 {
		a, b := long[0], long[n-1]
		ratio := b.Attention / b.Pairs / (a.Attention / a.Pairs)
		err := 1.96 * ratio * math.Hypot(a.AttentionErr/a.Attention, b.AttentionErr/b.Attention)
		count.Value, count.Low, count.High = math.Abs(ratio-1), max(0, math.Abs(ratio-1)-err), math.Abs(ratio-1)+err
		out = append(out, count)
	}
	return out
}
