package bench

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"

	"github.com/illm-go/illm/pkg/baseline"
	"github.com/illm-go/illm/pkg/di"
	"github.com/illm-go/illm/pkg/quant"
	"github.com/illm-go/illm/pkg/record"
	"github.com/illm-go/illm/pkg/simd/fvec"
	"github.com/illm-go/illm/pkg/simd/vec"
)

// operators times single rows. A contender of each is
//
//	integer         the integer operator, from the engine's integers to what the next product reads
//	float32         package fvec's form alone: floats in, floats out
//	float32 codes   and its result quantised (norm, SwiGLU), which the next integer product needs
//	float32 engine  and its operands converted: what stands in the engine in the integer operator's place
//	half …          the same in half precision
//
// The share that the goal is about is integer by float32 for the softmax (aligned scores to weights against scores to
// probabilities) and integer by float32 codes for the others, whose integer form ends with codes too.
func (s *study) operators(ctx context.Context) error {
	spec, err := quant.NewSpec("w8a8", s.q.Clip, s.q.Mode)
	if err != nil {
		return err
	}
	run := func(operator string, n int, list []*contender, rival string) error {
		s.q.Say(fmt.Sprintf("  %s, rows of %d", operator, n))
		if err := compete(ctx, list, s.q.Runs, s.q.Least, true); err != nil {
			return err
		}
		by := map[string]*contender{}
		var metrics []record.Metric
		for _, c := range list {
			by[c.name] = c
			metrics = append(metrics, c.timing(metricName(c.name)+"_ns", "ns", 1e9))
		}
		metrics = append(metrics, share("share", by["integer"], by[rival], record.Lower)...)
		metrics = append(metrics, share("share_alone", by["integer"], by["float32"], record.Lower)...)
		metrics = append(metrics, share("share_engine", by["integer"], by["float32 engine"], record.Lower)...)
		s.add(nil, map[string]string{"operator": operator, "n": strconv.Itoa(n)}, metrics...)
		return nil
	}
	for _, n := range s.q.Rows {
		if err := run("softmax", n, softmaxRow(spec, n), "float32"); err != nil {
			return err
		}
	}
	for _, n := range []int{576, 2048, 4096} {
		if err := run("rmsnorm", n, normRow(spec, n, false), "float32 codes"); err != nil {
			return err
		}
	}
	if err := run("layernorm", 768, normRow(spec, 768, true), "float32 codes"); err != nil {
		return err
	}
	for _, n := range []int{1536, 11008} {
		if err := run("swiglu", n, gluRow(spec, n), "float32 codes"); err != nil {
			return err
		}
	}
	return nil
}

// metricName is a contender's name as part of a metric's.
func metricName(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c == ' ' {
			b[i] = '_'
		}
	}
	return string(b)
}

func normals(rng *rand.Rand, n int, sigma float64) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(rng.NormFloat64() * sigma)
	}
	return x
}

// softmaxRow are softmaxes over n keys with scores of standard deviation 3.
func softmaxRow(spec quant.Spec, n int) []*contender {
	rng := rand.New(rand.NewPCG(uint64(n), 5))
	x, dst := normals(rng, n, 3), make([]float32, n)
	const m, k = 32768, 45
	s, lo, hi := make([]int64, n), int64(math.MaxInt64), int64(math.MinInt64)
	scratch := make([]int64, (n+vec.FoldedBlock-1)&^(vec.FoldedBlock-1))
	vals := di.NewValues(n)
	for i, v := range x {
		s[i] = int64(float64(v) * (1 << (k - 15)))
		lo, hi = min(lo, s[i]), max(hi, s[i])
		vals.M[i], vals.K[i] = 40000+rng.Uint32N(20000), 18+rng.Int32N(2)
	}
	vals.Extend(0, n)
	e, nlo, nhi := make([]int32, n), make([]uint8, n), make([]uint8, n)
	whole := func(w di.Worker) func(int) error {
		return forever(func() {
			di.SoftmaxWeights(w, nlo, nhi, e, scratch, s, lo, lo, hi, m, k, vals) // the engine's scratch is the scores' own row
		})
	}
	return []*contender{
		{name: "integer", run: whole(di.Integer(spec).NewWorker(n))},
		{name: "float32", run: forever(func() { fvec.Softmax(dst, x, fvec.Single) })},
		{name: "half", run: forever(func() { fvec.Softmax(dst, x, fvec.Half) })},
		{name: "float32 engine", run: whole(baseline.Float32(spec, baseline.OpSoftmax).NewWorker(n))},
		{name: "half engine", run: whole(baseline.Half(spec, baseline.OpSoftmax).NewWorker(n))},
	}
}

// toCodes is the float form of the dynamic requantisation.
func toCodes(dst []uint8, x []float32) {
	lo, hi := fvec.Extremes(x)
	c := 255 / (hi - lo)
	fvec.Codes(dst, x, c, int32(math.RoundToEven(float64(-lo*c))), 255)
}

// normRow are norms of a residual row of n channels on the grid 2^−18.
func normRow(spec quant.Spec, n int, layer bool) []*contender {
	const kr, kg = 18, 12
	rng := rand.New(rand.NewPCG(uint64(n), 6))
	x, dst, codes := normals(rng, n, 1), make([]float32, n), make([]uint8, n)
	gamma, beta := normals(rng, n, 1), normals(rng, n, 1)
	p := &di.Norm{KGamma: kg, KR: kr, Layer: layer, E: int64(1e-5 * float64(n) * (1 << (2 * kr)))}
	h := make([]int32, n)
	for i, v := range x {
		h[i] = int32(v * (1 << kr))
		p.Gamma = append(p.Gamma, int32(float64(gamma[i])*math.Sqrt(float64(n))*(1<<kg)))
		if layer {
			p.Beta = append(p.Beta, int64(float64(beta[i])*(1<<(30+kg))))
		}
	}
	if !layer {
		beta = nil
	}
	norm := func(prec fvec.Precision) {
		if layer {
			fvec.LayerNorm(dst, x, gamma, beta, 1e-5, prec)
		} else {
			fvec.RMSNorm(dst, x, gamma, 1e-5, prec)
		}
	}
	whole := func(w di.Worker) func(int) error { return forever(func() { w.Norm(codes, h, p, 8) }) }
	return floatForms(norm, func() { toCodes(codes, dst) }, whole, spec, baseline.OpNorm, n)
}

// gluRow are SwiGLU over n channels of 8-bit codes.
func gluRow(spec quant.Spec, n int) []*contender {
	rng := rand.New(rand.NewPCG(uint64(n), 7))
	operand := func() (r di.Row, x []float32) {
		r = di.Row{Codes: make([]uint8, n), RowParams: quant.RowParams{M: 50000, K: 21, Zero: 120}}
		x = make([]float32, n)
		for i := range x {
			r.Codes[i] = uint8(min(max(120+rng.NormFloat64()*30, 0), 255))
			x[i] = float32(int(r.Codes[i])-120) * 50000 / (1 << 21)
		}
		return r, x
	}
	gate, g := operand()
	up, u := operand()
	dst, codes := make([]float32, n), make([]uint8, n)
	act := func(prec fvec.Precision) { fvec.SwiGLU(dst, g, u, nil, prec) }
	whole := func(w di.Worker) func(int) error { return forever(func() { w.SwiGLU(codes, gate, up, nil, 8) }) }
	return floatForms(act, func() { toCodes(codes, dst) }, whole, spec, baseline.OpActivation, n)
}

// floatForms is the list of operators's comment.
func floatForms(op func(fvec.Precision), quantise func(), whole func(di.Worker) func(int) error, spec quant.Spec, ops baseline.Ops, n int) []*contender {
	return []*contender{
		{name: "integer", run: whole(di.Integer(spec).NewWorker(n))},
		{name: "float32", run: forever(func() { op(fvec.Single) })},
		{name: "float32 codes", run: forever(func() { op(fvec.Single); quantise() })},
		{name: "float32 engine", run: whole(baseline.Float32(spec, ops).NewWorker(n))},
		{name: "half", run: forever(func() { op(fvec.Half) })},
		{name: "half codes", run: forever(func() { op(fvec.Half); quantise() })},
		{name: "half engine", run: whole(baseline.Half(spec, ops).NewWorker(n))},
	}
}
