package ablation

import (
	"math"
	"sync"

	"github.com/illm-go/illm/pkg/chart"
	"github.com/illm-go/illm/pkg/di"
)

// Scores is a set of operators that watches the softmax: over all rows of
// attention scores that pass through, how far each score lies below its row's
// maximum (natural units, so that a score at distance x gets e^−x of the
// maximum's weight). It changes nothing: the operators it wraps do the work.
//
// Use it as engine.Options.Operators. It is safe for concurrent use.
type Scores struct {
	inner di.Operators
	width float64

	mu     sync.Mutex
	counts []uint64 // scores per bin of width; the last bin holds the rest
	mass   []fixed  // Σ of attention weights per bin; every row adds 1
	keys   []fixed  // Σ over rows of the keys in the bin over the row's Σ e^−x
	ranges []uint64 // rows per bin of their range
	rows   uint64
	total  uint64
	widest float64
	sigma  fixed // Σ over rows of keys times the row's deviation
}

// fixed is a sum of real numbers in steps of 2^-bits. Rows come from several threads in
// an order of their own, and integers add up to the same in every order, so that two
// machines show the same digits. A term is wrong by half a step at most; no sum leaves 63
// bits over 2^20 rows of 2^11 keys whose deviations are below 2^12.
type fixed int64

const (
	massBits  = 42 // a row adds 1 at most
	keyBits   = 32 // its number of keys
	sigmaBits = 20 // that times its deviation
)

func toFixed(x float64, bits int) fixed { return fixed(math.RoundToEven(math.Ldexp(x, bits))) }

func (f fixed) float(bits int) float64 { return math.Ldexp(float64(f), -bits) }

// scoreBins × the bin width is the end of the drawn axis; beyond it lies one bin.
const scoreBins = 120

// NewScores watches inner with bins of the given width, 0 meaning 0.5.
func NewScores(inner di.Operators, width float64) *Scores {
	if !(width > 0) {
		width = 0.5
	}
	return &Scores{inner: inner, width: width, counts: make([]uint64, scoreBins+1), mass: make([]fixed, scoreBins+1), keys: make([]fixed, scoreBins+1), ranges: make([]uint64, scoreBins+1)}
}

// Name is that of the operators it wraps.
func (s *Scores) Name() string { return s.inner.Name() }

// NewWorker wraps a worker.
func (s *Scores) NewWorker(maxRow int) di.Worker {
	return &scoreWorker{Worker: s.inner.NewWorker(maxRow), all: s, counts: make([]uint64, scoreBins+1), mass: make([]float64, scoreBins+1)}
}

type scoreWorker struct {
	di.Worker
	all    *Scores
	counts []uint64
	mass   []float64
}

// Softmax reads the row before the wrapped operator may reuse it.
func (w *scoreWorker) Softmax(e []int32, s []int64, lo, hi int64, m uint32, k int32) {
	step := math.Ldexp(float64(m), -int(k))
	clear(w.counts)
	clear(w.mass)
	sum, first, second := 0.0, 0.0, 0.0
	for _, v := range s {
		x := float64(hi-v) * step
		first, second = first+x, second+x*x
		bin := w.all.bin(x)
		p := math.Exp(-x)
		w.counts[bin]++
		w.mass[bin] += p
		sum += p
	}
	n := float64(len(s))
	w.all.add(w.counts, w.mass, sum, float64(hi-lo)*step, math.Sqrt(max(second/n-first/n*(first/n), 0)), len(s))
	w.Worker.Softmax(e, s, lo, hi, m, k)
}

func (s *Scores) bin(x float64) int {
	if b := x / s.width; b < scoreBins {
		return int(b)
	}
	return scoreBins
}

func (s *Scores) add(counts []uint64, mass []float64, sum, span, sigma float64, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, c := range counts {
		s.counts[i] += c
		if c > 0 {
			s.mass[i] += toFixed(mass[i]/sum, massBits)
			s.keys[i] += toFixed(float64(c)/sum, keyBits)
		}
	}
	s.ranges[s.bin(span)]++
	s.rows++
	s.total += uint64(n)
	s.widest = max(s.widest, span)
	s.sigma += toFixed(float64(n)*sigma, sigmaBits)
}

// Count is the number of rows and of scores seen.
func (s *Scores) Count() (rows, scores uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.rows, s.total
}

// Beyond returns which share of the scores, and of the attention weight, lies
// farther than c below the row's maximum. c is rounded down to a bin.
func (s *Scores) Beyond(c float64) (scores, weight float64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.total == 0 {
		return 0, 0
	}
	for i := s.bin(c); i <= scoreBins; i++ {
		scores += float64(s.counts[i])
		weight += s.mass[i].float(massBits)
	}
	return scores / float64(s.total), weight / float64(s.rows)
}

// Added returns the attention weight that the cut at c adds: each key beyond c
// counts as if it lay at c, e^−c in place of e^−x, relative to the row's weight
// without a cut. One is as much again as all the true weight.
func (s *Scores) Added(c float64) float64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.rows == 0 {
		return 0
	}
	added := 0.0
	for i := s.bin(c); i <= scoreBins; i++ {
		added += math.Exp(-c)*s.keys[i].float(keyBits) - s.mass[i].float(massBits)
	}
	return max(added, 0) / float64(s.rows)
}

// Range returns the row range (maximum less minimum) that a share q of the rows
// does not exceed, to the bin's upper edge; q = 1 gives the widest row.
func (s *Scores) Range(q float64) float64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if q >= 1 {
		return s.widest
	}
	need, seen := q*float64(s.rows), 0.0
	for i, n := range s.ranges {
		if seen += float64(n); seen >= need && i < scoreBins {
			return float64(i+1) * s.width
		}
	}
	return s.widest
}

// Chart draws both distributions on a logarithmic axis, in percent per bin, with
// a mark at each of the given clip values.
func (s *Scores) Chart(marks ...chart.Reference) *chart.Chart {
	s.mu.Lock()
	defer s.mu.Unlock()
	all, weight := chart.Series{Name: "scores", Method: "integer"}, chart.Series{Name: "attention weight", Method: "w4a4"}
	last := 0
	for i, n := range s.counts[:scoreBins] {
		if float64(n) > 1e-6*float64(s.total) {
			last = i
		}
	}
	for i := 0; i <= last; i++ {
		p := chart.Point{X: float64(i) * s.width, To: float64(i+1) * s.width}
		p.Y = 100 * float64(s.counts[i]) / float64(max(s.total, 1))
		all.Points = append(all.Points, p)
		p.Y = 100 * s.mass[i].float(massBits) / float64(max(s.rows, 1))
		if p.Y < 1e-4 { // below the drawn range
			p.Y = 0
		}
		weight.Points = append(weight.Points, p)
	}
	return &chart.Chart{
		Kind: chart.KindHistogram, Title: "Attention scores below their row's maximum",
		X:      chart.Axis{Name: "distance below the maximum", Unit: "natural units"},
		Y:      chart.Axis{Name: "Share of all", Unit: "% per bin", Log: true},
		Series: []chart.Series{all, weight}, Marks: marks,
	}
}

// Table lists, for each clip value, what lies beyond it and how coarse 8-bit codes
// are: the step is the row's range, cut at the clip value, over 255.
func (s *Scores) Table(clips ...float64) chart.Grid {
	g := chart.Grid{Head: []string{"clip c", "scores beyond c", "attention weight beyond c", "weight the cut adds", "code step, median row", "code step, 99 % row", "code step, widest row"}}
	step := func(q, c float64) string { return fixed3(math.Min(s.Range(q), c) / 255) }
	g.Rows = append(g.Rows, []string{"none", "0 %", "0 %", "0 %", step(0.5, math.Inf(1)), step(0.99, math.Inf(1)), step(1, math.Inf(1))})
	for _, c := range clips {
		a, b := s.Beyond(c)
		g.Rows = append(g.Rows, []string{trim(c), percent(a), percent(b), percent(s.Added(c)), step(0.5, c), step(0.99, c), step(1, c)})
	}
	return g
}
