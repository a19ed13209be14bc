package floatref

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/illm-go/illm/pkg/model"
)

// randomSource makes up weights of a configuration, the same for the same name.
type randomSource struct{ cfg model.Config }

func (s randomSource) Float32(name string, dst []float32) ([]float32, error) {
	c := s.cfg
	q, kv := c.Heads*c.HeadDim, c.KVHeads*c.HeadDim
	sizes := []struct {
		part string
		n    int
		std  float64
	}{
		{"embed_tokens", c.Vocab * c.Hidden, 0.5}, {"lm_head", c.Vocab * c.Hidden, 0.3},
		{"q_proj", q * c.Hidden, 0.2}, {"k_proj", kv * c.Hidden, 0.2}, {"v_proj", kv * c.Hidden, 0.2}, {"o_proj", q * c.Hidden, 0.1},
		{"gate_proj", c.FFN * c.Hidden, 0.2}, {"up_proj", c.FFN * c.Hidden, 0.2}, {"down_proj", c.FFN * c.Hidden, 0.1},
		{"norm", c.Hidden, -1},
	}
	for _, z := range sizes {
		if !strings.Contains(name, z.part) {
			continue
		}
		seed := uint64(14695981039346656037)
		for _, b := range []byte(name) {
			seed = (seed ^ uint64(b)) * 1099511628211
		}
		r := rand.New(rand.NewPCG(seed, 1))
		dst = grow(dst, z.n)
		for i := range dst {
			if z.std < 0 {
				dst[i] = 1 + 0.2*float32(r.NormFloat64())
			} else {
				dst[i] = float32(r.Float64()-0.5) * float32(z.std)
			}
		}
		return dst, nil
	}
	return nil, fmt.Errorf("no tensor %q", name)
}

var tiny = model.Config{Architecture: "llama", BOS: -1, EOS: -1, Layers: 3, Hidden: 48, Heads: 6, KVHeads: 2, HeadDim: 10, FFN: 100, Vocab: 131, MaxContext: 400, NormEps: 1e-5, RopeTheta: 10000, TiedHead: true}

func tokens(n, vocab int) []int32 {
	t := make([]int32, n)
	for i := range t {
		t[i] = int32((i*i*31 + i*7 + 3) % vocab)
	}
	return t
}

func newTiny(t testing.TB, opt Options) *Model {
	t.Helper()
	m, err := NewFrom(tiny, randomSource{tiny}, opt)
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

// Any split of a sequence into calls, and any number of threads, gives the logits of the single call.
func TestSplits(t *testing.T) {
	ids := tokens(200, tiny.Vocab)
	want := allLogits(t, newTiny(t, Options{Threads: 1}), ids)
	for _, threads := range []int{1, 2, 5} {
		m := newTiny(t, Options{Threads: threads})
		for i, l := range allLogits(t, m, ids) {
			if d := maxDiff(l, want[i]); d != 0 {
				t.Fatalf("%d threads, position %d: differs by %g from 1 thread", threads, i, d)
			}
		}
		for _, step := range []int{1, 3, 8, 9, 63, 64, 65, 130} {
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
				if d := maxDiff(l, want[end-1]); d > 1e-5 {
					t.Fatalf("%d threads, calls of %d tokens, position %d: differs by %g", threads, step, end-1, d)
				}
			}
		}
	}
}

// The pass against a second, plain one in float64: no cache, no blocks, no packing.
func TestAgainstPlain(t *testing.T) {
	for _, tied := range []bool{true, false} {
		cfg := tiny
		cfg.TiedHead = tied
		m, err := NewFrom(cfg, randomSource{cfg}, Options{Threads: 2})
		if err != nil {
			t.Fatal(err)
		}
		ids := tokens(90, cfg.Vocab)
		want := plain(t, cfg, randomSource{cfg}, ids)
		for i, l := range allLogits(t, m, ids) {
			for j := range l {
				if d := math.Abs(float64(l[j]) - want[i][j]); !(d < 2e-5) {
					t.Fatalf("tied %v: logit %d of position %d: %v, want %v", tied, j, i, l[j], want[i][j])
				}
			}
		}
	}
}

func plain(t *testing.T, c model.Config, src Source, ids []int32) [][]float64 {
	get := func(name string) []float32 {
		w, err := src.Float32(name+".weight", nil)
		if err != nil {
			t.Fatal(err)
		}
		return w
	}
	linear := func(name string, x []float64, n int) []float64 {
		w, y := get(name), make([]float64, n)
		for j := range y {
			for k, v := range x {
				y[j] += v * float64(w[j*len(x)+k])
			}
		}
		return y
	}
	norm := func(name string, x []float64) []float64 {
		g, y, s := get(name), make([]float64, len(x)), 0.0
		for _, v := range x {
			s += v * v
		}
		for i, v := range x {
			y[i] = v / math.Sqrt(s/float64(len(x))+c.NormEps) * float64(g[i])
		}
		return y
	}
	turn := func(x []float64, pos int) {
		d := c.HeadDim
		for o := 0; o < len(x); o += d {
			for i := range d / 2 {
				a := float64(pos) * math.Pow(c.RopeTheta, -2*float64(i)/float64(d))
				u, v := x[o+i], x[o+i+d/2]
				x[o+i], x[o+i+d/2] = u*math.Cos(a)-v*math.Sin(a), v*math.Cos(a)+u*math.Sin(a)
			}
		}
	}
	h := make([][]float64, len(ids))
	e := get("model.embed_tokens")
	for p, id := range ids {
		for _, v := range e[int(id)*c.Hidden:][:c.Hidden] {
			h[p] = append(h[p], float64(v))
		}
	}
	for l := range c.Layers {
		pre := fmt.Sprintf("model.layers.%d.", l)
		var q, k, v [][]float64
		for p := range ids {
			x := norm(pre+"input_layernorm", h[p])
			q = append(q, linear(pre+"self_attn.q_proj", x, c.Heads*c.HeadDim))
			k = append(k, linear(pre+"self_attn.k_proj", x, c.KVHeads*c.HeadDim))
			v = append(v, linear(pre+"self_attn.v_proj", x, c.KVHeads*c.HeadDim))
			turn(q[p], p)
			turn(k[p], p)
		}
		for p := range ids {
			o := make([]float64, c.Heads*c.HeadDim)
			for hd := range c.Heads {
				at := hd / (c.Heads / c.KVHeads) * c.HeadDim
				e, sum := make([]float64, p+1), 0.0
				for j := range e {
					s := 0.0
					for i := range c.HeadDim {
						s += q[p][hd*c.HeadDim+i] * k[j][at+i]
					}
					e[j] = math.Exp(s / math.Sqrt(float64(c.HeadDim)))
					sum += e[j]
				}
				for j := range e {
					for i := range c.HeadDim {
						o[hd*c.HeadDim+i] += e[j] / sum * v[j][at+i]
					}
				}
			}
			for i, x := range linear(pre+"self_attn.o_proj", o, c.Hidden) {
				h[p][i] += x
			}
			x := norm(pre+"post_attention_layernorm", h[p])
			g, u := linear(pre+"mlp.gate_proj", x, c.FFN), linear(pre+"mlp.up_proj", x, c.FFN)
			for i := range g {
				g[i] *= u[i] / (1 + math.Exp(-g[i]))
			}
			for i, x := range linear(pre+"mlp.down_proj", g, c.Hidden) {
				h[p][i] += x
			}
		}
	}
	head := "lm_head"
	if c.TiedHead {
		head = "model.embed_tokens"
	}
	for p := range h {
		h[p] = linear(head, norm("model.norm", h[p]), c.Vocab)
	}
	return h
}

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
	for _, n := range []int{5, 100} {
		for _, session := range []bool{false, true} {
			c := &counter{rows: map[string]int{}}
			m := newTiny(t, Options{Threads: 2, Tap: Taps{c}})
			ids := tokens(n, tiny.Vocab)
			if session {
				s, _ := m.NewSession(n)
				if _, err := s.Append(ids); err != nil {
					t.Fatal(err)
				}
			} else {
				allLogits(t, m, ids)
			}
			want := n * (tiny.Layers*(8+2*tiny.Heads+2*tiny.KVHeads) + 2)
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
	bad.Layers = 1 << 40
	if _, err := NewFrom(bad, randomSource{tiny}, Options{}); err == nil {
		t.Error("2^40 layers were accepted")
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

var smol = model.Config{Architecture: "llama", BOS: -1, EOS: -1, Layers: 30, Hidden: 576, Heads: 9, KVHeads: 3, HeadDim: 64, FFN: 1536, Vocab: 49152, MaxContext: 8192, NormEps: 1e-5, RopeTheta: 100000, TiedHead: true}

// zeroSource gives weights of one value: speed does not depend on them.
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
