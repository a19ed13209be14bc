package engine

import (
	"github.com/illm-go/illm/pkg/di"
	"github.com/illm-go/illm/pkg/simd/gemm"
)

// headPanels is the number of head panels a worker multiplies at once: the
// accumulators of a row block stay in the cache.
const headPanels = 16

// lastLogits returns the logits behind the chunk's last row.
func (s *Session) lastLogits() Logits {
	w := s.workers[0]
	s.growLogits(w, 1)
	b := span{s.rows - 1, s.rows}
	s.normRows(w, b, s.m.final, s.m.widths.Head)
	p, l := w.x.Params[0], s.m.head
	ld := gemm.Pad(l.Out)
	if len(w.acc) < ld {
		w.acc = make([]int32, ld)
	}
	rows := s.rows
	s.rows, s.step = 1, len(s.order)-1 // one row: share the panels out
	t := w.logits[:l.Out]
	s.multiplyAll(w.x, 1, product{l: l, acc: w.acc[:ld], ld: ld, t: t})
	s.rows = rows
	return Logits{T: t, M: p.M, K: p.K + l.KW}
}

func (s *Session) growLogits(w *worker, rows int) {
	if n := rows * s.m.head.Out; len(w.logits) < n {
		w.logits = make([]int64, n)
	}
}

// headPhase computes the logits of whole row blocks and hands them to the sink.
func (s *Session) headPhase(id int) {
	w, l := s.workers[id], s.m.head
	for {
		b, ok := s.take()
		if !ok || s.fault.Load() != nil {
			return
		}
		rows := b.to - b.from
		s.growLogits(w, rows)
		s.normRows(w, b, s.m.final, s.m.widths.Head)
		total := panels(l)
		const ld = 64 * headPanels
		if len(w.acc) < rows*ld {
			w.acc = make([]int32, rows*ld)
		}
		for p0 := 0; p0 < total; p0 += headPanels {
			p1 := min(p0+headPanels, total)
			multiply(w.acc, ld, w.x.Codes, w.x.Stride, rows, l, p0, p1)
			j0, j1 := p0*64, min(p1*64, l.Out)
			for i := range rows {
				di.Accumulate(w.logits[i*l.Out:][j0:j1], w.acc[i*ld:][:j1-j0], w.x.Params[i], l, j0)
			}
		}
		for i := range rows {
			p := w.x.Params[i]
			row := Logits{T: w.logits[i*l.Out:][:l.Out], M: p.M, K: p.K + l.KW}
			if err := s.sink(s.sinkBase+b.from+i, row); err != nil {
				s.fault.CompareAndSwap(nil, &err)
				return
			}
		}
	}
}
