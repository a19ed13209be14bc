package floatref

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/illm-go/illm/pkg/model"
)

// randomSource makes up weights of a configuration, the same for the same name.
type randomSource struct{ cfg model.Config }

func (s randomSource) Float32(name string, dst []float32) ([]float32, error) {
	c := s.cfg
	q, kv := c.Heads*c.HeadDim, c.KVHeads*c.HeadDim
	seed := uint64(14695981039346656037)
	for _, b := range []byte(name) {
		seed = (seed ^ uint64(b)) * 1099511628211
	}
	r := rand.New(rand.NewPCG(seed, 1))
	for _, z := range []struct {
		part    string
		out, in int
		std     float64
	}{
		{"embed_tokens", c.Vocab, c.Hidden, 0.5}, {"embed_positions", c.MaxContext, c.Hidden, 0.5}, {"lm_head", c.Vocab, c.Hidden, 0.3},
		{"q_proj", q, c.Hidden, 0.2}, {"k_proj", kv, c.Hidden, 0.2}, {"v_proj", kv, c.Hidden, 0.2}, {"o_proj", c.Hidden, q, 0.1},
		{"gate_proj", c.FFN, c.Hidden, 0.2}, {"up_proj", c.FFN, c.Hidden, 0.2}, {"down_proj", c.Hidden, c.FFN, 0.1},
		{"q_norm", c.HeadDim, 1, 0}, {"k_norm", c.HeadDim, 1, 0}, {"norm", c.Hidden, 1, 0},
	} {
		if !strings.Contains(name, z.part) {
			continue
		}
		bias := strings.HasSuffix(name, ".bias")
		if bias {
			z.in = 1
		}
		dst = grow(dst, z.out*z.in)
		for i := range dst {
			switch {
			case bias:
				dst[i] = 0.2 * float32(r.NormFloat64())
			case z.std == 0:
				dst[i] = 1 + 0.2*float32(r.NormFloat64())
			default:
				dst[i] = float32(r.Float64()-0.5) * float32(z.std)
			}
		}
		return dst, nil
	}
	return nil, fmt.Errorf("no tensor %q", name)
}

var tiny = model.Config{Architecture: "llama", BOS: -1, EOS: -1, Layers: 3, Hidden: 48, Heads: 6, KVHeads: 2, HeadDim: 10, FFN: 100, Vocab: 131, MaxContext: 400, NormEps: 1e-5, RopeTheta: 10000, TiedHead: true}

// variants are the shapes of model that the tests run: the two families and what models of the first one add.
func variants() map[string]model.Config {
	untied, biases, heads, opt := tiny, tiny, tiny, tiny
	untied.TiedHead = false
	biases.QKVBias, biases.OutBias, biases.MLPBias = true, true, true
	heads.HeadNorm, heads.QKVBias, heads.KVHeads = true, true, 3
	opt.Architecture, opt.KVHeads, opt.HeadDim, opt.RopeTheta = "opt", 6, 8, 0
	opt.QKVBias, opt.OutBias, opt.MLPBias = true, true, true
	untiedOPT, bare := opt, opt
	untiedOPT.TiedHead = false
	bare.QKVBias, bare.OutBias, bare.MLPBias = false, false, false
	return map[string]model.Config{"llama": tiny, "untied": untied, "biases": biases, "head norms": heads,
		"opt": opt, "opt untied": untiedOPT, "opt without biases": bare}
}

func tokens(n, vocab int) []int32 {
	t := make([]int32, n)
	for i := range t {
		t[i] = int32((i*i*31 + i*7 + 3) % vocab)
	}
	return t
}

func newTiny(t testing.TB, opt Options) *Model { return newRandom(t, tiny, opt) }

func newRandom(t testing.TB, cfg model.Config, opt Options) *Model {
	t.Helper()
	m, err := NewFrom(cfg, randomSource{cfg}, opt)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func allLogits(t testing.TB, m *Model, ids []int32) [][]float32 {
	t.Helper()
	out := make([][]float32, len(ids))
	err := m.Logits(context.Background(), ids, func(pos int, l []float32) error {
		if out[pos] != nil {
			return fmt.Errorf("position %d twice", pos)
		}
		out[pos] = append([]float32(nil), l...)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for i, l := range out {
		if len(l) != m.Vocab() {
			t.Fatalf("position %d: %d logits, want %d", i, len(l), m.Vocab())
		}
	}
	return out
}

func maxDiff(a, b []float32) float64 {
	d := 0.0
	for i := range a {
		x := math.Abs(float64(a[i]) - float64(b[i]))
		if !(x <= d) {
			d = x
		}
	}
	return d
}

// Any split of a sequence into calls, and any number of threads, gives the bits of the single call.
func TestSplits(t *testing.T) {
	for name, cfg := range variants() {
		t.Run(name, func(t *testing.T) { testSplits(t, cfg) })
	}
}

func testSplits(t *testing.T, cfg model.Config) {
	ids := tokens(200, cfg.Vocab)
	want := allLogits(t, newRandom(t, cfg, Options{Threads: 1}), ids)
	for _, threads := range []int{1, 2, 5} {
		m := newRandom(t, cfg, Options{Threads: threads})
		for i, l := range allLogits(t, m, ids) {
			if d := maxDiff(l, want[i]); d != 0 {
				t.Fatalf("%d threads, position %d: differs by %g from 1 thread", threads, i, d)
			}
		}
		for _, step := range []int{1, 3, 63, 64, 65, 130} {
			s, err := m.NewSession(len(ids))
			if err != nil {
				t.Fatal(err)
			}
			for s.Len() < len(ids) {
				end := min(len(ids), s.Len()+step)
				l, err := s.Append(ids[s.Len():end])
				if err != nil {
					t.Fatal(err)
				}
				if d := maxDiff(l, want[end-1]); d != 0 {
					t.Fatalf("%d threads, calls of %d tokens, position %d: differs by %g", threads, step, end-1, d)
				}
			}
		}
	}
}

func TestBadInput(t *testing.T) {
	m := newTiny(t, Options{Threads: 2})
	nop := func(int, []float32) error { return nil }
	s, err := m.NewSession(10)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		err  error
		want string
	}{
		{"no tokens", m.Logits(context.Background(), nil, nop), "at least 1 token"},
		{"negative id", m.Logits(context.Background(), []int32{3, -1}, nop), "token 1: expected an id in 0…130, found -1"},
		{"id beyond", m.Logits(context.Background(), []int32{131}, nop), "found 131"},
		{"too long", m.Logits(context.Background(), make([]int32, 401), nop), "at most 400 tokens"},
		{"session of nothing", second(m.NewSession(0)), "at least 1"},
		{"session beyond the context", second(m.NewSession(401)), "context of the model"},
		{"session overflow", second(s.Append(make([]int32, 11))), "at most 10 tokens"},
		{"threads", second(NewFrom(tiny, randomSource{tiny}, Options{Threads: -1})), "threads"},
	} {
		if c.err == nil || !strings.Contains(c.err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", c.name, c.err, c.want)
		}
	}
	opt := newRandom(t, variants()["opt"], Options{})
	for _, err := range []error{second(opt.NewSession(401)), opt.Logits(context.Background(), make([]int32, 401), nop)} {
		if err == nil || !strings.Contains(err.Error(), "at most 400 tokens, the learned positions of the model, found 401") {
			t.Errorf("beyond the learned positions: error %v", err)
		}
	}
	if s, err := opt.NewSession(400); err != nil {
		t.Errorf("a session of all learned positions: %v", err)
	} else if _, err := s.Append(make([]int32, 400)); err != nil {
		t.Errorf("all learned positions: %v", err)
	} else if _, err := s.Append([]int32{1}); err == nil || !strings.Contains(err.Error(), "found 400 in the cache and 1 new") {
		t.Errorf("one position more: error %v", err)
	}
	bad := tiny
	bad.KVHeads = 4
	if _, err := NewFrom(bad, randomSource{tiny}, Options{}); err == nil {
		t.Error("6 heads over 4 KV heads were accepted")
	}
	bad = tiny
	bad.FFN = 101
	if _, err := NewFrom(bad, randomSource{tiny}, Options{}); err == nil || !strings.Contains(err.Error(), "expected 4848 values") {
		t.Errorf("weights of another shape: error %v", err)
	}
	bad = tiny
	bad.Layers = 1 << 30
	if _, err := NewFrom(bad, randomSource{tiny}, Options{}); err == nil {
		t.Error("2^30 layers were accepted")
	}
}

func second[T any](_ T, err error) error { return err }

func TestStops(t *testing.T) {
	m := newTiny(t, Options{Threads: 2})
	stop := errors.New("enough")
	for _, n := range []int{4, 200} {
		if err := m.Logits(context.Background(), tokens(n, tiny.Vocab), func(int, []float32) error { return stop }); !errors.Is(err, stop) {
			t.Errorf("%d tokens: error %v, want that of the function", n, err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if err := m.Logits(ctx, tokens(n, tiny.Vocab), func(int, []float32) error { return nil }); !errors.Is(err, context.Canceled) {
			t.Errorf("%d tokens: error %v, want context.Canceled", n, err)
		}
	}
}
