package ptq

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"runtime"
	"strings"
	"sync"

	"github.com/illm-go/illm/pkg/artifact"
	"github.com/illm-go/illm/pkg/floatref"
	"github.com/illm-go/illm/pkg/model"
	"github.com/illm-go/illm/pkg/model/tokenizer"
	"github.com/illm-go/illm/pkg/quant"
	"github.com/illm-go/illm/pkg/smooth"
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

// Input is a float model as QuantizeFrom takes it: weights that need not lie in a file as they are.
type Input struct {
	Config    model.Config
	Weights   floatref.Source      // by canonical names
	Tokenizer *tokenizer.Tokenizer // nil: the artefact has none
	Hash      string               // identifies the weights, in hex

	// What smoothing leaves, see Smoothed; the zero values change nothing.
	Method   string                         // "" is "rtn"
	Factors  string                         // sha256 of the factor file, in hex
	Alpha    func(layer int) []float32      // gains of the gate inside σ, [ffn]
	Clip     func(name string) smooth.Range // of a matrix "model.layers.0.mlp.up_proj"
	Rounder  Rounder
	Rotation artifact.Rotations   // online, the counterparts are in the weights
	Ratios   artifact.RangeRatios // of the dynamic ranges
	Clips    quant.Clips          // of the softmax by layer; nil: the spec's in all
}

// Smoothed is the input whose weights are those of a: everything that the factors leave at run time goes into the
// artefact. Hash is that of the float weights behind them; the tokenizer is the caller's to add.
func Smoothed(a *smooth.Applied, hash string) (Input, error) {
	f := a.Factors()
	in := Input{Config: a.Config(), Weights: a, Hash: hash, Method: f.Meta[smooth.MetaMethod], Alpha: a.Alpha, Clip: a.Clip}
	var err error
	if in.Factors, err = f.Hash(); err != nil {
		return in, fmt.Errorf("ptq: %w", err)
	}
	if in.Ratios, err = f.Ratios(); err != nil {
		return in, fmt.Errorf("ptq: %w", err)
	}
	if in.Clips, err = f.Clips(); err != nil {
		return in, fmt.Errorf("ptq: %w", err)
	}
	in.Rotation.QK, in.Rotation.Out, in.Rotation.Down = f.Rotation.Online(a.Config())
	return in, nil
}

// job is one matrix to quantise and where its description goes.
type job struct {
	name    string // of the tensor, without ".weight"
	out, in int
	bits    int
	extra   float64
	bias    bool
}

// Quantize writes the artefact of m at path: weights rounded to nearest at the
// widths of spec, biases, norms, positions (RoPE phases or learned rows), residual
// grid from cal, tokenizer. It returns the artefact's identity. The same model,
// widths and calibration give the same bytes, whatever the machine and the number
// of threads.
//
// Errors: a weight that is no finite number (with tensor and channel), a tensor
// of another shape than the configuration says, a full disk. Nothing is left at
// path then.
func Quantize(ctx context.Context, m *model.Model, spec quant.Spec, cal Calibration, path string, opt Options) (id string, err error) {
	source, err := m.Hash()
	if err != nil {
		return "", fmt.Errorf("ptq: hash of the model: %w", err)
	}
	return QuantizeFrom(ctx, Input{Config: m.Config, Weights: m, Tokenizer: m.Tokenizer, Hash: source}, spec, cal, path, opt)
}

// QuantizeFrom is Quantize of weights from any source.
func QuantizeFrom(ctx context.Context, m Input, spec quant.Spec, cal Calibration, path string, opt Options) (id string, err error) {
	if err := m.Config.Validate(); err != nil {
		return "", fmt.Errorf("ptq: configuration: %w", err)
	}
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
	c := m.Config
	h := &artifact.Header{Architecture: c.Architecture, Name: opt.Name, Layers: c.Layers, Hidden: c.Hidden, Heads: c.Heads, KVHeads: c.KVHeads,
		HeadDim: c.HeadDim, FFN: c.FFN, Vocab: c.Vocab, MaxContext: min(c.MaxContext, maxContext), TiedHead: c.TiedHead, BOS: c.BOS, EOS: c.EOS,
		Spec: spec, KR: kr, Method: cmp.Or(m.Method, quant.RTN), Semantics: Semantics, Source: m.Hash, Calibration: cal.Hash,
		Factors: m.Factors, Rotations: m.Rotation, RangeRatios: maps.Clone(m.Ratios), Clips: m.Clips}
	h.DropUnitRatios()
	if err := h.CheckSizes(); err != nil { // not when all is quantised
		return "", fmt.Errorf("ptq: %w", err)
	}
	w, err := artifact.Create(path)
	if err != nil {
		return "", fmt.Errorf("ptq: %w", err)
	}
	defer w.Abort()
	err = writeLinears(ctx, w, h, &m, opt)
	if err == nil && spec.Recipe.Emb == 16 {
		err = writeTables16(w, h, &m)
	}
	if err == nil {
		err = writeNorms(w, h, &m)
	}
	if err == nil {
		err = writeHeadNorms(w, h, &m)
	}
	if err != nil {
		return "", fmt.Errorf("ptq: quantise: %w", err)
	}
	if err := writeGLUs(w, h, &m); err != nil {
		return "", fmt.Errorf("ptq: quantise: %w", err)
	}
	if c.Rotary() {
		h.Phi = w.Uint64s(phases(c.RopeFrequencies()))
	}
	if m.Tokenizer != nil {
		h.Tokenizer = w.Bytes(m.Tokenizer.Marshal())
	}
	return w.Finish(h)
}

// jobs lists the matrices in the order of the file.
func jobs(c model.Config, r quant.Recipe) []job {
	var list []job
	add := func(name string, out, in, bits int, extra float64, bias bool) {
		list = append(list, job{name, out, in, bits, extra, bias})
	}
	if r.Emb != 16 {
		add(artifact.Embedding, c.Vocab, c.Hidden, r.Emb, 1, false)
		if !c.Rotary() {
			add(artifact.Positions, min(c.MaxContext, maxContext), c.Hidden, r.Emb, 1, false)
		}
	} else if c.TiedHead { // the head keeps its own table
		add(artifact.Embedding, c.Vocab, c.Hidden, r.Head, 1, false)
	}
	query := inverseRoot(c.HeadDim)
	if c.HeadNorm { // 1/√d is in the norm behind W_q
		query = 1
	}
	for i := range c.Layers {
		p := fmt.Sprintf("model.layers.%d.", i)
		add(p+"self_attn.q_proj", c.Heads*c.HeadDim, c.Hidden, r.Weight, query, c.QKVBias)
		add(p+"self_attn.k_proj", c.KVHeads*c.HeadDim, c.Hidden, r.Weight, 1, c.QKVBias)
		add(p+"self_attn.v_proj", c.KVHeads*c.HeadDim, c.Hidden, r.Weight, 1, c.QKVBias)
		add(p+"self_attn.o_proj", c.Hidden, c.Heads*c.HeadDim, r.Weight, 1, c.OutBias)
		if c.Gated() {
			add(p+"mlp.gate_proj", c.FFN, c.Hidden, r.Weight, 1, c.MLPBias)
		}
		add(p+"mlp.up_proj", c.FFN, c.Hidden, r.Weight, 1, c.MLPBias)
		add(p+"mlp.down_proj", c.Hidden, c.FFN, r.Weight, 1, c.MLPBias)
	}
	if !c.TiedHead {
		add("lm_head", c.Vocab, c.Hidden, r.Head, 1, false)
	}
	return list
}

// writeLinears quantises the matrices on several workers and writes them in
// order; only a few are in memory at a time.
func writeLinears(ctx context.Context, w *artifact.Writer, h *artifact.Header, m *Input, opt Options) error {
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
		if j.bias {
			e.KB, e.Bias = r.q.kb, w.Int32s(r.q.bias)
		}
		h.Linears = append(h.Linears, e)
		<-slots
		if opt.Progress != nil {
			opt.Progress(i+1, len(list), j.name)
		}
	}
	return nil
}

func quantizeTensor(m *Input, j job) (*matrix, error) {
	name := j.name + ".weight"
	v, err := m.Weights.Float32(name, nil)
	if err != nil {
		return nil, err
	}
	if c := m.Config; j.name == artifact.Positions && len(v) == c.MaxContext*j.in {
		v = v[:j.out*j.in] // rows beyond the engine's longest context are never read
	}
	var clip smooth.Range
	if m.Clip != nil {
		clip = m.Clip(j.name)
	}
	rounder := m.Rounder
	if !strings.HasPrefix(j.name, "model.layers.") {
		rounder = nil
	}
	q, err := quantizeRows(name, v, j.out, j.in, j.bits, j.extra, clip, rounder)
	if err != nil || !j.bias {
		return q, err
	}
	name = j.name + ".bias"
	if v, err = m.Weights.Float32(name, nil); err != nil {
		return nil, err
	}
	q.bias, q.kb, err = quantizeBias(name, v, j.out, j.extra)
	return q, err
}
