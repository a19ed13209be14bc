package model_test

import (
	"fmt"

	"github.com/illm-go/illm/pkg/model"
)

func ExampleConfig_RopeFrequencies() {
	c := model.Config{HeadDim: 8, RopeTheta: 10000}
	fmt.Println(c.RopeFrequencies())
	c.RopeScaling = model.RopeScaling{Type: "linear", Factor: 2}
	fmt.Println(c.RopeFrequencies())
	// Output:
	// [1 0.1 0.01 0.001]
	// [0.5 0.05 0.005 0.0005]
}

func ExampleConfig_Validate() {
	c := model.Config{Architecture: "llama", Layers: 2, Hidden: 64, Heads: 4, KVHeads: 3, HeadDim: 16, FFN: 96, Vocab: 256, MaxContext: 128, NormEps: 1e-5, RopeTheta: 10000}
	fmt.Println(c.Validate())
	// Output:
	// attention heads: 4 is no multiple of the 3 key/value heads
}
