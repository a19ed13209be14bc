package engine

import (
	"github.com/illm-go/illm/pkg/di"
	"github.com/illm-go/illm/pkg/simd/gemm"
)

// lastLogits returns the logits behind the chunk's last row.
func (s *Session) lastLogits() Logits {
	w := s.workers[0]
	s.growLogits(w)
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

func (s *Session) growLogits(w *worker) {
	if n := s.m.head.Out; len(w.logits) < n {
		w.logits = make([]int64, n)
	}
}

// headPhase computes the logits of whole row blocks and hands them to the sink. A vocabulary's row of int64 is as long as
// the second-level cache: it is made for one token at a time, so that the sink reads it where it lies.
func (s *Session) headPhase(id int) {
	w, l := s.workers[id], s.m.head
	s.growLogits(w)
	t, ld := w.logits[:l.Out], gemm.Pad(l.Out)
	for {
		b, ok := s.take()
		if !ok || s.fault.Load() != nil {
			return
		}
		rows := b.to - b.from
		s.normRows(w, b, s.m.final, s.m.widths.Head)
		if len(w.acc) < rows*ld {
			w.acc = make([]int32, rows*ld)
		}
		multiply(w.acc, ld, w.x.Codes, w.x.Stride, rows, l, 0, panels(l))
		for i := range rows {
			p := w.x.Params[i]
			di.Accumulate(t, w.acc[i*ld:][:l.Out], p, l, 0)
			if err := s.sink(s.sinkBase+b.from+i, Logits{T: t, M: p.M, K: p.K + l.KW}); err != nil {
				s.fault.CompareAndSwap(nil, &err)
				return
			}
		}
	}
}
