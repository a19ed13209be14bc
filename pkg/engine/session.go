package engine

import (
	"context"
	"fmt"
	"runtime"
	"sync/atomic"

	"github.com/illm-go/illm/pkg/di"
	"github.com/illm-go/illm/pkg/quant"
)

const (
	chunkRows  = 512 // tokens that pass through the blocks together
	rowBlock   = 32  // rows a worker takes at once; a multiple of 8 (see kvCache.setValues)
	splitBelow = 16  // chunks shorter than this split matrices by panels instead of by rows
)

// Logits is one row of the head's output: value T_j·M/2^K for token id j.
type Logits struct {
	T []int64
	M uint32
	K int32
}

// Session is one sequence: its KV cache and the scratch of its workers. It is
// not for use by several goroutines at once.
type Session struct {
	m        *Model
	pos      int
	capacity int
	rope     *di.RoPE
	cache    [][]*kvCache // [layer][kv head]

	pool    *Pool
	workers []*worker

	// the chunk in flight
	rows    int
	h       []int32           // [rows, hidden] residual stream
	q       []uint8           // [head, rows, dstride] query codes
	qp      []quant.RowParams // [head, rows]
	mix     []int32           // [rows, head, d] Σ N·V'
	mix64   []int64           // the same of a cache with codes of 16 bits
	pv      []di.PVRow        // [rows, head]
	dstride int

	// arguments of the phase that the pool runs
	layer    int
	first    bool // the phase begins with the embedding's rows
	last     bool // the phase ends after the last block
	ids      []int32
	next     atomic.Int64
	blocks   []span
	jobs     [3]product
	njobs    int
	order    [][]*quant.Linear // the products of a chunk
	step     int               // the next one of them
	jobX     *quant.Acts
	jobRows  int
	t        []int64  // T of a single row's products
	extents  []extent // their ranges, by panel
	sink     func(i int, l Logits) error
	sinkBase int
	fault    atomic.Pointer[error]

	saturated atomic.Int64

	runRows, runAttention, runHead func(worker int)
	runPanels, runHeads            func(worker, from, to int)
	runIdle                        func(worker int) bool
}

type span struct{ from, to int }

// NewSession makes a session for up to capacity tokens; 0 means the model's
// largest context. Close gives its workers back, before the artefact is closed.
func (m *Model) NewSession(capacity int) (*Session, error) {
	if capacity == 0 {
		capacity = m.maxCtx
	}
	if capacity < 1 || capacity > m.maxCtx {
		return nil, fmt.Errorf("engine: session of %d tokens: expected 1 to %d, the model's context", capacity, m.maxCtx)
	}
	s := &Session{m: m, capacity: capacity, rope: m.rope(1), pool: NewPool(m.threads), dstride: (m.d + 7) &^ 7}
	rows := min(chunkRows, capacity)
	s.h = make([]int32, rows*m.hidden)
	s.q = make([]uint8, m.heads*rows*s.dstride)
	s.qp = make([]quant.RowParams, m.heads*rows)
	if m.wide() {
		s.mix64 = make([]int64, rows*m.heads*m.d)
	} else {
		s.mix = make([]int32, rows*m.heads*m.d)
	}
	s.pv = make([]di.PVRow, rows*m.heads)
	s.blocks = make([]span, 0, rows/rowBlock+2)
	s.cache = make([][]*kvCache, m.layers)
	for l := range s.cache {
		s.cache[l] = make([]*kvCache, m.kv)
		for g := range s.cache[l] {
			s.cache[l][g] = newKVCache(m.widths.KV, m.d, capacity)
		}
	}
	for range m.threads {
		s.workers = append(s.workers, newWorker(m, min(rowBlock, rows), capacity))
	}
	s.order = m.order()
	channels, most := 0, 0
	for _, step := range s.order {
		c, n := 0, 0
		for _, l := range step {
			c, n = c+l.Out, n+panels(l)
		}
		channels, most = max(channels, c), max(most, n)
	}
	s.t, s.extents = make([]int64, channels), make([]extent, most)
	s.runPanels, s.runHeads, s.runIdle = s.panelPhase, s.headsPhase, s.warm
	s.runRows, s.runAttention, s.runHead = s.rowsPhase, s.attentionPhase, s.headPhase
	runtime.AddCleanup(s, (*Pool).Close, s.pool)
	return s, nil
}

// Close ends the session's workers and returns when they are gone; only then may the artefact be closed. Not to be called
// from the function that AppendAll was given.
func (s *Session) Close() { s.pool.Close() }

// Reset forgets all tokens.
func (s *Session) Reset() { s.pos = 0 }

// Truncate forgets the tokens behind the first n; what follows is as if they had never been there.
func (s *Session) Truncate(n int) error {
	if n < 0 || n > s.pos {
		return fmt.Errorf("engine: truncate to %d tokens: expected 0 to %d, the session's length", n, s.pos)
	}
	s.pos = n
	return nil
}

// Len is the number of tokens in the cache.
func (s *Session) Len() int { return s.pos }

// Saturated counts additions to the residual stream that met the int32 limits;
// a sound calibration keeps it at 0.
func (s *Session) Saturated() int64 { return s.saturated.Load() }

// CacheBytes is the memory that the cached tokens' codes and parameters take.
func (s *Session) CacheBytes() int {
	n := 0
	for _, layer := range s.cache {
		for _, c := range layer {
			n += c.bytes(s.pos)
		}
	}
	return n
}

// Append puts tokens after those in the cache, without logits.
func (s *Session) Append(ctx context.Context, tokens []int32) error {
	return s.run(ctx, tokens, nil)
}

// AppendLast puts tokens after those in the cache and returns the logits behind
// the last one. The row stays valid until the session's next call.
func (s *Session) AppendLast(ctx context.Context, tokens []int32) (Logits, error) {
	if len(tokens) == 0 {
		return Logits{}, fmt.Errorf("engine: append: expected at least one token")
	}
	if err := s.run(ctx, tokens, nil); err != nil {
		return Logits{}, err
	}
	s.pool.idle.Store(&s.runIdle)
	defer s.pool.idle.Store(nil)
	return s.lastLogits(), nil
}

// AppendAll puts tokens after those in the cache and hands the logits behind
// each of them to fn, with the token's index in tokens. Rows come in no fixed
// order and from several goroutines at once; a row is valid during the call.
// The first error of fn ends the run.
func (s *Session) AppendAll(ctx context.Context, tokens []int32, fn func(i int, l Logits) error) error {
	return s.run(ctx, tokens, fn)
}

func (s *Session) run(ctx context.Context, tokens []int32, fn func(i int, l Logits) error) error {
	if len(tokens) > s.capacity-s.pos {
		return fmt.Errorf("engine: append %d tokens after %d: the session holds %d: shorten the prompt or open a larger session (the model's context is %d)",
			len(tokens), s.pos, s.capacity, s.m.maxCtx)
	}
	for i, id := range tokens {
		if id < 0 || int(id) >= s.m.vocab {
			return fmt.Errorf("engine: append: token %d is %d: expected 0 to %d", i, id, s.m.vocab-1)
		}
	}
	s.pool.idle.Store(&s.runIdle)
	defer s.pool.idle.Store(nil) // it holds the session, which must not live as long as the goroutines
	for from := 0; from < len(tokens); from += chunkRows {
		if err := ctx.Err(); err != nil {
			return err
		}
		to := min(from+chunkRows, len(tokens))
		s.chunk(tokens[from:to])
		var err error
		if fn != nil {
			err = s.heads(from, fn)
		}
		if s.pos += to - from; err != nil {
			return err
		}
	}
	return nil
}

// chunk runs the blocks over tokens and leaves the residual rows in s.h.
func (s *Session) chunk(ids []int32) {
	s.begin(ids)
	s.enter(0)
	for l := 1; l <= s.m.layers; l++ {
		s.attention()
		s.enter(l)
	}
}

// heads hands the logits of the chunk's rows to fn, which are counted from base.
func (s *Session) heads(base int, fn func(i int, l Logits) error) error {
	s.sink, s.sinkBase = fn, base
	s.fault.Store(nil)
	s.parallelRows(s.runHead)
	s.sink = nil
	if e := s.fault.Load(); e != nil {
		return *e
	}
	return nil
}

// begin takes the tokens of a chunk.
func (s *Session) begin(ids []int32) {
	s.ids, s.rows, s.step = ids, len(ids), 0
	if s.narrow() {
		s.m.decodes()
	}
	if s.rope != nil && s.rope.Positions() < s.pos+s.rows {
		s.rope = s.m.rope(s.pos + s.rows)
	}
	if st := s.m.static; st != nil {
		st.chunk(s.pos, s.rows)
	}
	s.split()
}

// enter takes the chunk from behind the attention of block l−1 to that of block l, whose keys and values are in the cache
// then; behind the last block it leaves the residual rows.
func (s *Session) enter(l int) {
	s.layer, s.first, s.last = l, l == 0, l == s.m.layers
	s.parallelRows(s.runRows)
	if s.last {
		return
	}
	for _, c := range s.cache[l] {
		c.extend(s.pos, s.pos+s.rows)
	}
}

// attention is that of the block entered last.
func (s *Session) attention() {
	if s.narrow() {
		s.pool.Each(s.m.heads/s.unit(), s.runHeads)
		return
	}
	s.next.Store(0)
	s.pool.do(s.runAttention)
}

// split cuts the chunk into row blocks whose ends, in absolute positions, are
// multiples of 8.
func (s *Session) split() {
	s.blocks = s.blocks[:0]
	for from := 0; from < s.rows; {
		to := min((s.pos+from+rowBlock)&^7-s.pos, s.rows)
		s.blocks = append(s.blocks, span{from, to})
		from = to
	}
}

// parallelRows runs a phase over the row blocks: by several workers where there
// are rows enough, else by one, whose products the pool then splits by panels.
func (s *Session) parallelRows(phase func(worker int)) {
	s.next.Store(0)
	if s.narrow() {
		phase(0)
		return
	}
	s.pool.do(phase)
}

// narrow reports that the chunk has too few rows to share out.
func (s *Session) narrow() bool { return s.rows < splitBelow }

// take returns the next row block of the phase.
func (s *Session) take() (span, bool) {
	i := int(s.next.Add(1)) - 1
	if i >= len(s.blocks) {
		return span{}, false
	}
	return s.blocks[i], true
}
