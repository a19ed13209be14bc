package smooth

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/illm-go/illm/pkg/model"
	"github.com/illm-go/illm/pkg/model/modeltest"
	"github.com/illm-go/illm/pkg/model/safetensors"
	"github.com/illm-go/illm/pkg/quant"
)

// A factor file from anywhere is an error or factors whose hash is that of what was read; never a panic.
func FuzzParse(f *testing.F) {
	m, err := model.OpenWeights(modeltest.TinyOPT(f))
	if err != nil {
		f.Fatal(err)
	}
	defer m.Close()
	cfg := m.Config
	path := filepath.Join(f.TempDir(), "f")
	for i, factors := range []*Factors{{}, draw(cfg, "", 1), draw(cfg, "vo", 2), {Rotation: Rotation{Down: true}, Meta: map[string]string{MetaRatios: `{"key":[20000,30000]}`}}, (&Factors{}).WithClips(quant.Clips{0, 12500}, nil)} {
		if i == 1 {
			factors.Blocks[0].Clip = map[string]Range{"mlp.up_proj": {Hi: []float32{0.5}}}
		}
		if err := factors.Write(path); err != nil {
			f.Fatal(err)
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	for _, tensors := range [][]safetensors.NamedTensor{
		{{Name: "model.layers.0.smooth.qkv", Type: "F32", Shape: []int{1}, Values: []float32{1}}},
		{{Name: "model.layers.00.smooth.qkv", Type: "F16", Shape: []int{1}, Values: []float32{1}}},
		{{Name: "model.layers.9.smooth.qkv", Type: "F16", Shape: []int{1}, Values: []float32{1}}},
		{{Name: "model.layers.0.mlp.up_proj.clip.lo", Type: "F16", Shape: []int{1, 1}, Values: []float32{1}}},
		{{Name: "model.layers.0.smooth.magic", Type: "F16", Shape: []int{1}, Values: []float32{1}}},
	} {
		if err := safetensors.WriteMeta(path, map[string]string{keyFormat: Version, keyLayers: "2"}, tensors); err != nil {
			f.Fatal(err)
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
		if _, err := Parse("bad", raw); err == nil {
			f.Errorf("%s was taken", tensors[0].Name)
		}
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		a, err := Parse("fuzz", raw)
		if err != nil {
			return
		}
		if a.Check(cfg) != nil {
			return
		}
		if err := a.Write(path); err != nil {
			t.Fatalf("checked factors cannot be written: %v", err)
		}
		b, err := Read(path)
		if err != nil {
			t.Fatalf("read back: %v", err)
		}
		x, _ := a.Hash()
		if y, _ := b.Hash(); x != y {
			t.Errorf("hashes %s and %s", x, y)
		}
	})
}
