package catalog

import (
	"slices"
	"strings"
	"testing"

	"github.com/illm-go/illm/pkg/corpus"
	"github.com/illm-go/illm/pkg/engine"
	"github.com/illm-go/illm/pkg/quant"
)

// On tiny-llama a list that repeats the default has the frozen logits of the recipe without one, whatever the threads; the
// shipped list has others, and its artefact another identity.
func TestClipsGolden(t *testing.T) {
	book, err := corpus.Load(t.Context(), corpus.Opticks)
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("ILLM_CACHE", t.TempDir())
	t.Setenv(FactorsVariable, "")
	e, err := Open(t.Context(), TinyLlama, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	ids, err := e.Encode(string(book.Bytes[:2000]))
	if err != nil {
		t.Fatal(err)
	}
	load := func(recipe string) *engine.Model {
		t.Helper()
		spec, err := quant.NewSpec(recipe, "", "")
		if err != nil {
			t.Fatal(err)
		}
		m, err := e.Integer(t.Context(), spec)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	plain := load("w4a4-fsbr")
	frozen := func(hash string) bool {
		return slices.Contains(strings.Split(shippedGolden, "\n"), strings.Join([]string{TinyLlama, "w4a4-fsbr", plain.Artifact().ID, hash}, " "))
	}
	for _, threads := range []int{1, 3} {
		m, err := engine.New(plain.Artifact(), engine.Options{Threads: threads, Clips: slices.Repeat(quant.Clips{quant.DefaultClip}, 9), Spec: ptr(plain.Spec())})
		if err != nil {
			t.Fatal(err)
		}
		if hash := logitHash(t, m, ids[:96]); !frozen(hash) {
			t.Errorf("%d threads, the default in every layer: logits %s are not the frozen ones", threads, hash)
		}
	}
	clipped := load("w4a4-fsbr@clips")
	if len(clipped.Clips()) != 9 || clipped.Artifact().ID == plain.Artifact().ID {
		t.Errorf("clips %v, artefacts %.8s and %.8s", clipped.Clips(), clipped.Artifact().ID, plain.Artifact().ID)
	}
	if frozen(logitHash(t, clipped, ids[:96])) {
		t.Error("the shipped list leaves the logits alone")
	}
}

func ptr[T any](v T) *T { return &v }
