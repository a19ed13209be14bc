package engine

import (
	"github.com/illm-go/illm/pkg/di"
	"github.com/illm-go/illm/pkg/quant"
)

// WeightBytes is the memory of the parameters that a forward pass reads: packed
// codes, zero points, multipliers and channel sums of every linear (a tied head
// counts once), and the norms' Γ.
func (m *Model) WeightBytes() int64 {
	n := linearBytes(m.embed) + normBytes(m.final)
	if m.head != m.embed {
		n += linearBytes(m.head)
	}
	if t := m.embed16; t != nil {
		n += int64(2*len(t.Codes) + 2*len(t.M) + len(t.K))
	}
	for i := range m.blocks {
		b := &m.blocks[i]
		for _, l := range []*quant.Linear{b.q, b.k, b.v, b.o, b.gate, b.up, b.down} {
			n += linearBytes(l)
		}
		n += normBytes(b.attnNorm) + normBytes(b.mlpNorm) + int64(4*len(b.glu.Alpha))
	}
	return n
}

func linearBytes(l *quant.Linear) int64 {
	if l == nil {
		return 0
	}
	return int64(len(l.Panel) + len(l.Zero) + 4*len(l.M) + 4*len(l.SumW) + 4*len(l.Bias))
}

func normBytes(n *di.Norm) int64 { return int64(4*len(n.Gamma) + 8*len(n.Beta)) }
