package model_test

import (
	"fmt"
	"os"
	"path/filepath"

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

// A model read from one place is saved in another; the library transformers loads it.
func ExampleSave() {
	m, err := model.OpenWeights("../floatref/testdata/qwen3")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer m.Close()
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	dir = filepath.Join(dir, "copy")
	if err := model.Save(dir, m.Config, m, nil, "BF16"); err != nil {
		fmt.Println(err)
		return
	}
	files, _ := os.ReadDir(dir)
	for _, f := range files {
		fmt.Println(f.Name())
	}
	again, err := model.OpenWeights(dir)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer again.Close()
	fmt.Println(again.Config.HeadNorm, len(again.Names()) == len(m.Names()))
	// Output:
	// config.json
	// model.safetensors
	// true true
}
