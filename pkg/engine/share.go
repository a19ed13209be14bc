package engine

import (
	"github.com/illm-go/illm/pkg/quant"
	"github.com/illm-go/illm/pkg/simd/gemm"
)

// product is one matrix of a shared input, its result and the result's row length.
type product struct {
	l   *quant.Linear
	acc []int32
	ld  int
}

// multiplyAll computes several products of the same rows. In a narrow chunk the
// panels of all of them are shared out to the workers.
func (s *Session) multiplyAll(x []uint8, ldx, rows int, jobs ...product) {
	if !s.narrow() || s.pool.n == 1 {
		for _, j := range jobs {
			multiply(j.acc, j.ld, x, ldx, rows, j.l, 0, panels(j.l))
		}
		return
	}
	s.njobs = copy(s.jobs[:], jobs)
	s.jobX, s.jobLD, s.jobRows = x, ldx, rows
	total := 0
	for _, j := range jobs {
		total += panels(j.l)
	}
	s.pool.each(total, s.runPanels)
	s.step++
}

func panels(l *quant.Linear) int { return (l.Out + 63) / 64 }

// panelPhase computes the panels [from, to), counted over all jobs.
func (s *Session) panelPhase(id, from, to int) {
	w := s.workers[id]
	w.warmStep, w.warmed = (s.step+1)%len(s.order), 0
	for _, j := range s.jobs[:s.njobs] {
		n := panels(j.l)
		if p0, p1 := max(from, 0), min(to, n); p0 < p1 {
			multiply(j.acc[p0*64:], j.ld, s.jobX, s.jobLD, s.jobRows, j.l, p0, p1)
		}
		from, to = from-n, to-n
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
