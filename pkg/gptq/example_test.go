package gptq_test

import (
	"context"
	"fmt"

	"github.com/illm-go/illm/pkg/gptq"
	"github.com/illm-go/illm/pkg/model"
	"github.com/illm-go/illm/pkg/quant"
)

func ExampleCalibrate() {
	m, err := model.Open("../../data/models/tiny-llama")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer m.Close()
	spec, err := quant.NewSpec("w4a4", "", "")
	if err != nil {
		fmt.Println(err)
		return
	}
	in := gptq.Input{Config: m.Config, Weights: m, Spec: spec, Windows: [][]int32{m.Tokenizer.Encode("The capital of France is Paris.")}}
	in.Config.Layers = 1 // the first block alone
	loss := func(opt gptq.Options) float64 {
		r, err := gptq.Calibrate(context.Background(), in, opt)
		if err != nil {
			fmt.Println(err)
			return 0
		}
		return r.Linears["model.layers.0.mlp.down_proj"].Loss
	}
	fmt.Println("clipping lowers (w − ŵ)ᵀH(w − ŵ):", loss(gptq.Options{Clip: gptq.ClipLoss}) < loss(gptq.Options{}))
	// Output: clipping lowers (w − ŵ)ᵀH(w − ŵ): true
}
