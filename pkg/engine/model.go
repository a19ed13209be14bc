package engine

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/illm-go/illm/pkg/artifact"
	"github.com/illm-go/illm/pkg/di"
	"github.com/illm-go/illm/pkg/model"
	"github.com/illm-go/illm/pkg/model/tokenizer"
	"github.com/illm-go/illm/pkg/quant"
	"github.com/illm-go/illm/pkg/simd/gemm"
	"github.com/illm-go/illm/pkg/simd/gemm4"
)

// Options select what an artefact leaves open; the zero value runs it as it was made.
type Options struct {
	// Spec replaces the artefact's settings: activation widths, clip, mode. The
	// widths of weights, head and embedding must be the artefact's own.
	Spec *quant.Spec
	// Clips is one clip value a layer, in place of the artefact's own list; nil: that list, and where it has none the Spec's
	// clip in every layer. Beside a list the Spec's clip must be the default.
	Clips quant.Clips
	// Operators replaces the non-linear operators; nil: di.Integer of the Spec. Beside clips by layer their workers must be
	// di.Clippers.
	Operators di.Operators
	// Threads is the number of workers; 0: GOMAXPROCS. It never changes a bit of the result.
	Threads int
	// Weights says where the weights are read from.
	Weights Placement
	// Linear, if not nil, may put another matrix of the same shape in a linear's place, or one with other multipliers: an
	// ablation of their widths. l is not to be changed; without SumW the sums are computed.
	Linear func(name string, l *quant.Linear) (*quant.Linear, error)
	// Static holds constant grids for some of the sites, which are dynamic otherwise; a range ratio of the artefact does not
	// act there. Grids at the inputs of the linears behind a norm and of down need the integer operators.
	Static artifact.Static
	// Residual holds the step of each channel of the residual stream in units of its grid, for codes of 16 bits
	// (di.NarrowResidual): mode published, which needs it. Other modes take none.
	Residual []int32
}

// Placement is the kind of memory that holds the weights. It never changes a bit of the result.
type Placement int

const (
	// Lazily reads the mapped file, so that opening takes milliseconds, until the model has decoded so many tokens that a
	// copy in huge pages begins to pay; then as Settled.
	Lazily Placement = iota
	// Mapped always reads the mapped file, whose pages other processes share.
	Mapped
	// Settled copies the artefact to huge pages when the model is loaded. Where the system has none to give, as Mapped.
	Settled
)

// settleAfter is the number of decoding steps that lose as much to small pages as the copy costs: a third of a step each,
// and the copy takes about as long as five steps.
const settleAfter = 16

// Model is an artefact made ready to run. It is immutable and may serve many
// sessions at once.
type Model struct {
	art     *artifact.File
	spec    quant.Spec
	widths  quant.Recipe // effective: after the mode
	clips   quant.Clips  // by layer; nil: that of spec in all of them
	ops     di.Operators
	threads int

	layers        int
	hidden, ffn   int
	heads, kv, d  int
	vocab, maxCtx int
	kr            int32
	steps16       []int32 // of the published residual stream; nil: int32
	bos, eos      int

	blocks  []block
	embed   *quant.Linear // nil where embed16 stands in for it
	head    *quant.Linear
	embed16 *di.Table16
	final   *di.Norm

	// rotations between an operator and its requantisation; nil: none
	rotateQK, rotateOut, rotateDown *di.Hadamard

	static *static // nil: every site is dynamic

	// positions: phases of RoPE, or learned rows in one of two forms
	phi     []uint64
	place   *quant.Linear
	place16 *di.Table16
	ropeMu  sync.Mutex
	table   *di.RoPE // of the longest text so far
	tok     *tokenizer.Tokenizer

	placement Placement
	steps     atomic.Int32 // narrow chunks so far, up to settleAfter
}

// block holds one decoder block. gate and glu are nil where the MLP is down(ReLU(up(x))), the head norms where q and k
// have none. How the results of the norms are requantised is theirs, for the MLP's product it is in product and, with a gate,
// in glu. scores is nil where rows of scores have their own range.
type block struct {
	attnNorm, mlpNorm          *di.Norm
	q, k, v, o, gate, up, down *quant.Linear
	glu                        *di.GLU
	qNorm, kNorm               *di.HeadNorm
	product, out               di.Product
	site                       struct {
		query, key, value []di.Site // by head
		gate, up          di.Site
	}
	scores []*di.StaticScores // by query head
}

// New loads the artefact's tables. The artefact must stay open while the model is used.
func New(a *artifact.File, opt Options) (*Model, error) {
	h := &a.Header
	m := &Model{art: a, spec: h.Spec, threads: opt.Threads, placement: opt.Weights, layers: h.Layers, hidden: h.Hidden, ffn: h.FFN,
		heads: h.Heads, kv: h.KVHeads, d: h.HeadDim, vocab: h.Vocab, maxCtx: h.MaxContext, kr: h.KR, bos: h.BOS, eos: h.EOS}
	if opt.Spec != nil {
		m.spec = *opt.Spec
	}
	if m.threads <= 0 {
		m.threads = runtime.GOMAXPROCS(0)
	}
	if err := m.checkSpec(h); err != nil {
		return nil, err
	}
	if m.clips = opt.Clips; m.clips == nil {
		m.clips = h.Clips
	}
	if err := m.clips.Check(m.spec, m.layers); err != nil {
		return nil, fmt.Errorf("engine: load %s: %w", a.Path, err)
	}
	m.widths = m.spec.Effective()
	if m.ops = opt.Operators; m.ops == nil {
		m.ops = di.Integer(m.spec)
	} else if m.clips != nil {
		if _, ok := m.ops.NewWorker(1).(di.Clipper); !ok {
			return nil, fmt.Errorf("engine: load %s: operators %s beside clips by layer (%s): expected the integer operators, these have one clip: take the recipe without the list", a.Path, m.ops.Name(), m.clips.Short())
		}
	}
	if m.placement == Settled {
		a.Settle()
	}
	if err := m.load(opt.Linear); err != nil {
		return nil, fmt.Errorf("engine: load %s: %w", a.Path, err)
	}
	if err := m.loadStatic(opt.Static, opt.Operators == nil); err != nil {
		return nil, fmt.Errorf("engine: load %s: %w", a.Path, err)
	}
	if err := m.loadResidual(opt.Residual); err != nil {
		return nil, fmt.Errorf("engine: load %s: %w", a.Path, err)
	}
	return m, nil
}

func (m *Model) checkSpec(h *artifact.Header) error {
	if err := m.spec.Validate(); err != nil {
		return fmt.Errorf("engine: %w", err)
	}
	was, now := h.Spec.Recipe, m.spec.Recipe
	if was.Weight != now.Weight || was.Head != now.Head || was.Emb != now.Emb {
		return fmt.Errorf("engine: recipe %s needs weights, head and embedding of %d, %d and %d bits; the artefact (%s) has %d, %d and %d: run \"illm quantize\" for it",
			now.Name, now.Weight, now.Head, now.Emb, was.Name, was.Weight, was.Head, was.Emb)
	}
	if now.KV > 8 && m.spec.Mode == quant.Published {
		return fmt.Errorf("engine: recipe %s in mode %s: its probabilities are of 8 bits and so are its values: use kv8 or narrower", now.Name, quant.Published)
	}
	return nil
}

func (m *Model) load(replace func(string, *quant.Linear) (*quant.Linear, error)) (err error) {
	linear := func(name string, out, in int) *quant.Linear {
		var l *quant.Linear
		if err != nil {
			return nil
		}
		if l, err = m.art.Linear(name, out, in); err == nil && replace != nil {
			if l, err = replace(name, l); err == nil && (l.Out != out || l.In != in) {
				err = fmt.Errorf("linear %q: expected shape [%d, %d] from Options.Linear, found [%d, %d]", name, out, in, l.Out, l.In)
			}
		}
		if err == nil && l.SumW == nil {
			l.SumW = channelSums(l)
		}
		return l
	}
	norm := func(name string, n int) *di.Norm {
		var d *di.Norm
		if err == nil {
			d, err = m.art.Norm(name, n)
		}
		return d
	}
	headNorm := func(name string) (d *di.HeadNorm) {
		if err == nil {
			d, err = m.art.HeadNorm(name)
		}
		return d
	}
	opt := m.art.Header.Architecture == model.OPT
	m.blocks = make([]block, m.layers)
	for i := range m.blocks {
		p := fmt.Sprintf("model.layers.%d.", i)
		b := &m.blocks[i]
		b.attnNorm, b.mlpNorm = norm(p+"input_layernorm", m.hidden), norm(p+"post_attention_layernorm", m.hidden)
		b.q = linear(p+"self_attn.q_proj", m.heads*m.d, m.hidden)
		b.k, b.v = linear(p+"self_attn.k_proj", m.kv*m.d, m.hidden), linear(p+"self_attn.v_proj", m.kv*m.d, m.hidden)
		b.o = linear(p+"self_attn.o_proj", m.hidden, m.heads*m.d)
		b.qNorm, b.kNorm = headNorm(p+"self_attn.q_norm"), headNorm(p+"self_attn.k_norm")
		b.up, b.down = linear(p+"mlp.up_proj", m.ffn, m.hidden), linear(p+"mlp.down_proj", m.hidden, m.ffn)
		if !opt {
			b.gate = linear(p+"mlp.gate_proj", m.ffn, m.hidden)
			if err == nil {
				b.glu, err = m.art.GLU(p+"mlp", m.ffn)
			}
		}
	}
	m.final = norm("model.norm", m.hidden)
	m.embed16 = m.art.Embed16()
	tied := m.art.Header.TiedHead
	if m.embed16 == nil || tied {
		m.embed = linear("model.embed_tokens", m.vocab, m.hidden)
	}
	if m.head = m.embed; !tied {
		m.head = linear("lm_head", m.vocab, m.hidden)
	}
	if m.embed16 != nil && tied { // the 8-bit table serves the head alone
		m.embed = nil
	}
	if opt {
		if m.place16 = m.art.Positions16(); m.place16 == nil {
			m.place = linear(artifact.Positions, m.maxCtx, m.hidden)
		}
	}
	if err != nil {
		return err
	}
	if err := m.loadSites(); err != nil {
		return err
	}
	m.phi = m.art.Phi()
	if raw := m.art.Tokenizer(); len(raw) > 0 {
		if m.tok, err = tokenizer.Unmarshal(raw); err != nil {
			return err
		}
	}
	return nil
}

// decodes counts a step of decoding and settles the weights when it is time. Other sessions read on meanwhile.
func (m *Model) decodes() {
	if m.placement == Lazily && m.steps.Load() < settleAfter && m.steps.Add(1) == settleAfter {
		m.art.Settle()
	}
}

// ropeStart is the least number of positions that rotary tables are made for.
const ropeStart = 512

// rope returns rotary tables for at least n positions, for all sessions; nil where positions are learned. They grow by
// doubling, up to the model's context: 8192 positions take longer to turn than SmolLM2 takes for its first token.
func (m *Model) rope(n int) *di.RoPE {
	if len(m.phi) == 0 {
		return nil
	}
	m.ropeMu.Lock()
	defer m.ropeMu.Unlock()
	if m.table == nil || m.table.Positions() < n {
		size := ropeStart
		for size < n {
			size *= 2
		}
		m.table = di.NewRoPE(m.phi, min(size, max(n, m.maxCtx)))
	}
	return m.table
}

// channelSums returns Σ_k of what the dot product sees, per channel: one
// product with a row of ones.
func channelSums(l *quant.Linear) []int32 {
	ones := make([]uint8, (l.In+7)&^7)
	for i := range ones[:l.In] {
		ones[i] = 1
	}
	sums := make([]int32, gemm.Pad(l.Out))
	multiply(sums, len(sums), ones, len(ones), 1, l, 0, len(sums)/64)
	return sums[:l.Out:l.Out]
}

// multiply computes the panels [p0, p1) of x·Wᵀ: acc[i*ldacc + j − 64·p0] for
// the channels j of those panels.
func multiply(acc []int32, ldacc int, x []uint8, ldx, rows int, l *quant.Linear, p0, p1 int) {
	if p0 >= p1 {
		return
	}
	n := (p1 - p0) * 64
	if l.Bits <= 4 {
		ld := gemm4.Stride(l.In)
		gemm4.MatMul(acc, ldacc, x, ldx, l.Panel[p0*ld:p1*ld], ld, rows, n, l.In)
		return
	}
	ld := gemm.Stride(l.In)
	gemm.MatMul(acc, ldacc, x, ldx, l.Panel[p0*ld:p1*ld], ld, rows, n, l.In)
}

// Spec is what the model runs with.
func (m *Model) Spec() quant.Spec { return m.spec }

// Clips is one clip value a layer, not to be changed; nil where Spec's clip acts in all of them.
func (m *Model) Clips() quant.Clips { return m.clips }

// Vocab is the number of token ids.
func (m *Model) Vocab() int { return m.vocab }

// MaxContext is the largest number of tokens in one session.
func (m *Model) MaxContext() int { return m.maxCtx }

// BOS is the token that starts a text, −1 where the model has none; EOS ends one.
func (m *Model) BOS() int { return m.bos }

// EOS is the token that ends a text, −1 where the model has none.
func (m *Model) EOS() int { return m.eos }

// Tokenizer is the artefact's own; nil where it has none.
func (m *Model) Tokenizer() *tokenizer.Tokenizer { return m.tok }

// Artifact is the file behind the model.
func (m *Model) Artifact() *artifact.File { return m.art }
