package eval

import (
	"context"
	"fmt"
	"slices"
	"testing"
)

// counting is a model that counts its tokens, and those with an odd number.
type counting struct {
	*bigram
	n [2]int64
}

func (c *counting) Counts() []int64 { return c.n[:] }

func (c *counting) Logits(ctx context.Context, tokens []int32, fn func(int, []float32) error) error {
	for _, t := range tokens {
		c.n[0]++
		c.n[1] += int64(t % 2)
	}
	return c.bigram.Logits(ctx, tokens, fn)
}

// TestCounts: what a model counts comes together window by window, whoever computed them: in one run, after an
// interruption, and in parts whose journals are merged.
func TestCounts(t *testing.T) {
	const vocab, window, windows = 11, 16, 5
	tokens := someTokens(window*windows, vocab)
	want := []int64{window * windows, 0}
	for _, id := range tokens {
		want[1] += int64(id % 2)
	}
	base := newBigram(1, vocab, 1)
	score := func(dir string, first, n int) *Result {
		t.Helper()
		m := &counting{bigram: newBigram(2, vocab, 2), n: [2]int64{77, 5}} // what was counted before does not belong to the run
		rep, err := Run(context.Background(), base, []Variant{{Name: "v", LM: m, Key: "v"}}, tokens,
			Options{Window: window, First: first, Windows: n, Journal: dir, BaseKey: "base"})
		if err != nil {
			t.Fatal(err)
		}
		if rep.Base.Counts != nil {
			t.Errorf("the base has counts %d", rep.Base.Counts)
		}
		return &rep.Results[0]
	}
	whole := t.TempDir()
	for range 2 {
		if r := score(whole, 0, windows); !slices.Equal(r.Counts, want) {
			t.Errorf("%d windows from the journal: counts %d, want %d", r.Reused, r.Counts, want)
		}
	}
	var parts []string
	for _, p := range [][2]int{{3, 2}, {0, 1}, {1, 2}} {
		parts = append(parts, t.TempDir())
		score(parts[len(parts)-1], p[0], p[1])
	}
	dst := t.TempDir()
	if n, err := MergeJournals(dst, parts...); err != nil || n != 2*windows {
		t.Fatal(n, err)
	}
	if r := score(dst, 0, windows); r.Reused != windows || !slices.Equal(r.Counts, want) {
		t.Error("merged parts:", fmt.Sprint(r.Reused, r.Counts, want))
	}
}
