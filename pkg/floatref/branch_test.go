package floatref

import (
	"context"
	"slices"
	"sync"
	"testing"
)

// TestBranch: continuations behind a shared prefix have the bits of whole sequences, over the borders of the cache's blocks.
func TestBranch(t *testing.T) {
	for name, cfg := range variants() {
		for _, threads := range []int{1, 3} {
			m := newRandom(t, cfg, Options{Threads: threads})
			ids := tokens(400, cfg.Vocab)
			for _, n := range []int{0, 1, 50, 63, 64, 65, 100} {
				prefix := ids[:n]
				tails := [][]int32{ids[200:290], ids[100:101], ids[150:165], ids[120:190], ids[n : n+3]}
				got := make([][][]float32, len(tails))
				for i := range tails {
					got[i] = make([][]float32, len(tails[i]))
				}
				var mu sync.Mutex
				err := m.Branch(context.Background(), prefix, tails, func(tail, pos int, x []float32) error {
					mu.Lock()
					defer mu.Unlock()
					got[tail][pos] = slices.Clone(x)
					return nil
				})
				if err != nil {
					t.Fatal(err)
				}
				for i, tail := range tails {
					for pos, x := range allLogits(t, m, slices.Concat(prefix, tail))[n:] {
						if !slices.Equal(got[i][pos], x) {
							t.Fatalf("%s: %d tokens and tail %d: other logits at its position %d", name, n, i, pos)
						}
					}
				}
			}
		}
	}
}
