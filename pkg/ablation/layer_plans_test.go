package ablation

import (
	"math"
	"slices"
	"testing"
)

// Three blocks, the levels written out by hand: one order lowers 0, 1, 2, the other 2, 1, 0.
func TestLayerPlans(t *testing.T) {
	p := NewLayerPlans("m", []int{0, 1, 2})
	want := []string{"888", "488", "448", "444", "884", "844"}
	if got := p.Levels(); !slices.Equal(got, want) {
		t.Fatalf("levels %v, want %v", got, want)
	}
	p.Scores = mixed(t, p.Levels())
	front := p.Front("kld_mean", "wikitext2")
	if front.Title != "Mean KL divergence for the bytes of the weights: m" || len(front.Series) != 2 {
		t.Fatalf("title %q, %d series", front.Title, len(front.Series))
	}
	for i, kl := range [][]float64{{1, 0.7, 0.5, 0.4}, {1, 0.9, 0.7, 0.4}} { // 8 bits in none, one, two and all of the blocks
		s := front.Series[i]
		for j, v := range s.Points {
			if len(s.Points) != 4 || math.Abs(v.Y-kl[j]) > 1e-9 || v.X != float64(4+j) {
				t.Errorf("%s: %v, want %v at %d MB", s.Name, v, kl[j], 4+j)
			}
		}
	}
	if g := p.Budgets("wikitext2", 5); g.Rows[0][1] != "448" {
		t.Errorf("for 5 MB: %v", g.Rows)
	}
}
