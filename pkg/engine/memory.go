package engine

import (
	"github.com/illm-go/illm/pkg/di"
	"github.com/illm-go/illm/pkg/quant"
)

// Weights says what the parameters that a forward pass reads take in memory, byte by byte. Those of an embedding, of a head
// (a tied one counts once, with the embedding) and of learned positions stand apart, because their widths are their own.
type Weights struct {
	Codes       int64 // packed codes of the blocks' linears, padded to whole panels of 64 channels
	Zeros       int64 // zero points, a byte a channel
	Multipliers int64 // 4 bytes a channel
	Sums        int64 // of the codes of a channel, for the zero point of the activations: 4 bytes
	Biases      int64
	Norms       int64 // Γ and β, the gains of gates among them
	Embedding   int64 // the table, with its zero points, multipliers and sums; a tied head is in it
	Head        int64 // of its own
	Positions   int64 // learned ones
}

// Total is the sum.
func (w Weights) Total() int64 {
	return w.Codes + w.Zeros + w.Multipliers + w.Sums + w.Biases + w.Norms + w.Embedding + w.Head + w.Positions
}

// WeightBytes is the memory of all of them.
func (m *Model) WeightBytes() int64 { return m.Weights().Total() }

// Weights counts them.
func (m *Model) Weights() (w Weights) {
	w.Embedding = linearBytes(m.embed) + tableBytes(m.embed16)
	if m.head != m.embed {
		if m.art.Header.TiedHead { // the embedding has a table of 16 bits instead
			w.Embedding += linearBytes(m.head)
		} else {
			w.Head = linearBytes(m.head)
		}
	}
	w.Positions = linearBytes(m.place) + tableBytes(m.place16)
	w.Norms = normBytes(m.final)
	for i := range m.blocks {
		b := &m.blocks[i]
		for _, l := range []*quant.Linear{b.q, b.k, b.v, b.o, b.gate, b.up, b.down} {
			if l != nil {
				w.Codes, w.Zeros, w.Multipliers = w.Codes+int64(len(l.Panel)), w.Zeros+int64(len(l.Zero)), w.Multipliers+int64(4*len(l.M))
				w.Sums, w.Biases = w.Sums+int64(4*len(l.SumW)), w.Biases+int64(4*len(l.Bias))
			}
		}
		w.Norms += normBytes(b.attnNorm) + normBytes(b.mlpNorm)
		if b.glu != nil {
			w.Norms += int64(4 * len(b.glu.Alpha))
		}
		for _, h := range []*di.HeadNorm{b.qNorm, b.kNorm} {
			if h != nil {
				w.Norms += int64(4 * len(h.Gamma))
			}
		}
	}
	return w
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
