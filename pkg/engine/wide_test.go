package engine_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/illm-go/illm/pkg/artifact"
	"github.com/illm-go/illm/pkg/engine"
	"github.com/illm-go/illm/pkg/quant"
)

// With a cache of 16 bits the engine gives the bits of the plain forward pass, with rotations, ratios and α too.
func TestWideAgainstPlain(t *testing.T) {
	for _, c := range []struct {
		shape, recipe, mode string
		rotations           artifact.Rotations
		extras              bool
	}{
		{"64", "w8a8kv16", "illm", artifact.Rotations{}, false},
		{"64", "w4a4kv16", "precise", allRotations, true},
		{"36", "w8a8kv16", "illm", artifact.Rotations{QK: true, Out: true}, true},
		{"28", "w6a6kv16", "illm", artifact.Rotations{Down: true}, false},
	} {
		t.Run(fmt.Sprintf("%s %s %s", c.shape, c.recipe, c.mode), func(t *testing.T) {
			d := shaped(c.shape)
			var alpha [][]int32
			if c.extras {
				_, alpha = d.alphas()
			}
			a := d.artefact(t, c.recipe, c.mode, alpha, func(h *artifact.Header) {
				if h.Rotations = c.rotations; c.extras {
					ratios(t, h)
				}
			})
			ids := d.ids(24)
			want := newPlain(t, a, len(ids)).logits(ids)
			for i, l := range rows(t, load(t, a, 2), ids, 20, 1, 3) {
				if l.M != want[i].M || l.K != want[i].K || !slices.Equal(l.T, want[i].T) {
					t.Fatalf("token %d: scale %d/2^%d, logits %v …, plain %d/2^%d, %v …", i, l.M, l.K, l.T[:4], want[i].M, want[i].K, want[i].T[:4])
				}
			}
		})
	}
}

// Threads, pieces and instruction sets give one hash; decoding allocates nothing. The cache takes two bytes a code.
func TestWideSameBits(t *testing.T) {
	for _, shape := range []string{"64", "opt"} {
		t.Run(shape, func(t *testing.T) { sitesSameBits(t, shaped(shape), "w8a8kv16") })
	}
	d := shaped("64")
	a := d.artefact(t, "w8a8kv16", "illm", nil, nil)
	m := load(t, a, 1)
	s, err := m.NewSession(32)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Append(ctx, d.ids(7)); err != nil {
		t.Fatal(err)
	}
	if want := 2 * 7 * d.Layers * d.KVHeads * (2*d.HeadDim + 5); s.CacheBytes() != want {
		t.Errorf("a cache of %d bytes, want %d", s.CacheBytes(), want)
	}
	spec, err := quant.NewSpec("w8a8kv16", "15", "published")
	if err == nil {
		_, err = engine.New(a, engine.Options{Spec: &spec})
	}
	if err == nil || !strings.Contains(err.Error(), "kv8") {
		t.Errorf("published probabilities with 16-bit values: error %v", err)
	}
}

// 16 bits are nearer to what keys and values are than 8, and these than 4: the logits say so.
func TestWideIsNearer(t *testing.T) {
	d := shaped("64")
	ids := d.ids(60)
	want := floatLogits(t, d.Config, d, ids)
	before := 0.0
	for i, recipe := range []string{"w8a8kv16", "w8a8", "w8a8kv4"} {
		rel, _ := distance(rows(t, load(t, d.artefact(t, recipe, "precise", nil, nil), 2), ids, 60), want)
		if i > 0 && rel <= before {
			t.Errorf("%s: relative error %.5f, with more bits %.5f", recipe, rel, before)
		}
		before = rel
	}
}
