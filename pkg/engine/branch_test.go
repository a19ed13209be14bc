package engine_test

import (
	"slices"
	"sync"
	"testing"

	"github.com/illm-go/illm/pkg/engine"
	"github.com/illm-go/illm/pkg/model"
)

// TestBranch: continuations behind a shared prefix have the bits of whole sequences, whatever was in the cache behind the
// prefix before.
func TestBranch(t *testing.T) {
	m := fixture(t, "tiny_tied")
	for _, recipe := range []string{"w8a8", "w4a4", "w8a8kv4"} {
		for _, threads := range []int{1, 3} {
			s := &engine.Scored{M: build(t, m, recipe, "", "", threads)}
			defer s.Close()
			for _, n := range []int{0, 1, 6, 8, 31, 40} {
				branch(t, recipe, s, m, n)
			}
		}
	}
	session, err := build(t, m, "w8a8", "", "", 1).NewSession(8)
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	for _, n := range []int{-1, 1} {
		if err := session.Truncate(n); err == nil {
			t.Errorf("an empty session cut to %d tokens without an error", n)
		}
	}
}

func branch(t *testing.T, recipe string, s *engine.Scored, m *model.Model, n int) {
	t.Helper()
	ids := tokens(m, 200)
	prefix := ids[:n]
	tails := [][]int32{ids[100:140], ids[60:61], ids[90:99], ids[50:70], ids[n : n+3]} // long before short: what is stale shows
	var mu sync.Mutex
	got := make([][][]float32, len(tails))
	for i := range tails {
		got[i] = make([][]float32, len(tails[i]))
	}
	err := s.Branch(ctx, prefix, tails, func(tail, pos int, x []float32) error {
		mu.Lock()
		defer mu.Unlock()
		got[tail][pos] = slices.Clone(x)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for i, tail := range tails {
		err := s.Logits(ctx, slices.Concat(prefix, tail), func(pos int, x []float32) error {
			if pos >= n && !slices.Equal(got[i][pos-n], x) {
				t.Errorf("%s: %d tokens and tail %d: other logits at its position %d", recipe, n, i, pos-n)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}
