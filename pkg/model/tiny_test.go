package model_test

import (
	"testing"

	"github.com/illm-go/illm/pkg/model/modeltest"
)

// TestTinyModels: the drawn models never change, on no platform, because fixtures of
// other packages hold their logits. The hashes are those of the first run; transformers
// 5.23.0 loads the folders and gives the logits of pkg/floatref to within 1e-5.
func TestTinyModels(t *testing.T) {
	for name, c := range map[string]struct {
		dir  func(testing.TB) string
		hash string
	}{
		"opt":   {modeltest.TinyOPT, "88362b183d9ac7707854ebf749e265008b2f565a1692e5623a57c080070549f5"},
		"qwen2": {modeltest.TinyQwen2, "3eff911510e9655ab52facc76145fadbcbd0fb7630d2ebb15d360fec2bbd585c"},
		"qwen3": {modeltest.TinyQwen3, "76e818d1d128afdefc66a94ba36808ba7949323b2508cda41f96310a7bc0eebc"},
	} {
		m := openTiny(t, c.dir)
		if h, err := m.Hash(); h != c.hash || err != nil {
			t.Errorf("%s: hash %s (%v), want %s", name, h, err, c.hash)
		}
		if m.Config.Layers != 2 || m.Config.Hidden != 64 || m.Config.FFN != 96 || m.Tokenizer.Vocab() != 256 {
			t.Errorf("%s: %+v", name, m.Config)
		}
	}
}
