package pretrain

import (
	"fmt"
	"strings"

	"github.com/gomlx/gomlx/backends"
	"github.com/gomlx/gomlx/pkg/core/dtypes"
	"github.com/gomlx/gomlx/pkg/core/shapes"

	"github.com/illm-go/illm/pkg/model"
)

// Scalars of a step, in one input.
const (
	scalarRate   = iota // learning rate
	scalarFirst         // 1/(1 − β₁ᵗ)
	scalarSecond        // 1/(1 − β₂ᵗ)
	scalarDecay         // of the moving average
	numScalars
)

// adamw names the constants of the optimizer.
type adamw struct {
	beta1, beta2, eps, decay, clip float64
	embedDecay                     bool // weight decay on embeddings and positions too
	average                        bool // keep a moving average of the weights
}

// update returns the next parameter, its moments and its average. g is the clipped gradient.
//
//	m ← β₁·m + (1−β₁)·g,   v ← β₂·v + (1−β₂)·g²
//	w ← w − rate·(m̂/(√v̂ + ε) + decay·w),   m̂ = m/(1−β₁ᵗ),   v̂ = v/(1−β₂ᵗ)
//
// Only matrices decay. Source: Loshchilov and Hutter, arXiv:1711.05101, algorithm 2.
func (t *tape) update(o adamw, p Tensor, w, m, v, g val, s func(int) val) (w1, m1, v1 val) {
	m1 = t.add(t.scale(m, o.beta1), t.scale(g, 1-o.beta1))
	v1 = t.add(t.scale(v, o.beta2), t.scale(t.mul(g, g), 1-o.beta2))
	step := t.div(t.mul(m1, s(scalarFirst)), t.addc(t.sqrt(t.mul(v1, s(scalarSecond))), o.eps))
	if o.decay != 0 && len(p.Dims) == 2 && (o.embedDecay || !strings.HasPrefix(p.Name, "model.embed")) {
		step = t.add(step, t.scale(w, o.decay))
	}
	return t.sub(w, t.mul(step, s(scalarRate))), m1, v1
}

// shape says what a program is built for.
type shape struct {
	batch, window, chunks int
	compute               dtypes.DType
	dropout               float64
}

// inputs declares one input for every tensor, under its name with a prefix.
func (g *graph) inputs(prefix string, ts []Tensor) []val {
	vs := make([]val, len(ts))
	for i, p := range ts {
		vs[i] = g.input(prefix+strings.ReplaceAll(p.Name, ".", "_"), f32, p.Dims...)
	}
	return vs
}

func nodes(ts []Tensor, vs []val) map[string]*node {
	m := map[string]*node{}
	for i, p := range ts {
		m[p.Name] = &node{val: vs[i]}
	}
	return m
}

// buildStep compiles one step of training. Inputs: w, m, v and, with an average, a of every tensor; tokens [B, T+1];
// the scalars; with dropout a seed. Outputs: the new w, m, v, a; then loss and norm of the gradient as [2].
func buildStep(backend backends.Backend, c model.Config, sh shape, o adamw) (backends.Executable, error) {
	ts := Tensors(c)
	return build(backend, "step", func(g *graph) []val {
		t := newTape(g, sh.compute)
		w, m, v := g.inputs("w_", ts), g.inputs("m_", ts), g.inputs("v_", ts)
		var avg []val
		if o.average {
			avg = g.inputs("a_", ts)
		}
		tokens := g.input("tokens", i32, sh.batch, sh.window+1)
		scalars := g.input("scalars", f32, numScalars)
		s := func(i int) val { return g.reshape(g.slice(scalars, 0, i, i+1)) }
		if t.dropout = sh.dropout; t.dropout > 0 {
			t.seed = g.reshape(g.input("seed", u32, 1))
		}
		params := nodes(ts, w)
		nll := t.network(c, params, tokens, sh.chunks)
		t.backward()

		var squares val
		for _, p := range ts {
			grad := params[p.Name].grad
			sq := g.total(g.mul(grad, grad))
			if squares.ok() {
				sq = g.add(squares, sq)
			}
			squares = sq
		}
		norm := g.sqrt(squares)
		clip := g.scalar(1, f32)
		if o.clip > 0 {
			clip = g.min(clip, g.div(g.scalar(o.clip, f32), g.addc(norm, 1e-6)))
		}
		var outW, outM, outV, outA []val
		for i, p := range ts {
			w1, m1, v1 := t.update(o, p, w[i], m[i], v[i], g.mul(params[p.Name].grad, clip), s)
			outW, outM, outV = append(outW, w1), append(outM, m1), append(outV, v1)
			if o.average {
				outA = append(outA, g.add(w1, g.mul(g.sub(avg[i], w1), s(scalarDecay))))
			}
		}
		loss := g.scale(g.total(nll), 1/float64(sh.batch*sh.window))
		stats := g.concat(0, g.reshape(loss, 1), g.reshape(norm, 1))
		outs := append(append(append(outW, outM...), outV...), outA...)
		return append(outs, stats)
	})
}

// buildEval compiles the loss alone. Inputs: w of every tensor; tokens [B, T+1]. Output: the sum of −log p of each
// window [B].
func buildEval(backend backends.Backend, c model.Config, sh shape) (backends.Executable, error) {
	ts := Tensors(c)
	return build(backend, "eval", func(g *graph) []val {
		t := newTape(g, sh.compute)
		w := g.inputs("w_", ts)
		tokens := g.input("tokens", i32, sh.batch, sh.window+1)
		nll := t.network(c, nodes(ts, w), tokens, sh.chunks)
		return []val{g.reshape(g.sum(g.reshape(nll, sh.batch, sh.window), 1), sh.batch)}
	})
}

// buildGradients compiles loss and gradients, for the tests. Inputs as buildEval; outputs: the mean loss [1], then the
// gradient of every tensor.
func buildGradients(backend backends.Backend, c model.Config, sh shape) (backends.Executable, error) {
	ts := Tensors(c)
	return build(backend, "gradients", func(g *graph) []val {
		t := newTape(g, sh.compute)
		params := nodes(ts, g.inputs("w_", ts))
		tokens := g.input("tokens", i32, sh.batch, sh.window+1)
		if t.dropout = sh.dropout; t.dropout > 0 {
			t.seed = g.reshape(g.input("seed", u32, 1))
		}
		nll := t.network(c, params, tokens, sh.chunks)
		t.backward()
		outs := []val{g.reshape(g.scale(g.total(nll), 1/float64(sh.batch*sh.window)), 1)}
		for _, p := range ts {
			outs = append(outs, params[p.Name].grad)
		}
		return outs
	})
}

// device moves data to and from a backend.
type device struct{ backends.Backend }

func (d device) put(flat any, dt dtypes.DType, dims ...int) (backends.Buffer, error) {
	b, err := d.BufferFromFlatData(0, flat, shapes.Make(dt, dims...))
	if err != nil {
		return nil, fmt.Errorf("pretrain: copy to the device: %w", err)
	}
	return b, nil
}

func (d device) get(b backends.Buffer, dst []float32) error {
	if err := d.BufferToFlatData(b, dst); err != nil {
		return fmt.Errorf("pretrain: copy from the device: %w", err)
	}
	return nil
}

func (d device) free(bs ...backends.Buffer) {
	for _, b := range bs {
		if b != nil {
			_ = d.BufferFinalize(b) // nothing can be done about it; the collector frees it later
		}
	}
}
