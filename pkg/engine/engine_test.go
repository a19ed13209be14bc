package engine_test

import (
	"context"
	"encoding/hex"
	"errors"
	"math"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/illm-go/illm/pkg/artifact"
	"github.com/illm-go/illm/pkg/di"
	"github.com/illm-go/illm/pkg/engine"
	"github.com/illm-go/illm/pkg/floatref"
	"github.com/illm-go/illm/pkg/model"
	"github.com/illm-go/illm/pkg/ptq"
	"github.com/illm-go/illm/pkg/quant"
	"github.com/illm-go/illm/pkg/simd/cpu"
)

var ctx = context.Background()

// fixture opens one of the random models that the float reference is tested with.
func fixture(t testing.TB, name string) *model.Model {
	t.Helper()
	m, err := model.OpenWeights(filepath.Join("..", "floatref", "testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

// calibrated is the fixture's calibration over fixed tokens.
func calibrated(t testing.TB, m *model.Model) ptq.Calibration {
	t.Helper()
	c, err := ptq.Calibrate(ctx, m, "test", [][]int32{tokens(m, 64)}, 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// tokens is a fixed sequence over the vocabulary.
func tokens(m *model.Model, n int) []int32 {
	ids := make([]int32, n)
	state := uint32(12345)
	for i := range ids {
		state = state*1664525 + 1013904223
		ids[i] = int32(state >> 8 % uint32(m.Config.Vocab))
	}
	return ids
}

// build quantises the fixture and loads it.
func build(t testing.TB, m *model.Model, recipe, clip, mode string, threads int) *engine.Model {
	t.Helper()
	spec, err := quant.NewSpec(recipe, clip, mode)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "m.illm")
	if _, err := ptq.Quantize(ctx, m, spec, calibrated(t, m), path, ptq.Options{}); err != nil {
		t.Fatal(err)
	}
	a, err := artifact.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	e, err := engine.New(a, engine.Options{Threads: threads})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// rows runs ids in pieces of the given lengths (the last one repeats) and returns a copy of every logit row.
func rows(t testing.TB, e *engine.Model, ids []int32, pieces ...int) []engine.Logits {
	t.Helper()
	s, err := e.NewSession(len(ids))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	out := make([]engine.Logits, len(ids))
	var mu sync.Mutex
	for at, i := 0, 0; at < len(ids); i++ {
		n := min(pieces[min(i, len(pieces)-1)], len(ids)-at)
		err := s.AppendAll(ctx, ids[at:at+n], func(j int, l engine.Logits) error {
			l.T = append([]int64(nil), l.T...)
			mu.Lock()
			out[at+j] = l
			mu.Unlock()
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		at += n
	}
	if n := s.Saturated(); n != 0 {
		t.Errorf("%d additions to the residual saturated, want 0", n)
	}
	return out
}

func hash(t testing.TB, rows []engine.Logits) string {
	t.Helper()
	var h di.LogitHash
	for _, l := range rows {
		if err := h.Add(l.T, l.M, l.K); err != nil {
			t.Fatal(err)
		}
	}
	sum := h.Sum()
	return hex.EncodeToString(sum[:])
}

// One prompt gives one hash: whatever the prefill split, the number of threads and the instruction set.
func TestSameBits(t *testing.T) {
	for _, c := range []struct {
		model   string
		recipes []string
	}{
		{"tiny_tied", []string{"w8a8", "w6a6", "w4a8", "w4a4", "w4a4kv8", "w8a8kv5", "w8a8emb16"}},
		{"opt", []string{"w8a8", "w6a6", "w4a4", "w8a8kv4", "w8a8emb16"}},
		{"qwen3", []string{"w8a8", "w6a6", "w4a4kv8"}},
		{"llama_bias", []string{"w8a8", "w4a4"}},
	} {
		for _, recipe := range c.recipes {
			for _, mode := range []string{"illm", "precise"} {
				t.Run(c.model+" "+recipe+" "+mode, func(t *testing.T) { sameBits(t, fixture(t, c.model), recipe, mode) })
			}
		}
	}
}

func sameBits(t *testing.T, m *model.Model, recipe, mode string) {
	ids := tokens(m, 75)
	one := build(t, m, recipe, "15", mode, 1)
	want := hash(t, rows(t, one, ids, 75))
	three := build(t, m, recipe, "15", mode, 3)
	for _, pieces := range [][]int{{1}, {2, 3, 17, 9}, {41, 34}, {74, 1}, {5, 16}} {
		for _, e := range []*engine.Model{one, three} {
			if got := hash(t, rows(t, e, ids, pieces...)); got != want {
				t.Errorf("pieces %v: hash %s, want %s", pieces, got[:12], want[:12])
			}
		}
	}
	limit := cpu.Limit()
	defer cpu.SetLimit(limit)
	for _, set := range []cpu.Set{cpu.Generic, cpu.AVX2, cpu.AVX512, cpu.AVX512VNNI} {
		cpu.SetLimit(set)
		if got := hash(t, rows(t, three, ids, 32, 1)); got != want {
			t.Errorf("instruction set %v: hash %s, want %s", set, got[:12], want[:12])
		}
	}
}

// A longer text leaves the logits of its beginning alone.
func TestCausal(t *testing.T) {
	m := fixture(t, "tiny_untied")
	e := build(t, m, "w8a8", "15", "illm", 2)
	ids := tokens(m, 60)
	long, short := rows(t, e, ids, 60), rows(t, e, ids[:23], 23)
	if a, b := hash(t, long[:23]), hash(t, short); a != b {
		t.Errorf("first 23 rows of 60: hash %s, alone %s", a[:12], b[:12])
	}
}

// The golden hash moves only with ptq.Semantics.
func TestGolden(t *testing.T) {
	want := map[string]string{}
	for _, line := range strings.Split(strings.TrimSpace(golden), "\n") {
		f := strings.Fields(line)
		want[f[0]+" "+f[1]] = f[2]
	}
	for _, name := range []string{"tiny_tied", "tiny_untied", "llama_bias", "qwen3", "opt"} {
		m := fixture(t, name)
		for _, recipe := range []string{"w8a8", "w6a6", "w4a4"} {
			e := build(t, m, recipe, "15", "illm", 2)
			got := hash(t, rows(t, e, tokens(m, 48), 48))
			if got != want[name+" "+recipe] {
				t.Errorf("%s %s: logit hash %s, golden %s (semantics %d): the bits of the forward pass changed", name, recipe, got, want[name+" "+recipe], ptq.Semantics)
			}
		}
	}
}

// At 8 bits the logits stay near those of the float model; the oracle is transformers' arithmetic, through floatref.
func TestNearFloat(t *testing.T) {
	for _, name := range []string{"tiny_tied", "tiny_untied"} {
		m := fixture(t, name)
		ref, err := floatref.New(m, 1)
		if err != nil {
			t.Fatal(err)
		}
		ids := tokens(m, 64)
		want := make([][]float32, len(ids))
		if err := ref.Logits(ctx, ids, func(i int, l []float32) error {
			want[i] = append([]float32(nil), l...)
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			recipe, mode string
			bound        float64
		}{{"w8a8", "illm", 0.08}, {"w8a8", "precise", 0.06}, {"w6a6", "illm", 0.25}} {
			got := rows(t, build(t, m, c.recipe, "15", c.mode, 2), ids, 64)
			var num, den float64
			for i, l := range got {
				scale := math.Ldexp(float64(l.M), -int(l.K))
				for j, v := range l.T {
					d := float64(v)*scale - float64(want[i][j])
					num, den = num+d*d, den+float64(want[i][j])*float64(want[i][j])
				}
			}
			if e := math.Sqrt(num / den); !(e < c.bound) {
				t.Errorf("%s %s %s: relative error of the logits %.4f, want < %v", name, c.recipe, c.mode, e, c.bound)
			} else {
				t.Logf("%s %s %s: relative error of the logits %.4f", name, c.recipe, c.mode, e)
			}
		}
	}
}

func TestBadInput(t *testing.T) {
	m := fixture(t, "tiny_tied")
	e := build(t, m, "w8a8", "15", "illm", 1)
	if _, err := e.NewSession(e.MaxContext() + 1); err == nil || !strings.Contains(err.Error(), "context") {
		t.Errorf("session beyond the context: error %v", err)
	}
	s, err := e.NewSession(8)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, c := range []struct {
		ids  []int32
		want string
	}{{make([]int32, 9), "holds 8"}, {[]int32{-1}, "token 0"}, {[]int32{0, int32(e.Vocab())}, "token 1"}} {
		if err := s.Append(ctx, c.ids); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("append %v: error %v, want one that says %q", c.ids, err, c.want)
		}
	}
	if _, err := s.AppendLast(ctx, nil); err == nil {
		t.Error("append of nothing passed")
	}
	stop := errors.New("stop")
	if err := s.AppendAll(ctx, []int32{1, 2}, func(int, engine.Logits) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("error of the callback: got %v, want it back", err)
	}
	done, cancel := context.WithCancel(ctx)
	cancel()
	if err := s.Append(done, []int32{1}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: error %v", err)
	}
	spec, _ := quant.NewSpec("w4a4", "", "")
	if _, err := engine.New(e.Artifact(), engine.Options{Spec: &spec}); err == nil || !strings.Contains(err.Error(), "illm quantize") {
		t.Errorf("4-bit recipe on an 8-bit artefact: error %v", err)
	}
}

// A step of decoding allocates nothing once the session is warm.
func TestDecodeAllocates(t *testing.T) {
	for _, name := range []string{"tiny_tied", "qwen3", "opt"} {
		t.Run(name, func(t *testing.T) { decodeAllocates(t, fixture(t, name)) })
	}
}

func decodeAllocates(t *testing.T, m *model.Model) {
	e := build(t, m, "w8a8", "15", "illm", 1)
	s, err := e.NewSession(128)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	id := []int32{1}
	step := func() {
		if s.Len() == 128 {
			s.Reset()
		}
		if _, err := s.AppendLast(ctx, id); err != nil {
			t.Fatal(err)
		}
	}
	for range 130 {
		step()
	}
	if n := testing.AllocsPerRun(64, step); n > 0 {
		t.Errorf("%v allocations a token, want 0", n)
	}
}

func BenchmarkTinyPrefill(b *testing.B) {
	m := fixture(b, "tiny_tied")
	e := build(b, m, "w8a8", "15", "illm", 1)
	ids := tokens(m, 64)
	s, err := e.NewSession(len(ids))
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	b.ReportAllocs()
	for b.Loop() {
		s.Reset()
		if _, err := s.AppendLast(ctx, ids); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(ids))*float64(b.N)/b.Elapsed().Seconds(), "tok/s")
}

// The place of the weights changes nothing, also while another session reads them: the shipped OPT, because what is
// smaller than a huge page stays where it is.
func TestPlacements(t *testing.T) {
	m, err := model.OpenWeights(filepath.Join("..", "..", "data", "models", "tiny-opt"))
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	a := build(t, m, "w8a8", "15", "", 2).Artifact()
	ids := tokens(m, 40)
	want := ""
	for _, p := range []engine.Placement{engine.Mapped, engine.Lazily, engine.Settled} {
		e, err := engine.New(a, engine.Options{Threads: 2, Weights: p})
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for range 2 {
			wg.Go(func() {
				if got := hash(t, rows(t, e, ids, 1)); want != "" && got != want {
					t.Errorf("placement %d: other logits", p)
				}
			})
		}
		wg.Wait()
		if got := hash(t, rows(t, e, ids, 1)); want != "" && got != want {
			t.Errorf("placement %d: other logits when it is done", p)
		} else {
			want = got
		}
	}
	t.Logf("settled: %v", a.Settle())
}
