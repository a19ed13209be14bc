package nb

import (
	"errors"
	"sync/atomic"
	"testing"

	"github.com/illm-go/illm/pkg/bench"
	"github.com/illm-go/illm/pkg/catalog"
	"github.com/illm-go/illm/pkg/simd/cpu"
)

// One hash in integers over all ways, more than one in float, and the instruction sets are what they were.
func TestOneHash(t *testing.T) {
	if testing.Short() {
		t.Skip("quantises a model")
	}
	if catalog.Here(catalog.TinyOPT) != nil {
		t.Skip("the model is not in this checkout")
	}
	s := &Session{runner: &bench.Runner{}}
	defer s.runner.Close()
	before := cpu.Limit()
	g, err := s.OneHash(catalog.TinyOPT, "w8a8", "The river runs through the town and into the lake.")
	if err != nil {
		t.Fatal(err)
	}
	if cpu.Limit() != before {
		t.Error("the limit of the instruction sets was not put back")
	}
	last := g.Rows[len(g.Rows)-1]
	if len(g.Rows) < 8 || last[1] != "1" || last[2] == "1" {
		t.Errorf("different hashes:\n%s", g)
	}
	if _, err := s.OneHash(catalog.TinyOPT, "w8a8", ""); err == nil {
		t.Error("an empty prompt was accepted")
	}
	if _, err := batched(1, func() ([32]byte, error) { return [32]byte{}, errors.New("no") }); err == nil {
		t.Error("an error was lost")
	}
	var calls atomic.Int32
	if _, err := batched(2, func() ([32]byte, error) { return [32]byte{byte(calls.Add(1))}, nil }); err == nil {
		t.Error("sequences that differ were not noticed")
	}
}
