package pretrain

import (
	"strings"

	"github.com/gomlx/gomlx/backends"
	"github.com/gomlx/gomlx/pkg/core/dtypes"

	"github.com/illm-go/illm/pkg/model"
	"github.com/illm-go/illm/pkg/tape"
)

// Scalars of a step, in one input.
const (
	scalarRate   = iota // learning rate
	scalarFirst         // 1/(1 − β₁ᵗ)
	scalarSecond        // 1/(1 − β₂ᵗ)
	scalarDecay         // of the moving average
	numScalars
)

// adamw names the constants of the optimizer and of what surrounds it.
type adamw struct {
	tape.AdamW
	decay, clip float64
	embedDecay  bool // weight decay on embeddings and positions too
	average     bool // keep a moving average of the weights
}

// decayOf is the weight decay of a tensor: only matrices decay.
func (o adamw) decayOf(p Tensor) float64 {
	if len(p.Dims) == 2 && (o.embedDecay || !strings.HasPrefix(p.Name, "model.embed")) {
		return o.decay
	}
	return 0
}

// shape says what a program is built for.
type shape struct {
	batch, window, chunks int
	compute               dtypes.DType
	dropout               float64
}

// inputs declares one input for every tensor, under its name with a prefix.
func inputs(g *tape.Graph, prefix string, ts []Tensor) []tape.Val {
	vs := make([]tape.Val, len(ts))
	for i, p := range ts {
		vs[i] = g.Input(prefix+strings.ReplaceAll(p.Name, ".", "_"), tape.F32, p.Dims...)
	}
	return vs
}

func nodes(ts []Tensor, vs []tape.Val) map[string]*tape.Node {
	m := map[string]*tape.Node{}
	for i, p := range ts {
		m[p.Name] = &tape.Node{Val: vs[i]}
	}
	return m
}

// buildStep compiles one step of training. Inputs: w, m, v and, with an average, a of every tensor; tokens [B, T+1];
// the scalars; with dropout a seed. Outputs: the new w, m, v, a; then loss and norm of the gradient as [2].
func buildStep(backend backends.Backend, c model.Config, sh shape, o adamw) (backends.Executable, error) {
	ts := Tensors(c)
	return tape.Build(backend, "step", func(g *tape.Graph) []tape.Val {
		t := tape.New(g, sh.compute)
		w, m, v := inputs(g, "w_", ts), inputs(g, "m_", ts), inputs(g, "v_", ts)
		var avg []tape.Val
		if o.average {
			avg = inputs(g, "a_", ts)
		}
		tokens := g.Input("tokens", tape.I32, sh.batch, sh.window+1)
		scalars := g.Input("scalars", tape.F32, numScalars)
		s := func(i int) tape.Val { return g.Reshape(g.Slice(scalars, 0, i, i+1)) }
		if t.Dropout = sh.dropout; t.Dropout > 0 {
			t.Seed = g.Reshape(g.Input("seed", tape.U32, 1))
		}
		params := nodes(ts, w)
		nll := network(t, c, params, tokens, sh.chunks)
		t.Backward()

		var squares tape.Val
		for _, p := range ts {
			grad := params[p.Name].Grad
			sq := g.Total(g.Mul(grad, grad))
			if squares.OK() {
				sq = g.Add(squares, sq)
			}
			squares = sq
		}
		norm := g.Sqrt(squares)
		clip := g.Scalar(1, tape.F32)
		if o.clip > 0 {
			clip = g.Min(clip, g.Div(g.Scalar(o.clip, tape.F32), g.AddC(norm, 1e-6)))
		}
		var outW, outM, outV, outA []tape.Val
		for i, p := range ts {
			w1, m1, v1 := o.Update(g, w[i], tape.Moments{
				M: m[i], V: v[i], First: s(scalarFirst), Second: s(scalarSecond), Rate: s(scalarRate), Decay: o.decayOf(p),
			}, g.Mul(params[p.Name].Grad, clip))
			outW, outM, outV = append(outW, w1), append(outM, m1), append(outV, v1)
			if o.average {
				outA = append(outA, g.Add(w1, g.Mul(g.Sub(avg[i], w1), s(scalarDecay))))
			}
		}
		loss := g.Scale(g.Total(nll), 1/float64(sh.batch*sh.window))
		stats := g.Concat(0, g.Reshape(loss, 1), g.Reshape(norm, 1))
		outs := append(append(append(outW, outM...), outV...), outA...)
		return append(outs, stats)
	})
}

// buildEval compiles the loss alone. Inputs: w of every tensor; tokens [B, T+1]. Output: the sum of −log p of each
// window [B].
func buildEval(backend backends.Backend, c model.Config, sh shape) (backends.Executable, error) {
	ts := Tensors(c)
	return tape.Build(backend, "eval", func(g *tape.Graph) []tape.Val {
		t := tape.New(g, sh.compute)
		w := inputs(g, "w_", ts)
		tokens := g.Input("tokens", tape.I32, sh.batch, sh.window+1)
		nll := network(t, c, nodes(ts, w), tokens, sh.chunks)
		return []tape.Val{g.Reshape(g.Sum(g.Reshape(nll, sh.batch, sh.window), 1), sh.batch)}
	})
}

// buildGradients compiles loss and gradients, for the tests. Inputs as buildEval; outputs: the mean loss [1], then the
// gradient of every tensor.
func buildGradients(backend backends.Backend, c model.Config, sh shape) (backends.Executable, error) {
	ts := Tensors(c)
	return tape.Build(backend, "gradients", func(g *tape.Graph) []tape.Val {
		t := tape.New(g, sh.compute)
		params := nodes(ts, inputs(g, "w_", ts))
		tokens := g.Input("tokens", tape.I32, sh.batch, sh.window+1)
		if t.Dropout = sh.dropout; t.Dropout > 0 {
			t.Seed = g.Reshape(g.Input("seed", tape.U32, 1))
		}
		nll := network(t, c, params, tokens, sh.chunks)
		t.Backward()
		outs := []tape.Val{g.Reshape(g.Scale(g.Total(nll), 1/float64(sh.batch*sh.window)), 1)}
		for _, p := range ts {
			outs = append(outs, params[p.Name].Grad)
		}
		return outs
	})
}
