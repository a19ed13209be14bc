package nb

import (
	"strings"
	"testing"

	"github.com/illm-go/illm/pkg/bench"
	"github.com/illm-go/illm/pkg/catalog"
)

// A row a width, and refusals that say what was expected; the times themselves are nobody's to test.
func TestScaleTimes(t *testing.T) {
	if testing.Short() {
		t.Skip("quantises a model")
	}
	if catalog.Here(catalog.TinyOPT) != nil {
		t.Skip("the model is not in this checkout")
	}
	s := &Session{runner: &bench.Runner{}}
	defer s.runner.Close()
	g, err := s.ScaleTimes(catalog.TinyOPT, "w8a8", "opticks", 8, 2, 16, 8)
	if err != nil {
		t.Fatal(err)
	}
	if len(g.Rows) != 2 || g.Rows[1][0] != "B = 8" || !strings.Contains(g.Rows[0][2], "…") {
		t.Errorf("%s", g)
	}
	for _, n := range []int{0, 1 << 20} {
		if _, err := s.ScaleTimes(catalog.TinyOPT, "w8a8", "opticks", n, 1, 16); err == nil || !strings.Contains(err.Error(), "expected 1 to") {
			t.Errorf("%d tokens: error %v", n, err)
		}
	}
	if _, err := s.ScaleTimes(catalog.TinyOPT, "w8a8", "opticks", 8, 1, 99); err == nil {
		t.Error("a mantissa of 99 bits was accepted")
	}
}
