package ptq

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"

	"github.com/illm-go/illm/pkg/artifact"
	"github.com/illm-go/illm/pkg/model"
	"github.com/illm-go/illm/pkg/quant"
)

// Semantics numbers the meaning of the integer forward pass. It rises only when
// the golden logit hash changes; records of another number never mix.
const Semantics = 1

// maxContext is the longest context of the integer engine: beyond it the sums of
// P×V would need wider accumulators.
const maxContext = 65535

// Options of Quantize; the zero value uses every core and stays silent.
type Options struct {
	Threads  int
	Name     string                             // model name kept in the artefact
	Progress func(done, total int, what string) // called after each tensor, one call at a time
}

// job is one tensor to quantise and where its description goes.
type job struct {
	name    string // of the tensor, without ".weight"
	out, in int
	bits    int
	extra   float64
}

// Quantize writes the artefact of m at path: weights rounded to nearest at the
// widths of spec, norms, RoPE phases, residual grid from cal, tokenizer. It
// returns the artefact's identity. The same model, widths and calibration give
// the same bytes, whatever the machine and the number of threads.
//
// Errors: a weight that is no finite number (with tensor and channel), a tensor
// of another shape than the configuration says, a full disk. Nothing is left at
// path then.
func Quantize(ctx context.Context, m *model.Model, spec quant.Spec, cal Calibration, path string, opt Options) (id string, err error) {
	if err := spec.Validate(); err != nil {
		return "", fmt.Errorf("ptq: %w", err)
	}
	if r := spec.Recipe; m.Config.TiedHead && r.Emb != 16 && r.Emb != r.Head {
		return "", fmt.Errorf("ptq: recipe %s: this model's head is its embedding: expected one width for both, or emb16, found head %d and embedding %d bits", r.Name, r.Head, r.Emb)
	}
	kr, err := residualGrid(cal.MaxAbs)
	if err != nil {
		return "", fmt.Errorf("ptq: %w", err)
	}
	source, err := m.Hash()
	if err != nil {
		return "", fmt.Errorf("ptq: hash of the model: %w", err)
	}
	c := m.Config
	h := &artifact.Header{Architecture: "llama", Name: opt.Name, Layers: c.Layers, Hidden: c.Hidden, Heads: c.Heads, KVHeads: c.KVHeads,
		HeadDim: c.HeadDim, FFN: c.FFN, Vocab: c.Vocab, MaxContext: min(c.MaxContext, maxContext), TiedHead: c.TiedHead, BOS: c.BOS, EOS: c.EOS,
		Spec: spec, KR: kr, Method: "rtn", Semantics: Semantics, Source: source, Calibration: cal.Hash}
	w, err := artifact.Create(path)
	if err != nil {
		return "", fmt.Errorf("ptq: %w", err)
	}
	defer w.Abort()
	if err := writeLinears(ctx, w, h, m, opt); err != nil {
		return "", fmt.Errorf("ptq: quantise: %w", err)
	}
	if spec.Recipe.Emb == 16 {
		if err := writeEmbed16(w, h, m); err != nil {
			return "", fmt.Errorf("ptq: quantise: %w", err)
		}
	}
	if err := writeNorms(w, h, m); err != nil {
		return "", fmt.Errorf("ptq: quantise: %w", err)
	}
	h.Phi = w.Uint64s(phases(c.RopeFrequencies()))
	if m.Tokenizer != nil {
		h.Tokenizer = w.Bytes(m.Tokenizer.Marshal())
	}
	return w.Finish(h)
}

// jobs lists the matrices in the order of the file.
func jobs(c model.Config, r quant.Recipe) []job {
	var list []job
	if r.Emb != 16 {
		list = append(list, job{"model.embed_tokens", c.Vocab, c.Hidden, r.Emb, 1})
	} else if c.TiedHead { // the head keeps its own table
		list = append(list, job{"model.embed_tokens", c.Vocab, c.Hidden, r.Head, 1})
	}
	for i := range c.Layers {
		p := fmt.Sprintf("model.layers.%d.", i)
		list = append(list,
			job{p + "self_attn.q_proj", c.Heads * c.HeadDim, c.Hidden, r.Weight, inverseRoot(c.HeadDim)},
			job{p + "self_attn.k_proj", c.KVHeads * c.HeadDim, c.Hidden, r.Weight, 1},
			job{p + "self_attn.v_proj", c.KVHeads * c.HeadDim, c.Hidden, r.Weight, 1},
			job{p + "self_attn.o_proj", c.Hidden, c.Heads * c.HeadDim, r.Weight, 1},
			job{p + "mlp.gate_proj", c.FFN, c.Hidden, r.Weight, 1},
			job{p + "mlp.up_proj", c.FFN, c.Hidden, r.Weight, 1},
			job{p + "mlp.down_proj", c.Hidden, c.FFN, r.Weight, 1})
	}
	if !c.TiedHead {
		list = append(list, job{"lm_head", c.Vocab, c.Hidden, r.Head, 1})
	}
	return list
}

// writeLinears quantises the matrices on several workers and writes them in
// order; only a few are in memory at a time.
func writeLinears(ctx context.Context, w *artifact.Writer, h *artifact.Header, m *model.Model, opt Options) error {
	threads := opt.Threads
	if threads <= 0 {
		threads = runtime.GOMAXPROCS(0)
	}
	list := jobs(m.Config, h.Spec.Recipe)
	type result struct {
		q     *matrix
		panel []byte
		err   error
	}
	ctx, cancel := context.WithCancel(ctx)
	results := make([]chan result, len(list))
	for i := range results {
		results[i] = make(chan result, 1)
	}
	slots := make(chan struct{}, threads+1) // bounds the matrices in memory
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	wg.Go(func() {
		for i, j := range list {
			select {
			case slots <- struct{}{}:
			case <-ctx.Done():
				return
			}
			wg.Go(func() {
				q, err := quantizeTensor(m, j)
				var panel []byte
				if err == nil {
					panel = q.panel()
				}
				results[i] <- result{q, panel, err}
			})
		}
	})
	for i, j := range list {
		var r result
		select {
		case r = <-results[i]:
		case <-ctx.Done():
			return ctx.Err()
		}
		if r.err != nil {
			return r.err
		}
		e := artifact.Linear{Name: j.name, Out: j.out, In: j.in, Bits: j.bits, KW: r.q.kw,
			Panel: w.Bytes(r.panel), Zero: w.Bytes(r.q.zero), M: w.Int32s(r.q.m)}
		if j.bits == 8 {
			e.SumW = w.Int32s(r.q.sumW)
		}
		h.Linears = append(h.Linears, e)
		<-slots
		if opt.Progress != nil {
			opt.Progress(i+1, len(list), j.name)
		}
	}
	return nil
}

func quantizeTensor(m *model.Model, j job) (*matrix, error) {
	name := j.name + ".weight"
	v, err := m.Float32(name, nil)
	if err != nil {
		return nil, err
	}
	return quantizeRows(name, v, j.out, j.in, j.bits, j.extra)
}

// writeNorms writes Γ of every norm: the smoothing factors of the linears behind it belong here.
func writeNorms(w *artifact.Writer, h *artifact.Header, m *model.Model) error {
	c := m.Config
	e, err := normEpsilon(c.NormEpsText, c.Hidden, h.KR)
	if err != nil {
		return err
	}
	var names []string
	for i := range c.Layers {
		p := fmt.Sprintf("model.layers.%d.", i)
		names = append(names, p+"input_layernorm", p+"post_attention_layernorm")
	}
	for _, name := range append(names, "model.norm") {
		gamma, err := m.Float32(name+".weight", nil)
		if err != nil {
			return err
		}
		if len(gamma) != c.Hidden {
			return fmt.Errorf("%s: expected %d channels, found %d", name, c.Hidden, len(gamma))
		}
		g, k, err := normGamma(gamma, nil)
		if err != nil {
			return errors.Join(fmt.Errorf("%s", name), err)
		}
		h.Norms = append(h.Norms, artifact.Norm{Name: name, N: c.Hidden, KGamma: k, E: e, Gamma: w.Int32s(g)})
	}
	return nil
}
