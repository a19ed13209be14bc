package pretrain

import "github.com/illm-go/illm/pkg/model"

// Presets lists the names that Preset knows.
func Presets() []string { return []string{"tiny-llama", "tiny-opt"} }

// Preset returns the configuration of one of the project's own models: tiny-llama (15.98 million parameters) or
// tiny-opt (6.3 million). Token 0 ends a text; nothing stands before one.
func Preset(name string) (model.Config, bool) {
	switch name {
	case "tiny-llama":
		return model.Config{
			Architecture: model.LLaMA,
			Layers:       9, Hidden: 384, Heads: 6, KVHeads: 2, HeadDim: 64, FFN: 896,
			Vocab: 8192, MaxContext: 1024,
			NormEps: 1e-5, NormEpsText: "1e-05", RopeTheta: 10000,
			TiedHead: true,
			BOS:      -1, EOS: 0, EOSAll: []int{0},
		}, true
	case "tiny-opt":
		return model.Config{
			Architecture: model.OPT,
			Layers:       5, Hidden: 256, Heads: 4, KVHeads: 4, HeadDim: 64, FFN: 1024,
			Vocab: 8192, MaxContext: 1024,
			NormEps: 1e-5, NormEpsText: "1e-05",
			TiedHead: true, QKVBias: true, OutBias: true, MLPBias: true,
			BOS: -1, EOS: 0, EOSAll: []int{0},
		}, true
	}
	return model.Config{}, false
}
