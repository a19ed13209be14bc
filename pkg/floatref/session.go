package floatref

import (
	"context"
	"errors"
	"fmt"

	"github.com/illm-go/illm/pkg/simd/sgemm"
)

const (
	rowBlock  = 64 // positions of a row block, and of a block of the KV cache
	narrowMax = 64 // calls of at most so many tokens are split by channels instead of rows; at most rowBlock
	attnRows  = 16 // query positions whose scores are held at a time
)

// Session is a sequence of tokens with its KV cache, for generation. One goroutine at a time may use it.
type Session struct {
	m      *Model
	limit  int
	n      int         // tokens in the cache
	blocks [][]kvBlock // [layer·KV heads + KV head][position / rowBlock]

	h, qkv  []float32 // rows of the current call: [tokens][hidden], [tokens][(heads + 2·KV heads)·head_dim]
	workers []scratch
	logits  []float32
}

// kvBlock holds the keys and values of rowBlock positions of one KV head, packed as right sides of q·kᵀ and P×V.
// A block that is not yet full also keeps its rows as they came.
type kvBlock struct {
	k, v       *sgemm.Panel
	rawK, rawV []float32
}

// scratch is the memory of one worker.
type scratch struct {
	x, wide, out         []float32 // rows: normalised or merged heads; gate, up; product
	scores, q, acc, part []float32
	inv                  []float32 // 1/Σ of each row of scores
	logits               []float32
	block                Block
}

// NewSession returns an empty session for at most maxTokens tokens. The cache grows with use:
// 8 bytes × layers × KV heads × head size a token.
func (m *Model) NewSession(maxTokens int) (*Session, error) {
	if maxTokens < 1 {
		return nil, fmt.Errorf("floatref: new session: expected room for at least 1 token, found %d", maxTokens)
	}
	if c := m.cfg.MaxContext; c > 0 && maxTokens > c {
		what := "the context of the model"
		if m.places != nil {
			what = "the learned positions of the model"
		}
		return nil, fmt.Errorf("floatref: new session: expected at most %d tokens, %s, found %d: shorten the prompt or generate less", c, what, maxTokens)
	}
	return &Session{
		m: m, limit: maxTokens,
		blocks:  make([][]kvBlock, m.cfg.Layers*m.cfg.KVHeads),
		workers: make([]scratch, m.threads),
	}, nil
}

// Len is the number of tokens in the cache.
func (s *Session) Len() int { return s.n }

// Reset empties the cache and keeps its memory.
func (s *Session) Reset() { s.n = 0 }

// Append adds tokens and returns the logits that follow the last one, [vocab], valid until the next call.
// On an error the session is as before the call.
func (s *Session) Append(tokens []int32) ([]float32, error) {
	if err := s.run(context.Background(), tokens, nil); err != nil {
		return nil, err
	}
	return s.logits, nil
}

var errNoTokens = errors.New("floatref: run: expected at least 1 token, found none")

// run is the forward pass over tokens behind the cached ones. With fn all logits are computed, without it
// those of the last position, into s.logits.
func (s *Session) run(ctx context.Context, tokens []int32, fn func(pos int, logits []float32) error) error {
	if len(tokens) == 0 {
		return errNoTokens
	}
	if s.n+len(tokens) > s.limit {
		return fmt.Errorf("floatref: run: expected at most %d tokens in all, found %d in the cache and %d new ones: shorten the prompt or make a larger session", s.limit, s.n, len(tokens))
	}
	for i, t := range tokens {
		if t < 0 || int(t) >= s.m.cfg.Vocab {
			return fmt.Errorf("floatref: run: token %d: expected an id in 0…%d, found %d: was the text encoded with another model's tokenizer?", i, s.m.cfg.Vocab-1, t)
		}
	}
	p := &pass{Session: s, Model: s.m, rows: len(tokens), all: fn != nil || s.m.tap != nil}
	if s.m.rope != nil {
		p.cos, p.sin = s.m.rope.tables(s.n + len(tokens))
	}
	p.reserve()
	p.embedRows(tokens)
	var err error
	if len(tokens) <= narrowMax {
		err = p.narrow(ctx, fn)
	} else {
		err = p.wide(ctx, fn)
	}
	if err != nil {
		return err
	}
	s.n += len(tokens)
	return nil
}

// embedRows sets the residual rows to those of the embedding, plus those of the positions where they are learned.
// The limit of the session is within the table of positions.
func (p *pass) embedRows(tokens []int32) {
	hidden := p.cfg.Hidden
	for i, t := range tokens {
		h := p.h[i*hidden:][:hidden]
		copy(h, p.embed[int(t)*hidden:])
		if p.places == nil {
			continue
		}
		for j, v := range p.places[(p.n+i)*hidden:][:hidden] {
			h[j] += v
		}
	}
}

// store puts rows r0 ≤ r < r1 of the current call, all of one block of the cache, into KV head j of layer l.
func (p *pass) store(l, j, r0, r1 int) {
	c := &p.cfg
	d, ld := c.HeadDim, p.ldQKV
	k := p.qkv[r0*ld+(c.Heads+j)*d:]
	v := p.qkv[r0*ld+(c.Heads+c.KVHeads+j)*d:]
	pos := p.n + r0
	b := &p.blocks[l*c.KVHeads+j][pos/rowBlock]
	at, rows := pos%rowBlock, r1-r0
	if rows == rowBlock {
		b.k = sgemm.PackInto(b.k, k, ld, rows, d)
		b.v = sgemm.PackTransposed(b.v, v, ld, d, rows)
		return
	}
	if b.rawK == nil {
		b.rawK, b.rawV = make([]float32, rowBlock*d), make([]float32, rowBlock*d)
	}
	for r := range rows {
		copy(b.rawK[(at+r)*d:][:d], k[r*ld:])
		copy(b.rawV[(at+r)*d:][:d], v[r*ld:])
	}
	b.k = sgemm.PackInto(b.k, b.rawK, d, at+rows, d)
	b.v = sgemm.PackTransposed(b.v, b.rawV, d, d, at+rows)
}

// grow returns x with length n, reallocated if needed; old values are not kept.
func grow(x []float32, n int) []float32 {
	if cap(x) < n {
		return make([]float32, n)
	}
	return x[:n]
}

// reserve gives the session the memory that the pass needs, but for that of the workers.
func (p *pass) reserve() {
	c := &p.cfg
	p.ldQKV = (c.Heads + 2*c.KVHeads) * c.HeadDim
	p.ldWide = c.FFN
	if c.Gated() {
		p.ldWide = 2 * c.FFN
	}
	p.h = grow(p.h, p.rows*c.Hidden)
	p.qkv = grow(p.qkv, p.rows*p.ldQKV)
	p.logits = grow(p.logits, c.Vocab)
	end := p.n + p.rows
	for i, b := range p.blocks {
		if need := (end + rowBlock - 1) / rowBlock; len(b) < need {
			p.blocks[i] = append(b, make([]kvBlock, need-len(b))...)
		}
	}
}

// worker returns the memory of a worker, with room for the pass. Workers that get no task need none.
func (p *pass) worker(i int) *scratch {
	c, w := &p.cfg, &p.workers[i]
	heads := attnRows * (c.Heads / c.KVHeads)
	w.x = grow(w.x, rowBlock*max(c.Hidden, c.Heads*c.HeadDim))
	w.wide = grow(w.wide, rowBlock*p.ldWide)
	w.out = grow(w.out, rowBlock*max(c.FFN, c.Hidden))
	w.q = grow(w.q, heads*c.HeadDim)
	w.acc = grow(w.acc, heads*c.HeadDim)
	w.part = grow(w.part, heads*c.HeadDim)
	w.inv = grow(w.inv, heads)
	// Grown by doubling, so that generation does not reallocate every block.
	if need := ceil(p.n + p.rows); len(w.scores) < heads*need {
		w.scores = make([]float32, heads*min(max(need, 2*ceil(p.n)), ceil(p.limit)))
	}
	return w
}

// ceil rounds n up to whole row blocks.
func ceil(n int) int { return (n + rowBlock - 1) / rowBlock * rowBlock }
