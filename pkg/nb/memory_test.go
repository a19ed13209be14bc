package nb

import (
	"testing"

	"github.com/illm-go/illm/pkg/bench"
	"github.com/illm-go/illm/pkg/catalog"
	"github.com/illm-go/illm/pkg/quant"
)

// The parts add up to what the engine counts of its own slices, and the phases beside them.
func TestWeightParts(t *testing.T) {
	if testing.Short() {
		t.Skip("quantises a model")
	}
	for _, model := range []string{catalog.TinyLlama, catalog.TinyOPT} {
		if catalog.Here(model) != nil {
			t.Skip("the model is not in this checkout")
		}
		r := &bench.Runner{}
		defer r.Close()
		entry, err := r.Entry(t.Context(), model)
		if err != nil {
			t.Fatal(err)
		}
		spec, err := quant.NewSpec("w4a4", "", "")
		if err != nil {
			t.Fatal(err)
		}
		m, err := entry.Integer(t.Context(), spec)
		if err != nil {
			t.Fatal(err)
		}
		sum, named := -m.Artifact().Header.Phi.Bytes, int64(0)
		parts := WeightParts(&m.Artifact().Header)
		for _, n := range parts {
			sum += n
		}
		for _, p := range weightParts {
			named += parts[p.name]
		}
		if want := m.WeightBytes(); sum != want || named != sum+m.Artifact().Header.Phi.Bytes {
			t.Errorf("%s: parts of %d bytes, %d of them named; the engine counts %d", model, sum, named, want)
		}
	}
}
