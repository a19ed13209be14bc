package engine_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/illm-go/illm/pkg/artifact"
	"github.com/illm-go/illm/pkg/engine"
	"github.com/illm-go/illm/pkg/mmap"
	"github.com/illm-go/illm/pkg/simd/gemm"
)

// artefacts lists the files that the benchmarks run: ILLM_BENCH_ARTEFACTS, separated as PATH is. The fixtures are too
// small to say anything about memory.
func artefacts(b *testing.B) []string {
	list := strings.FieldsFunc(os.Getenv("ILLM_BENCH_ARTEFACTS"), func(r rune) bool { return r == os.PathListSeparator })
	if len(list) == 0 {
		b.Skip("ILLM_BENCH_ARTEFACTS names no artefact")
	}
	return list
}

func open(b *testing.B, path string, opt engine.Options) *engine.Model {
	b.Helper()
	a, err := artifact.Open(path)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { a.Close() })
	m, err := engine.New(a, opt)
	if err != nil {
		b.Fatal(err)
	}
	return m
}

func prompt(m *engine.Model, n int) []int32 {
	ids := make([]int32, n)
	for i := range ids {
		ids[i] = int32(i*2637+11) % int32(m.Vocab())
	}
	return ids
}

func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	return v[len(v)/2]
}

// BenchmarkDecode takes turns between one token and one plain read of as many bytes as the token's weights, out of huge
// pages: medians of both, and the median of what the token reaches of the read, pair by pair. The second goes on when
// the machine does other things, too.
func BenchmarkDecode(b *testing.B) {
	for _, path := range artefacts(b) {
		for _, threads := range []int{1, 2} {
			for _, placement := range []engine.Placement{engine.Mapped, engine.Settled} {
				m := open(b, path, engine.Options{Threads: threads, Weights: placement})
				for _, length := range []int{64, 512} {
					name := fmt.Sprintf("%s/threads=%d/%s/context=%d", m.Spec().Recipe.Name, threads, [...]string{"", "mapped", "settled"}[placement], length)
					b.Run(name, func(b *testing.B) { decode(b, m, threads, length) })
				}
			}
		}
	}
}

func decode(b *testing.B, m *engine.Model, threads, length int) {
	s, err := m.NewSession(m.MaxContext())
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	size := int(m.WeightBytes())
	buf, free, err := mmap.Huge(size)
	if err != nil {
		b.Fatal(err)
	}
	defer free()
	for i := range buf {
		buf[i] = byte(i)
	}
	ids := prompt(m, length)
	step := func(ids []int32) {
		if _, err := s.AppendLast(ctx, ids); err != nil {
			b.Fatal(err)
		}
	}
	step(ids)
	step(ids[:1])
	var token, read, part []float64
	for b.Loop() {
		if s.Len() > length+128 {
			s.Reset()
			step(ids)
		}
		start := time.Now()
		step(ids[s.Len()%length:][:1])
		t := time.Since(start).Seconds()
		start = time.Now()
		var wg sync.WaitGroup
		for i := range threads {
			wg.Go(func() { gemm.PeakRead(buf[i*(size/threads):][:size/threads]) })
		}
		wg.Wait()
		r := time.Since(start).Seconds()
		token, read, part = append(token, t), append(read, r), append(part, r/t)
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(1/median(token), "tok/s")
	b.ReportMetric(1000*median(token), "token-ms")
	b.ReportMetric(float64(size)/1e9/median(read), "read-GB/s")
	b.ReportMetric(100*median(part), "%-of-read")
}

// BenchmarkFirstToken is the time from the file, in the page cache, to the logits behind a prompt of 16 tokens.
func BenchmarkFirstToken(b *testing.B) {
	for _, path := range artefacts(b) {
		for _, placement := range []engine.Placement{engine.Lazily, engine.Settled} {
			a, err := artifact.Open(path)
			if err != nil {
				b.Fatal(err)
			}
			name := fmt.Sprintf("%s/%s", a.Header.Spec.Recipe.Name, [...]string{"lazily", "", "settled"}[placement])
			a.Close()
			b.Run(name, func(b *testing.B) {
				var parts [4][]float64
				for b.Loop() {
					at := [5]time.Time{time.Now()}
					a, err := artifact.Open(path)
					if err != nil {
						b.Fatal(err)
					}
					at[1] = time.Now()
					m, err := engine.New(a, engine.Options{Weights: placement})
					if err != nil {
						b.Fatal(err)
					}
					at[2] = time.Now()
					s, err := m.NewSession(0)
					if err != nil {
						b.Fatal(err)
					}
					at[3] = time.Now()
					if _, err := s.AppendLast(ctx, prompt(m, 16)); err != nil {
						b.Fatal(err)
					}
					at[4] = time.Now()
					for i := range parts {
						parts[i] = append(parts[i], at[i+1].Sub(at[i]).Seconds())
					}
					s.Close()
					a.Close()
				}
				for i, name := range []string{"open-ms", "load-ms", "session-ms", "prompt-ms"} {
					b.ReportMetric(1000*median(parts[i]), name)
				}
			})
		}
	}
}
