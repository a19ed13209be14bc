package engine_test

import (
	"fmt"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/illm-go/illm/pkg/di"
	"github.com/illm-go/illm/pkg/engine"
)

// threadTime is the processor time of the calling thread: what a busy machine does beside it does not count.
func threadTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(1, &u); err != nil { // RUSAGE_THREAD
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// prefill runs a prompt of 512 tokens on one worker with the head for its last token, or a window of an evaluation, 1024
// tokens with the head for all, until the benchmark has enough, and returns the length and the processor time of each run.
func prefill(b *testing.B, m *engine.Model, all bool) (length int, times []float64) {
	length = 512
	if all {
		length = 1024
	}
	ids := prompt(m, min(length, m.MaxContext()))
	s, err := m.NewSession(len(ids))
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for b.Loop() {
		s.Reset()
		start := threadTime()
		if all {
			err = s.AppendAll(ctx, ids, func(_ int, l engine.Logits) error {
				di.MinMax(l.T) // whoever wants logits reads them
				return nil
			})
		} else {
			_, err = s.AppendLast(ctx, ids)
		}
		if err != nil {
			b.Fatal(err)
		}
		times = append(times, (threadTime() - start).Seconds())
	}
	return len(ids), times
}

func eachPrefill(b *testing.B, f func(b *testing.B, m *engine.Model, all bool)) {
	for _, path := range artefacts(b) {
		m := open(b, path, engine.Options{Threads: 1})
		for _, all := range []bool{false, true} {
			name := fmt.Sprintf("%s/%dx%d/head=%s", m.Spec().Recipe.Name, m.Artifact().Header.Layers, m.Artifact().Header.Hidden, map[bool]string{false: "last", true: "all"}[all])
			b.Run(name, func(b *testing.B) { f(b, m, all) })
		}
	}
}

// BenchmarkPrefill is one worker's processor time for a token; illm bench --study parts shares it out to the operators.
func BenchmarkPrefill(b *testing.B) {
	eachPrefill(b, func(b *testing.B, m *engine.Model, all bool) {
		length, times := prefill(b, m, all)
		b.ReportMetric(0, "ns/op")
		b.ReportMetric(1e9*median(times)/float64(length), "cpu-ns/token")
		b.ReportMetric(float64(length)/median(times), "tok/cpu-s")
	})
}
