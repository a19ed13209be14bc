package floatref

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/illm-go/illm/pkg/model"
)

// counter counts rows by site and checks what the documentation promises of them.
type counter struct {
	mu   sync.Mutex
	rows map[string]int
}

func (c *counter) Tap(b *Block) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for r := range b.Rows {
		if len(b.Row(r)) != b.Cols {
			panic("short row")
		}
		c.rows[fmt.Sprint(b.Site, " ", b.Layer, " ", b.Head, " ", b.Pos+r)]++
	}
}

func TestTapSeesEveryRowOnce(t *testing.T) {
	for name, cfg := range variants() {
		t.Run(name, func(t *testing.T) { testTapSeesEveryRowOnce(t, cfg) })
	}
}

func testTapSeesEveryRowOnce(t *testing.T, cfg model.Config) {
	sites := 8 // of a layer, without heads
	if !cfg.Gated() {
		sites = 7
	}
	for _, n := range []int{5, 100} {
		for _, session := range []bool{false, true} {
			c := &counter{rows: map[string]int{}}
			m := newRandom(t, cfg, Options{Threads: 2, Tap: Taps{c}})
			ids := tokens(n, cfg.Vocab)
			if session {
				s, _ := m.NewSession(n)
				if _, err := s.Append(ids); err != nil {
					t.Fatal(err)
				}
			} else {
				allLogits(t, m, ids)
			}
			want := n * (cfg.Layers*(sites+2*cfg.Heads+2*cfg.KVHeads) + 2)
			if len(c.rows) != want {
				t.Errorf("%d tokens, session %v: %d different rows seen, want %d", n, session, len(c.rows), want)
			}
			for k, v := range c.rows {
				if v != 1 {
					t.Errorf("%d tokens, session %v: row %q seen %d times", n, session, k, v)
				}
			}
		}
	}
}

// silence sets every product of the MLP to 0.
type silence struct{}

func (silence) Tap(b *Block) {
	if b.Site == Product {
		for r := range b.Rows {
			clear(b.Row(r))
		}
	}
}

type withoutDown struct{ Source }

func (s withoutDown) Float32(name string, dst []float32) ([]float32, error) {
	w, err := s.Source.Float32(name, dst)
	if strings.Contains(name, "down_proj") {
		clear(w)
	}
	return w, err
}

func TestTapChangesThePass(t *testing.T) {
	ids := tokens(70, tiny.Vocab)
	got := allLogits(t, newTiny(t, Options{Tap: silence{}}), ids)
	m, err := NewFrom(tiny, withoutDown{randomSource{tiny}}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for i, l := range allLogits(t, m, ids) {
		if d := maxDiff(l, got[i]); d != 0 {
			t.Fatalf("position %d: product set to 0 differs by %g from down set to 0", i, d)
		}
	}
}
