package floatref

import (
	"context"
	"strings"
	"testing"

	"github.com/illm-go/illm/pkg/model"
)

var smol = model.Config{Architecture: "llama", BOS: -1, EOS: -1, Layers: 30, Hidden: 576, Heads: 9, KVHeads: 3, HeadDim: 64, FFN: 1536, Vocab: 49152, MaxContext: 8192, NormEps: 1e-5, RopeTheta: 100000, TiedHead: true}

// flatSource makes up weights of the right sizes: speed does not depend on their values.
type flatSource struct{ cfg model.Config }

func (s flatSource) Float32(name string, dst []float32) ([]float32, error) {
	c := s.cfg
	q, kv := c.Heads*c.HeadDim, c.KVHeads*c.HeadDim
	n := map[string]int{"embed_tokens": c.Vocab * c.Hidden, "q_proj": q * c.Hidden, "k_proj": kv * c.Hidden, "v_proj": kv * c.Hidden,
		"o_proj": q * c.Hidden, "gate_proj": c.FFN * c.Hidden, "up_proj": c.FFN * c.Hidden, "down_proj": c.FFN * c.Hidden}
	parts := strings.Split(name, ".")
	size, ok := n[parts[len(parts)-2]]
	if !ok {
		size = c.Hidden
	}
	dst = grow(dst, size)
	for i := range dst {
		dst[i] = float32(i%17-8) / 256
	}
	return dst, nil
}

func benchModel(b *testing.B) *Model {
	m, err := NewFrom(smol, flatSource{smol}, Options{})
	if err != nil {
		b.Fatal(err)
	}
	return m
}

func BenchmarkSmol(b *testing.B) {
	m := benchModel(b)
	ids := tokens(2048, smol.Vocab)
	b.Run("prefill512", func(b *testing.B) {
		for b.Loop() {
			s, _ := m.NewSession(512)
			s.Append(ids[:512])
		}
		b.ReportMetric(512*float64(b.N)/b.Elapsed().Seconds(), "tok/s")
	})
	b.Run("decode128", func(b *testing.B) {
		s, _ := m.NewSession(1024)
		s.Append(ids[:512])
		for b.Loop() {
			if s.Len() == 640 {
				s.n = 512
			}
			s.Append(ids[:1])
		}
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "tok/s")
	})
	b.Run("window2048", func(b *testing.B) {
		for b.Loop() {
			m.Logits(context.Background(), ids, func(int, []float32) error { return nil })
		}
		b.ReportMetric(2048*float64(b.N)/b.Elapsed().Seconds(), "tok/s")
	})
}
