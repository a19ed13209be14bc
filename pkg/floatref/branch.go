package floatref

import "context"

// Branch runs prefix from an empty cache and each of tails behind it, the prefix only once. fn gets the logits behind the
// tails' tokens, the same bits as from Logits on prefix and tail, with the number of the tail and the position in it; what
// Logits says of fn holds here.
//
// A session may go back to the end of any earlier call: a block of the cache that the call left unfinished keeps its rows as
// they came, and those of later calls only came behind them.
func (m *Model) Branch(ctx context.Context, prefix []int32, tails [][]int32, fn func(tail, pos int, logits []float32) error) error {
	longest := 0
	for _, t := range tails {
		longest = max(longest, len(t))
	}
	m.mu.Lock()
	s := m.idle
	m.idle = nil
	m.mu.Unlock()
	if n := len(prefix) + longest; s == nil || s.limit < n {
		var err error
		if s, err = m.NewSession(max(1, n)); err != nil {
			return err
		}
	}
	defer func() {
		m.mu.Lock()
		m.idle = s
		m.mu.Unlock()
	}()
	s.Reset()
	if len(prefix) > 0 {
		if err := s.run(ctx, prefix, nil); err != nil {
			return err
		}
	}
	for i, tail := range tails {
		s.n = len(prefix)
		if err := s.run(ctx, tail, func(pos int, x []float32) error { return fn(i, pos-len(prefix), x) }); err != nil {
			return err
		}
	}
	return nil
}
