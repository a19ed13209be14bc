package engine

import (
	"github.com/illm-go/illm/pkg/di"
	"github.com/illm-go/illm/pkg/quant"
)

// WeightBytes is the memory of the parameters that a forward pass reads: packed
// codes, zero points, multipliers, channel sums and biases of every linear (a tied
// head counts once), the norms' Γ and β, and the tables of learned positions.
func (m *Model) WeightBytes() int64 {
	n := linearBytes(m.embed) + normBytes(m.final)
	if m.head != m.embed {
		n += linearBytes(m.head)
	}
	n += linearBytes(m.place) + tableBytes(m.embed16) + tableBytes(m.place16)
	for i := range m.blocks {
		b := &m.blocks[i]
		for _, l := range []*quant.Linear{b.q, b.k, b.v, b.o, b.gate, b.up, b.down} {
			n += linearBytes(l)
		}
		n += normBytes(b.attnNorm) + normBytes(b.mlpNorm)
		if b.glu != nil {
			n += int64(4 * len(b.glu.Alpha))
		}
		for _, h := range []*di.HeadNorm{b.qNorm, b.kNorm} {
			if h != nil {
				n += int64(4 * len(h.Gamma))
			}
		}
	}
	return n
}

func linearBytes(l *quant.Linear) int64 {
	if l == nil {
		return 0
	}
	return int64(len(l.Panel) + len(l.Zero) + 4*len(l.M) + 4*len(l.SumW) + 4*len(l.Bias))
}

func tableBytes(t *di.Table16) int64 {
	if t == nil {
		return 0
	}
	return int64(2*len(t.Codes) + 2*len(t.M) + len(t.K))
}

func normBytes(n *di.Norm) int64 { return int64(4*len(n.Gamma) + 8*len(n.Beta)) }
