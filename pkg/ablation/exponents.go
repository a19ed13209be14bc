package ablation

import (
	"fmt"
	"math/bits"
	"sync"

	"github.com/illm-go/illm/pkg/artifact"
	"github.com/illm-go/illm/pkg/chart"
	"github.com/illm-go/illm/pkg/di"
	"github.com/illm-go/illm/pkg/quant"
)

// Exponents is a set of operators that notes the exponents k of the scales m/2^k that pass through: rows behind the norms,
// scores, gate, up and their product. Rows of zeros have a scale of their own (k = B − 1) and are counted with the others.
// It changes nothing. Use it as engine.Options.Operators; safe for concurrent use.
type Exponents struct {
	inner di.Operators

	mu   sync.Mutex
	seen map[string]*span
}

// span is what was seen of one kind of scale.
type span struct {
	lo, hi int32
	n      uint64
}

func (s *span) add(k int32) {
	if s.n == 0 {
		s.lo, s.hi = k, k
	}
	s.lo, s.hi = min(s.lo, k), max(s.hi, k)
	s.n++
}

// NewExponents watches inner.
func NewExponents(inner di.Operators) *Exponents {
	return &Exponents{inner: inner, seen: map[string]*span{}}
}

// Name is that of the operators it wraps.
func (e *Exponents) Name() string { return e.inner.Name() }

// NewWorker wraps a worker.
func (e *Exponents) NewWorker(maxRow int) di.Worker {
	return &exponentWorker{Worker: e.inner.NewWorker(maxRow), all: e}
}

type exponentWorker struct {
	di.Worker
	all *Exponents
}

func (e *Exponents) add(name string, k int32) {
	e.mu.Lock()
	defer e.mu.Unlock()
	s := e.seen[name]
	if s == nil {
		s = new(span)
		e.seen[name] = s
	}
	s.add(k)
}

func (w *exponentWorker) Norm(dst []uint8, h []int32, p *di.Norm, bits int) quant.RowParams {
	out := w.Worker.Norm(dst, h, p, bits)
	w.all.add("norm's row", out.K)
	return out
}

func (w *exponentWorker) Softmax(e []int32, s []int64, lo, hi int64, m uint32, k int32) {
	w.all.add("scores before the softmax", k)
	w.Worker.Softmax(e, s, lo, hi, m, k)
}

func (w *exponentWorker) SwiGLU(dst []uint8, gate, up di.Row, p *di.GLU, bits int) quant.RowParams {
	w.all.add("gate", gate.K)
	w.all.add("up", up.K)
	out := w.Worker.SwiGLU(dst, gate, up, p, bits)
	w.all.add("gate × up", out.K)
	return out
}

func (w *exponentWorker) ReLU(dst []uint8, t []int64, lo, hi int64, m uint32, k int32, p di.Product, bits int) quant.RowParams {
	out := w.Worker.ReLU(dst, t, lo, hi, m, k, p, bits)
	w.all.add("ReLU's row", out.K)
	return out
}

// width is how many bits tell the values lo … hi apart, with a constant subtracted.
func (s *span) width() int { return bits.Len32(uint32(s.hi - s.lo)) }

// Grid lists the ranges of k, the weights' k_w of h among them.
func (e *Exponents) Grid(h *artifact.Header) chart.Grid {
	g := chart.Grid{Head: []string{"scale", "how many", "least k", "largest k", "bits above the least"}}
	row := func(name string, s *span) {
		g.Rows = append(g.Rows, []string{name, fmt.Sprint(s.n), fmt.Sprint(s.lo), fmt.Sprint(s.hi), fmt.Sprint(s.width())})
	}
	var weights span
	for _, l := range h.Linears {
		weights.add(l.KW)
	}
	row("weights, one k_w a matrix", &weights)
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, name := range sortedKeys(e.seen) {
		row("activations: "+name, e.seen[name])
	}
	return g
}
