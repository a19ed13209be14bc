package gptq

import (
	"fmt"
	"testing"

	"github.com/illm-go/illm/pkg/model"
	"github.com/illm-go/illm/pkg/quant"
)

// BenchmarkBlock is one window of 2048 through one block of a model of SmolLM2-135M's shape, Hessians included.
func BenchmarkCalibrate(b *testing.B) {
	m, err := model.Open("../../data/models/tiny-llama")
	if err != nil {
		b.Fatal(err)
	}
	defer m.Close()
	spec, err := quant.NewSpec("w4a4", "15", "illm")
	if err != nil {
		b.Fatal(err)
	}
	for _, opt := range []Options{{Threads: 1}, {Threads: 1, Clip: ClipLoss}, {Threads: 1, Ratios: true}} {
		b.Run(fmt.Sprintf("clip=%v/ratios=%v", opt.Clip, opt.Ratios), func(b *testing.B) {
			in := Input{Config: m.Config, Weights: m, Spec: spec, Windows: windows(b, m, 4, 1024)}
			in.Config.Layers = 2
			for b.Loop() {
				if _, err := Calibrate(b.Context(), in, opt); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
