package engine

import (
	"github.com/illm-go/illm/pkg/di"
	"github.com/illm-go/illm/pkg/quant"
	"github.com/illm-go/illm/pkg/simd/gemm"
)

// product is one matrix of a shared input, its accumulators and their row length, and where T of a single row goes.
type product struct {
	l   *quant.Linear
	acc []int32
	ld  int
	t   []int64
}

// extent is min(0, min T) and max(0, max T) over some panels.
type extent struct{ lo, hi int64 }

// multiplyAll computes several products of the same rows. In a narrow chunk the
// panels of all of them are shared out to the workers, and a single row becomes
// T on the way, panel by panel: the scales are read by all workers then, like
// the weights, and the accumulators while they are still near.
func (s *Session) multiplyAll(x *quant.Acts, rows int, jobs ...product) {
	if !s.narrow() {
		for _, j := range jobs {
			multiply(j.acc, j.ld, x.Codes, x.Stride, rows, j.l, 0, panels(j.l))
		}
		return
	}
	s.njobs = copy(s.jobs[:], jobs)
	s.jobX, s.jobRows = x, rows
	total, at := 0, 0
	for i, j := range jobs {
		if s.single() {
			s.jobs[i].t = j.t
			if j.t == nil {
				s.jobs[i].t, at = s.t[at:at+j.l.Out], at+j.l.Out
			}
		}
		total += panels(j.l)
	}
	s.pool.Each(total, s.runPanels)
	s.step++
}

// single reports that the chunk is one row, whose products leave T behind.
func (s *Session) single() bool { return s.rows == 1 }

// accumulated returns n channels of T from channel from on, of row i of job k of the last multiplyAll, with their range;
// p is the header of the row that was multiplied.
func (s *Session) accumulated(w *worker, k int, j product, i int, p quant.RowParams, from, n int) (t []int64, lo, hi int64) {
	if !s.single() {
		t = w.t[:n]
		lo, hi = di.Accumulate(t, j.acc[i*j.ld+from:][:n], p, j.l, from)
		return t, lo, hi
	}
	t = s.jobs[k].t[from : from+n]
	if n < j.l.Out {
		lo, hi = di.MinMax(t)
		return t, lo, hi
	}
	first := 0
	for _, other := range s.jobs[:k] {
		first += panels(other.l)
	}
	for _, e := range s.extents[first : first+panels(j.l)] {
		lo, hi = min(lo, e.lo), max(hi, e.hi)
	}
	return t, lo, hi
}

func panels(l *quant.Linear) int { return (l.Out + 63) / 64 }

// panelPhase computes the panels [from, to), counted over all jobs.
func (s *Session) panelPhase(id, from, to int) {
	w := s.workers[id]
	w.warmStep, w.warmed = (s.step+1)%len(s.order), 0
	first, x := 0, s.jobX
	for k := range s.jobs[:s.njobs] {
		j := &s.jobs[k]
		n := panels(j.l)
		if p0, p1 := max(from-first, 0), min(to-first, n); p0 < p1 {
			acc := j.acc[p0*64:]
			multiply(acc, j.ld, x.Codes, x.Stride, s.jobRows, j.l, p0, p1)
			if s.single() {
				t := j.t[p0*64 : min(p1*64, j.l.Out)]
				lo, hi := di.Accumulate(t, acc[:len(t)], x.Params[0], j.l, p0*64)
				clear(s.extents[first+p0 : first+p1])
				s.extents[first+p0] = extent{lo, hi}
			}
		}
		first += n
	}
}

const (
	warmBytes = 512 << 10 // of a matrix at most: half a second-level cache
	warmPiece = 4 << 10   // between two looks for work
)

// order lists the matrices in the order in which a narrow chunk multiplies, one entry for each call of multiplyAll.
func (m *Model) order() [][]*quant.Linear {
	var out [][]*quant.Linear
	for i := range m.blocks {
		b := &m.blocks[i]
		mlp := []*quant.Linear{b.up}
		if b.gate != nil {
			mlp = []*quant.Linear{b.gate, b.up}
		}
		out = append(out, []*quant.Linear{b.q, b.k, b.v}, []*quant.Linear{b.o}, mlp, []*quant.Linear{b.down})
	}
	return append(out, []*quant.Linear{m.head})
}

// warm loads a piece of the panels that worker id will begin its next product with, so that the memory is not idle while
// one worker goes through norm, rotation, softmax and SwiGLU alone. It reports whether there was any left.
func (s *Session) warm(id int) bool {
	w := s.workers[id]
	if w.warmStep >= len(s.order) || w.warmed >= warmBytes {
		return false
	}
	total := 0
	for _, l := range s.order[w.warmStep] {
		total += panels(l)
	}
	from, to := portion(total, id, s.pool.n)
	at := w.warmed
	for _, l := range s.order[w.warmStep] {
		n := panels(l)
		if p0, p1 := max(from, 0), min(to, n); p0 < p1 {
			stride := len(l.Panel) / n
			b := l.Panel[p0*stride : p1*stride]
			if at < len(b) {
				gemm.PeakRead(b[at:min(at+warmPiece, len(b))])
				w.warmed += warmPiece
				return true
			}
			at -= len(b)
		}
		from, to = from-n, to-n
	}
	w.warmed = warmBytes
	return false
}
