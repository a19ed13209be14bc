package bench

import (
	"context"
	"fmt"
	"strconv"

	"github.com/illm-go/illm/pkg/engine"
	"github.com/illm-go/illm/pkg/model"
	"github.com/illm-go/illm/pkg/peers"
	"github.com/illm-go/illm/pkg/record"
	"github.com/illm-go/illm/pkg/simd/gemm"
)

// work is what n tokens from an empty cache ask for: multiplications and additions of the linear layers and, once, the
// head, two to a pair (those of attention left out), and the bytes of codes that hold them, each read once.
func work(m *engine.Model, n int) (ops, bytes float64) {
	h := &m.Artifact().Header
	macs := float64(h.Hidden) * float64(h.Heads*h.HeadDim+2*h.KVHeads*h.HeadDim)
	macs += float64(h.Heads*h.HeadDim) * float64(h.Hidden)
	matrices := 3.0
	if h.Architecture == model.OPT {
		matrices = 2
	}
	macs += matrices * float64(h.Hidden) * float64(h.FFN)
	macs *= float64(h.Layers)
	head := float64(h.Hidden) * float64(h.Vocab)
	return 2 * (float64(n)*macs + head), macs*width(h.Spec.Recipe.Weight) + head*width(h.Spec.Recipe.Head)
}

// width is the bytes of a code in a panel.
func width(bits int) float64 {
	if bits <= 4 {
		return 0.5
	}
	return 1
}

// rooflineRows are the prompts that the roofline is drawn with.
func rooflineRows() []int { return []int{1, 2, 4, 8, 16, 32, 64, 128, 256, 512} }

// roofline measures the arithmetic peak and the read bandwidth in turn with prompts of rising length: their speed against
// the operations that each byte of weights is read for.
func (s *study) roofline(ctx context.Context) error {
	m, err := s.model(ctx, 0, nil)
	if err != nil {
		return err
	}
	x := newMatrices(s.threads())
	defer x.close()
	const side = 512
	one := peers.Case{Op: peers.GEMM, M: 1, N: side, K: side}
	sampled := func(f func(context.Context, peers.Case) (peers.Sample, error)) func() (float64, error) {
		return func() (float64, error) { v, err := f(ctx, one); return v.Seconds, err }
	}
	list := []*contender{{name: nameRead, sample: sampled(x.bandwidth)}}
	if gemm.PeakWork(1) > 0 {
		list = append(list, &contender{name: namePeak, sample: sampled(x.peak)})
	}
	roofs := len(list)
	var rows []int
	for _, n := range rooflineRows() {
		if n > s.q.Prefill {
			break
		}
		session, err := s.session(m, max(n, 32))
		if err != nil {
			return err
		}
		rows = append(rows, n)
		list = append(list, prompt(ctx, strconv.Itoa(n), session, s.ids[:n]))
	}
	s.q.Say(fmt.Sprintf("  two roofs and %d prompts", len(rows)))
	if err := compete(ctx, list, s.q.Runs, 1, false); err != nil {
		return err
	}
	for _, c := range list[:roofs] {
		metric := record.Metric{Name: "gbyte_s", Value: side * side / c.median() / 1e9, N: len(c.seconds), Unit: "GB/s", Better: record.Higher}
		if c.name == namePeak {
			metric = record.Metric{Name: "gops", Value: 2 * side * side / c.median() / 1e9, N: len(c.seconds), Unit: "GOPS", Better: record.Higher}
		}
		s.add(m, map[string]string{"roof": c.name}, metric)
	}
	for i, n := range rows {
		c := list[roofs+i]
		ops, bytes := work(m, n)
		s.add(m, map[string]string{"rows": strconv.Itoa(n)},
			record.Metric{Name: "ops_byte", Value: ops / bytes},
			record.Metric{Name: "gops", Value: ops / c.median() / 1e9, N: len(c.seconds), Unit: "GOPS", Better: record.Higher},
			record.Metric{Name: "gbyte_s", Value: bytes / c.median() / 1e9, N: len(c.seconds), Unit: "GB/s", Better: record.Higher})
	}
	return nil
}
