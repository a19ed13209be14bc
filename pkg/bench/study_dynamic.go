package bench

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"

	"github.com/illm-go/illm/pkg/chart"
	"github.com/illm-go/illm/pkg/di"
	"github.com/illm-go/illm/pkg/dyadic"
	"github.com/illm-go/illm/pkg/quant"
	"github.com/illm-go/illm/pkg/record"
)

// dynamic times what a grid of the row's own costs beside a constant one, operator by operator, on one thread. A contender
// of each is
//
//	dynamic   the operator as the engine has it; its range comes out of the pass before, as there
//	range     the same with a pass of its own for the range: what the range would cost at most (requantisation only)
//	static    the operator on a constant grid, here that of the same row, so that no code is cut
//
// The metric extra is dynamic by static, less one, in percent. Lengths are those of the tiny models (heads of 64), SmolLM2 (576,
// 1536) and LLaMA-7B (4096, 11008).
func (s *study) dynamic(ctx context.Context) error {
	spec, err := quant.NewSpec("w8a8", s.q.Clip, s.q.Mode)
	if err != nil {
		return err
	}
	for _, c := range []struct {
		operator string
		lengths  []int
		make     func(quant.Spec, int) ([]*contender, error)
	}{{"requantisation", []int{64, 576, 1536, 4096, 11008}, requantRow}, {"rmsnorm", []int{576, 4096}, dynamicNorm}, {"swiglu", []int{1536, 11008}, dynamicGLU}} {
		for _, n := range c.lengths {
			s.q.Say(fmt.Sprintf("  %s, rows of %d", c.operator, n))
			list, err := c.make(spec, n)
			if err != nil {
				return err
			}
			if err := compete(ctx, list, s.q.Runs, s.q.Least, true); err != nil {
				return err
			}
			var metrics []record.Metric
			for _, x := range list {
				metrics = append(metrics, x.timing(x.name+"_ns", "ns", 1e9))
			}
			for _, m := range share("extra", list[0], list[1], record.Lower) {
				m.Value, m.Unit = 100*(m.Value-1), "%"
				metrics = append(metrics, m)
			}
			s.add(nil, map[string]string{"operator": c.operator, "n": strconv.Itoa(n)}, metrics...)
		}
	}
	return nil
}

// constant is the grid of a row that was quantised dynamically.
func constant(p quant.RowParams) (*di.Static, error) {
	return di.NewStatic(di.StaticGrid{M: p.M, K: p.K, Zero: p.Zero}, 8, nil)
}

// requantRow are requantisations of a product's row of n channels.
func requantRow(_ quant.Spec, n int) ([]*contender, error) {
	const m, k = 40000, 60
	rng := rand.New(rand.NewPCG(uint64(n), 8))
	t, dst := make([]int64, n), make([]uint8, n)
	for i := range t {
		t[i] = int64(rng.NormFloat64() * (1 << 40))
	}
	lo, hi := di.MinMax(t)
	dynamic := func() quant.RowParams { return di.Requant(dst, t, lo, hi, m, k, 8, dyadic.Bits) }
	g, err := constant(dynamic())
	if err != nil {
		return nil, err
	}
	return []*contender{
		{name: "dynamic", run: forever(func() { dynamic() })},
		{name: "static", run: forever(func() { g.Requant(dst, t, lo, hi, m, k) })},
		{name: "range", run: forever(func() { lo, hi := di.MinMax(t); di.Requant(dst, t, lo, hi, m, k, 8, dyadic.Bits) })},
	}, nil
}

// dynamicNorm are norms of a residual row of n channels.
func dynamicNorm(spec quant.Spec, n int) ([]*contender, error) {
	own, h := integerNorm(spec, n)
	w, codes := di.Integer(spec).NewWorker(n), make([]uint8, n)
	fixed := *own
	var err error
	if fixed.Static, err = constant(w.Norm(codes, h, own, 8)); err != nil {
		return nil, err
	}
	return []*contender{
		{name: "dynamic", run: forever(func() { w.Norm(codes, h, own, 8) })},
		{name: "static", run: forever(func() { w.Norm(codes, h, &fixed, 8) })},
	}, nil
}

// integerNorm is an RMSNorm and a residual row for it.
func integerNorm(_ quant.Spec, n int) (*di.Norm, []int32) {
	const kr, kg = 18, 12
	rng := rand.New(rand.NewPCG(uint64(n), 6))
	p := &di.Norm{KGamma: kg, KR: kr, E: int64(1e-5 * float64(n) * (1 << (2 * kr)))}
	h := make([]int32, n)
	for i := range h {
		h[i] = int32(rng.NormFloat64() * (1 << kr))
		p.Gamma = append(p.Gamma, int32(rng.NormFloat64()*(1<<kg)*16))
	}
	return p, h
}

// dynamicGLU are SwiGLUs of n channels.
func dynamicGLU(spec quant.Spec, n int) ([]*contender, error) {
	rng := rand.New(rand.NewPCG(uint64(n), 7))
	operand := func() di.Row {
		r := di.Row{Codes: make([]uint8, n), RowParams: quant.RowParams{M: 50000, K: 21, Zero: 120}}
		for i := range r.Codes {
			r.Codes[i] = uint8(min(max(120+rng.NormFloat64()*30, 0), 255))
		}
		return r
	}
	gate, up := operand(), operand()
	w, codes := di.Integer(spec).NewWorker(n), make([]uint8, n)
	own, fixed := new(di.GLU), new(di.GLU)
	var err error
	if fixed.Static, err = constant(w.SwiGLU(codes, gate, up, own, 8)); err != nil {
		return nil, err
	}
	return []*contender{
		{name: "dynamic", run: forever(func() { w.SwiGLU(codes, gate, up, own, 8) })},
		{name: "static", run: forever(func() { w.SwiGLU(codes, gate, up, fixed, 8) })},
	}, nil
}

func (m Measured) dynamicGrid() chart.Grid {
	g := chart.Grid{Left: 2, Head: []string{"operator", "row", "dynamic (ns a row)", "static (ns a row)", "dynamic costs (ns a row)", "of static (%)", "with a pass of its own for the range (ns a row)"}}
	for _, r := range m {
		g.Rows = append(g.Rows, []string{r.Axes["operator"], r.Axes["n"], cell(r, "dynamic_ns", 0), cell(r, "static_ns", 0),
			fmt.Sprintf("%+.0f", number(r, "dynamic_ns")-number(r, "static_ns")),
			fmt.Sprintf("%+.0f (%+.0f to %+.0f)", number(r, "extra"), number(r, "extra_low"), number(r, "extra_high")), cell(r, "range_ns", 0)})
	}
	return g
}

func (m Measured) dynamicChart(c *chart.Chart) {
	c.Titled("What a grid of its own costs a row, operator by operator", m.Where()+"; one thread")
	c.X, c.Y = chart.Axis{Name: "operator, row length"}, chart.Axis{Name: "Time", Unit: "ns an element", Better: chart.Lower}
	for _, name := range []string{"dynamic", "static"} {
		s := chart.Series{Name: name}
		for _, r := range m {
			if n, ok := r.AxisFloat("n"); ok && n > 0 {
				s.Points = append(s.Points, chart.Point{Label: r.Axes["operator"] + " " + r.Axes["n"], Y: number(r, name+"_ns") / n, ID: id(r)})
			}
		}
		c.Series = append(c.Series, s)
	}
	c.Size(1000, 420)
}
