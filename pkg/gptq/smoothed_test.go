package gptq

import (
	"math"
	"testing"

	"github.com/illm-go/illm/pkg/model/modeltest"
	"github.com/illm-go/illm/pkg/smooth"
)

// Smoothed and rotated weights with what they leave at run time are the same function.
func TestSmoothed(t *testing.T) {
	in := input(t, modeltest.TinyQwen2(t), "w4a4", 40)
	plain, err := measure(t.Context(), in, Options{})
	if err != nil {
		t.Fatal(err)
	}
	c := in.Config
	f := &smooth.Factors{Rotation: smooth.Rotation{Residual: true, ValueOut: true, QueryKey: true, Down: true}, Blocks: make([]smooth.Block, c.Layers)}
	for l := range f.Blocks {
		f.Blocks[l].GateUp, f.Blocks[l].VO = make([]float32, c.FFN), make([]float32, c.KVHeads*c.HeadDim)
		for i := range f.Blocks[l].GateUp {
			f.Blocks[l].GateUp[i] = float32(int(1)<<(i%4)) / 2
		}
		for i := range f.Blocks[l].VO {
			f.Blocks[l].VO[i] = float32(int(1)<<(i%3)) / 2
		}
	}
	a, err := smooth.Apply(c, in.Weights, f)
	if err != nil {
		t.Fatal(err)
	}
	in.Config, in.Weights, in.Alpha, in.Online = a.Config(), a, a.Alpha, a.Tap()
	turned, err := measure(t.Context(), in, Options{Threads: 2})
	if err != nil {
		t.Fatal(err)
	}
	want := plain.logits(t)
	for i, row := range turned.logits(t) {
		for j, v := range row {
			if d := math.Abs(v - want[i][j]); d > 2e-4 {
				t.Fatalf("position %d: logit %d differs by %v", i, j, d)
			}
		}
	}
	in.Clip = func(name string) (lo, hi []float32) {
		r := a.Clip(name)
		return r.Lo, r.Hi
	}
	one, err := Calibrate(t.Context(), in, Options{Threads: 1, Ratios: true})
	if err != nil {
		t.Fatal(err)
	}
	three, err := Calibrate(t.Context(), in, Options{Threads: 3, Ratios: true})
	if err != nil {
		t.Fatal(err)
	}
	if one.Digest() != three.Digest() {
		t.Error("threads change the digest")
	}
}
