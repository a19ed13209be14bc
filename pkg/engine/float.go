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
	if s.session == nil || s.session.capacity < len(tokens) {
		if s.session != nil {
			s.session.Close()
		}
		var err error
		if s.session, err = s.M.NewSession(len(tokens)); err != nil {
			return err
		}
	}
	s.session.Reset()
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
