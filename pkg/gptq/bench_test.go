//go:build unix

package gptq

import (
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/illm-go/illm/pkg/model"
	"github.com/illm-go/illm/pkg/quant"
)

func cpuTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkBlock calibrates the first block of tiny-llama, or of the model that ILLM_TEST_GGUF names, at w4a4 on one
// and on two windows more, and reports CPU time: s/window is what a window of the model's context (at most 2048) costs
// a block, s/block what a block costs beside its windows.
func BenchmarkBlock(b *testing.B) {
	path := env("ILLM_TEST_GGUF", "../../data/models/tiny-llama")
	if _, err := os.Stat(path); err != nil {
		b.Skip(err)
	}
	m, err := model.Open(path)
	if err != nil {
		b.Fatal(err)
	}
	defer m.Close()
	spec, err := quant.NewSpec("w4a4", "15", "illm")
	if err != nil {
		b.Fatal(err)
	}
	in := Input{Config: m.Config, Weights: m, Spec: spec, Windows: windows(b, m, 3, min(2048, m.Config.MaxContext))}
	in.Config.Layers = 1
	for _, v := range []struct {
		name string
		opt  Options
	}{{"gptq", Options{}}, {"clip", Options{Clip: ClipLoss}}, {"ratios", Options{Ratios: true, RatioWindows: 1}}} {
		b.Run(v.name, func(b *testing.B) {
			cost := func(n int) float64 {
				in := in
				in.Windows = in.Windows[:n]
				r, err := newRun(b.Context(), &in, v.opt)
				if err != nil {
					b.Fatal(err)
				}
				start := cpuTime()
				if err := r.blocks(); err != nil {
					b.Fatal(err)
				}
				return (cpuTime() - start).Seconds()
			}
			one, three, n := 0.0, 0.0, 0
			for b.Loop() {
				one, three, n = one+cost(1), three+cost(3), n+1
			}
			window := (three - one) / 2 / float64(n)
			b.ReportMetric(window, "s/window")
			b.ReportMetric(one/float64(n)-window, "s/block")
		})
	}
}
