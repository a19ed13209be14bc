package smooth_test

import (
	"fmt"

	"github.com/illm-go/illm/pkg/model"
	"github.com/illm-go/illm/pkg/smooth"
)

// Table lists what can be smoothed in a model with grouped heads and RoPE.
func ExampleTable() {
	cfg := model.Config{Architecture: model.LLaMA, Hidden: 576, Heads: 9, KVHeads: 3, HeadDim: 64, FFN: 1536}
	for _, k := range smooth.Table(cfg) {
		fmt.Printf("%-8s%5d  %s\n", k.Name, k.Length, k.Remains)
	}
	// Output:
	// qkv       576  Γ of the norm
	// mlp       576  Γ of the norm
	// vo        192  nothing
	// qk         96  nothing
	// gate_up  1536  α = 1/s in DI-SwiGLU
	// up_down  1536  nothing
}

// The channels of SmolLM2's residual stream and MLP have Hadamard matrices.
func ExampleOrder() {
	for _, n := range []int{576, 1536, 64, 11008} {
		o, j, ok := smooth.Order(n)
		fmt.Println(n, o, 1<<j, ok)
	}
	// Output:
	// 576 36 16 true
	// 1536 12 128 true
	// 64 1 64 true
	// 11008 0 1 false
}
