package engine

import (
	"context"
	"math"
	"sync"
)

// Values writes the logits as float32, less their maximum, to dst: measurement
// only, nothing of it returns to the engine. The difference to the maximum is
// taken in integers, so the values near 0, which carry the probability, keep
// float32's full relative precision.
func (l Logits) Values(dst []float32) {
	top := l.T[0]
	for _, v := range l.T {
		top = max(top, v)
	}
	scale := math.Ldexp(float64(l.M), -int(l.K))
	for i, v := range l.T {
		dst[i] = float32(float64(v-top) * scale)
	}
}

// Scored runs a model over whole windows for measurement; it satisfies
// eval.LM. One session and its buffers are kept between windows.
type Scored struct {
	M *Model

	mu      sync.Mutex
	session *Session
	rows    sync.Pool
}

// Vocab is the number of token ids.
func (s *Scored) Vocab() int { return s.M.Vocab() }

// Logits runs tokens from an empty cache and calls fn once per position, from
// several goroutines; the row is valid during the call.
func (s *Scored) Logits(ctx context.Context, tokens []int32, fn func(pos int, logits []float32) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.reserve(len(tokens)); err != nil {
		return err
	}
	return s.appendAll(ctx, tokens, fn)
}

// Branch runs prefix from an empty cache and each of tails behind it, the prefix only once. fn gets the logits behind the
// tails' tokens, the same bits as from Logits on prefix and tail, with the number of the tail and the position in it.
func (s *Scored) Branch(ctx context.Context, prefix []int32, tails [][]int32, fn func(tail, pos int, logits []float32) error) error {
	longest := 0
	for _, t := range tails {
		longest = max(longest, len(t))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.reserve(len(prefix) + longest); err != nil {
		return err
	}
	if err := s.session.Append(ctx, prefix); err != nil {
		return err
	}
	for i, tail := range tails {
		if err := s.session.Truncate(len(prefix)); err != nil {
			return err
		}
		if err := s.appendAll(ctx, tail, func(pos int, x []float32) error { return fn(i, pos, x) }); err != nil {
			return err
		}
	}
	return nil
}

// reserve empties the session, after making one where it has no room for n tokens.
func (s *Scored) reserve(n int) error {
	if s.session == nil || s.session.capacity < n {
		if s.session != nil {
			s.session.Close()
			s.session = nil
		}
		var err error
		if s.session, err = s.M.NewSession(n); err != nil {
			return err
		}
	}
	s.session.Reset()
	return nil
}

// appendAll puts tokens behind those in the cache and hands the logits behind each of them to fn.
func (s *Scored) appendAll(ctx context.Context, tokens []int32, fn func(pos int, logits []float32) error) error {
	return s.session.AppendAll(ctx, tokens, func(i int, l Logits) error {
		row, _ := s.rows.Get().(*[]float32)
		if row == nil {
			v := make([]float32, len(l.T))
			row = &v
		}
		defer s.rows.Put(row)
		l.Values(*row)
		return fn(i, *row)
	})
}

// Saturated counts residual additions that met the int32 limits so far.
func (s *Scored) Saturated() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.session == nil {
		return 0
	}
	return s.session.Saturated()
}

// Close ends the workers.
func (s *Scored) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.session != nil {
		s.session.Close()
		s.session = nil
	}
}
