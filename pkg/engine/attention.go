package engine

import (
	"github.com/illm-go/illm/pkg/di"
	"github.com/illm-go/illm/pkg/quant"
	"github.com/illm-go/illm/pkg/simd/gemm"
	"github.com/illm-go/illm/pkg/simd/vec"
)

// attentionPhase takes tasks of one KV head and one row block: scores over all
// visible keys, softmax, and the product with the values, for each query head
// of the group.
func (s *Session) attentionPhase(id int) {
	w := s.workers[id]
	tasks := len(s.blocks) * s.m.kv
	for {
		i := int(s.next.Add(1)) - 1
		if i >= tasks {
			return
		}
		// the longest rows first, so that the workers end together
		g, group := i%s.m.kv, s.m.heads/s.m.kv
		s.attend(w, s.blocks[len(s.blocks)-1-i/s.m.kv], g*group, (g+1)*group)
	}
}

// unit is the number of query heads in a task of a narrow chunk. A single row goes by whole groups, whose queries read
// the keys and values once for all; several rows fill the tiles themselves, so that the tasks can be smaller.
func (s *Session) unit() int {
	if s.single() {
		return s.m.heads / s.m.kv
	}
	return 1
}

// headsPhase is the attention of a narrow chunk: the tasks [from, to) of unit heads each.
func (s *Session) headsPhase(id, from, to int) {
	n := s.unit()
	s.attend(s.workers[id], s.blocks[0], from*n, to*n)
}

// attend computes the rows of b for the query heads [h0, h1).
func (s *Session) attend(w *worker, b span, h0, h1 int) {
	m := s.m
	if m.wide() {
		s.attendWide(w, b, h0, h1)
		return
	}
	rows, group := b.to-b.from, m.heads/m.kv
	keys := s.pos + b.to // visible to the block's last row
	ldn := gemm.Pad(keys)
	ldm := gemm.Pad(m.d)
	n := s.unit() // heads at once; with more than one, rows is 1
	lines := n * rows
	w.reserve(lines, ldn, ldm)
	for h := h0; h < h1; h += n {
		c, at := s.cache[s.layer][h/group], h*s.rows+b.from
		c.scores(w.scoreAcc, ldn, s.q[at*s.dstride:], s.dstride, lines, keys)
		for i := range lines {
			head, row := h+i/rows, b.from+i%rows
			visible := s.pos + row + 1
			q := s.qp[at+i]
			score := w.score[:visible]
			lo, hi, k := di.Scores(score, w.scoreAcc[i*ldn:][:visible], q, c.keys, visible, m.d)
			least := lo
			if fixed := m.blocks[s.layer].scores; fixed != nil {
				lo = fixed[head].Floor(score, lo, hi, q.M, k)
			}
			nlo, nhi := w.n[i*ldn:][:ldn], w.n[(lines+i)*ldn:][:ldn]
			if m.spec.Mode == quant.Published {
				w.soft[s.layer].Softmax(w.e[:visible], score, lo, hi, q.M, k)
				s.pv[row*m.heads+head] = di.WeightsPublished(nlo[:visible], nhi[:visible], w.e[:visible], c.values, visible)
			} else {
				s.pv[row*m.heads+head] = di.SoftmaxWeights(w.soft[s.layer], nlo[:visible], nhi[:visible], w.e, w.score, score, least, lo, hi, q.M, k, c.values)
			}
			clear(nlo[visible:])
			clear(nhi[visible:])
		}
		c.mix(w.mixAcc, ldm, w.n, ldn, 2*lines, keys)
		for i := range lines {
			from := ((b.from+i%rows)*m.heads + h + i/rows) * m.d
			di.Join(s.mix[from:from+m.d], w.mixAcc[(lines+i)*ldm:], w.mixAcc[i*ldm:])
		}
	}
}

// reserve grows the attention scratch; in steady state it does nothing.
func (w *worker) reserve(rows, keys, channels int) {
	if n := rows * keys; cap(w.scoreAcc) < n || len(w.n) < 2*n {
		w.scoreAcc = make([]int32, n)
		w.n = make([]uint8, 2*n)
	}
	if len(w.e) < keys {
		w.score = make([]int64, (keys+vec.FoldedBlock-1)&^(vec.FoldedBlock-1))
		w.e = make([]int32, keys)
	}
	if n := 2 * rows * channels; len(w.mixAcc) < n {
		w.mixAcc = make([]int32, n)
	}
}
