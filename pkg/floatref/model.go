package floatref

import (
	"context"
	"fmt"
	"runtime"
	"sync"

	"github.com/illm-go/illm/pkg/model"
)

// Source gives the weights by their canonical names ("model.layers.0.self_attn.q_proj.weight" …), row-major
// [out, in] float32. dst is reused where its capacity suffices. *model.Model is one; a wrapper may change the
// weights on their way, as the float simulation of the weight quantisers does.
type Source interface {
	Float32(name string, dst []float32) ([]float32, error)
}

// Options of New and NewFrom; the zero value is one worker a CPU and no tap.
type Options struct {
	Threads int // workers; 0: one for each CPU that Go may use
	Tap     Tap // sees, and may change, the tensors of the pass; nil: none

	// SiLU replaces g·σ(g) in a gated MLP; nil: the true function. An MLP with ReLU has no use for it.
	SiLU func(g float32) float32

	// Alpha gives the gains α_c > 0 of the gate inside σ, [ffn] for each block: g·σ(α·g)·u, what act-smooth leaves at run
	// time (package smooth). nil, and a nil slice: 1. SiLU, where there is one, is taken of α·g and divided by α.
	Alpha func(layer int) []float32
}

// maxThreads bounds a number that comes from a command line.
const maxThreads = 1024

// Model is a model of the LLaMA or OPT family in float32. It is immutable: sessions and calls of Logits may run
// side by side (each uses all workers).
type Model struct {
	cfg     model.Config
	threads int
	tap     Tap
	silu    func(float32) float32
	alpha   [][]float32 // [layers], each [ffn] or nil
	embed   []float32   // [vocab][hidden]
	places  []float32   // learned positions, [context][hidden]; nil with RoPE
	layers  []layer
	norm    norm
	head    *matrix
	rope    *rope // nil with learned positions

	mu   sync.Mutex
	idle *Session // kept between calls of Logits, for its memory
}

type layer struct {
	norm1, norm2         norm
	qNorm, kNorm         norm    // over each head, before RoPE; without gamma: none
	qkv, o, gateUp, down *matrix // q, k, v and gate, up side by side; gateUp is up alone where there is no gate
}

// New is NewFrom of an opened model; threads = 0 means one worker a CPU. m may be closed afterwards.
func New(m *model.Model, threads int) (*Model, error) {
	return NewFrom(m.Config, m, Options{Threads: threads})
}

// NewFrom reads all weights of a model of configuration cfg from src and packs them: about 4 bytes a parameter,
// and 4·vocab·hidden more for the embedding.
//
// It returns an error if the configuration is not one of the two families or if a tensor is missing or of
// another size than the configuration says.
func NewFrom(cfg model.Config, src Source, opt Options) (*Model, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("floatref: configuration: %w", err)
	}
	if opt.Threads < 0 || opt.Threads > maxThreads {
		return nil, fmt.Errorf("floatref: new model: expected 0 to %d threads, found %d", maxThreads, opt.Threads)
	}
	m := &Model{cfg: cfg, threads: opt.Threads, tap: opt.Tap, silu: opt.SiLU, layers: make([]layer, cfg.Layers), alpha: make([][]float32, cfg.Layers)}
	for i := range m.alpha {
		if opt.Alpha == nil || !cfg.Gated() {
			break
		}
		if m.alpha[i] = opt.Alpha(i); m.alpha[i] != nil && len(m.alpha[i]) != cfg.FFN {
			return nil, fmt.Errorf("floatref: new model: alpha of block %d: expected %d values, found %d", i, cfg.FFN, len(m.alpha[i]))
		}
	}
	if m.threads == 0 {
		m.threads = runtime.GOMAXPROCS(0)
	}
	var err error
	if m.embed, err = read(src, nil, model.Embedding, cfg.Vocab, cfg.Hidden); err != nil {
		return nil, err
	}
	if cfg.Rotary() {
		m.rope = newRope(cfg.RopeFrequencies())
	} else if m.places, err = read(src, nil, model.Positions, cfg.MaxContext, cfg.Hidden); err != nil {
		return nil, err
	}
	if m.norm, err = readNorm(src, "model.norm", cfg.Hidden, cfg.LayerNorm()); err != nil {
		return nil, err
	}
	errs := make([]error, cfg.Layers+1)
	scratch := make([][]float32, m.threads)
	parallel(m.threads, len(errs), func(w, i int) {
		if i < cfg.Layers {
			errs[i] = m.loadLayer(src, i, &scratch[w])
		} else {
			errs[i] = m.loadHead(src)
		}
	})
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return m, nil
}

func (m *Model) loadHead(src Source) error {
	w := m.embed
	if !m.cfg.TiedHead {
		var err error
		if w, err = read(src, nil, model.Head, m.cfg.Vocab, m.cfg.Hidden); err != nil {
			return err
		}
	}
	m.head = newMatrix(w, nil, m.cfg.Vocab, m.cfg.Hidden)
	return nil
}

func (m *Model) loadLayer(src Source, i int, scratch *[]float32) error {
	c, l := &m.cfg, &m.layers[i]
	prefix := fmt.Sprintf("model.layers.%d.", i)
	type normPart struct {
		dst  *norm
		name string
		n    int
	}
	norms := []normPart{{&l.norm1, "input_layernorm", c.Hidden}, {&l.norm2, "post_attention_layernorm", c.Hidden}}
	if c.HeadNorm {
		norms = append(norms, normPart{&l.qNorm, "self_attn.q_norm", c.HeadDim}, normPart{&l.kNorm, "self_attn.k_norm", c.HeadDim})
	}
	for _, n := range norms {
		var err error
		if *n.dst, err = readNorm(src, prefix+n.name, n.n, c.LayerNorm()); err != nil {
			return err
		}
	}
	type part struct {
		name string
		out  int
	}
	q, kv := c.Heads*c.HeadDim, c.KVHeads*c.HeadDim
	gateUp := []part{{"mlp.gate_proj", c.FFN}, {"mlp.up_proj", c.FFN}}
	if !c.Gated() {
		gateUp = gateUp[1:]
	}
	for _, g := range []struct {
		dst   **matrix
		in    int
		bias  bool
		parts []part
	}{
		{&l.qkv, c.Hidden, c.QKVBias, []part{{"self_attn.q_proj", q}, {"self_attn.k_proj", kv}, {"self_attn.v_proj", kv}}},
		{&l.o, q, c.OutBias, []part{{"self_attn.o_proj", c.Hidden}}},
		{&l.gateUp, c.Hidden, c.MLPBias, gateUp},
		{&l.down, c.FFN, c.MLPBias, []part{{"mlp.down_proj", c.Hidden}}},
	} {
		w, n := (*scratch)[:0], 0
		var bias []float32
		for _, p := range g.parts {
			t, err := read(src, w[len(w):], prefix+p.name+".weight", p.out, g.in)
			if err != nil {
				return err
			}
			w = append(w, t...) // in place where the capacity sufficed
			n += p.out
			if !g.bias {
				continue
			}
			b, err := read(src, nil, prefix+p.name+".bias", p.out)
			if err != nil {
				return err
			}
			bias = append(bias, b...)
		}
		*g.dst = newMatrix(w, bias, n, g.in)
		*scratch = w
	}
	return nil
}

// readNorm fetches the weight of a norm, and with layer its bias.
func readNorm(src Source, name string, n int, layer bool) (l norm, err error) {
	if l.gamma, err = read(src, nil, name+".weight", n); err == nil && layer {
		l.beta, err = read(src, nil, name+".bias", n)
	}
	return l, err
}

// read fetches a tensor and checks its number of values.
func read(src Source, dst []float32, name string, shape ...int) ([]float32, error) {
	w, err := src.Float32(name, dst)
	if err != nil {
		return nil, fmt.Errorf("floatref: load %s: %w", name, err)
	}
	n := 1
	for _, s := range shape {
		n *= s
	}
	if len(w) != n {
		return nil, fmt.Errorf("floatref: load %s: expected %d values %v, found %d: the weights do not belong to this configuration", name, n, shape, len(w))
	}
	return w, nil
}

// Vocab is the number of logits of a position.
func (m *Model) Vocab() int { return m.cfg.Vocab }

// Config is the configuration of the model.
func (m *Model) Config() model.Config { return m.cfg }

// Logits runs the model over tokens from an empty cache and calls fn once for each position with the logits
// of the token that follows it, [vocab].
//
// fn is called from several goroutines at a time and in no fixed order; logits is valid only during the call
// and may be changed by it. The first error of fn, or the end of ctx, stops the run and is returned.
// Memory: 8 bytes × layers × KV width × tokens for the cache and 64 × vocab × 4 bytes for each worker.
func (m *Model) Logits(ctx context.Context, tokens []int32, fn func(pos int, logits []float32) error) error {
	m.mu.Lock()
	s := m.idle
	m.idle = nil
	m.mu.Unlock()
	if s == nil || s.limit < len(tokens) {
		var err error
		if s, err = m.NewSession(max(1, len(tokens))); err != nil {
			return err
		}
	}
	s.Reset()
	err := s.run(ctx, tokens, fn)
	m.mu.Lock()
	m.idle = s
	m.mu.Unlock()
	return err
}
