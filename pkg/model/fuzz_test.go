package model

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

// FuzzConfigJSON: whatever config.json says, it is read, refused, or gives a
// configuration whose tensors can be listed; nothing panics or allocates by its sizes.
func FuzzConfigJSON(f *testing.F) {
	add := func(v any) {
		b, err := json.Marshal(v)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	add(toyConfig(true))
	for _, c := range saveConfigs() {
		h, err := hfFromConfig(&c, "F16")
		if err != nil {
			f.Fatal(err)
		}
		add(h)
		h["num_hidden_layers"], h["vocab_size"], h["hidden_size"] = 4096, 1<<22, 1<<20
		add(h)
	}
	for _, name := range []string{"tiny-llama", "tiny-opt"} {
		b, err := os.ReadFile(filepath.Join("..", "..", "data", "models", name, "config.json"))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte(`{"model_type":"opt","hidden_size":9223372036854775807,"num_attention_heads":-9223372036854775808}`))
	f.Add([]byte(`{"model_type":"mistral","eos_token_id":[],"rope_scaling":{"type":"linear","factor":1e308}}`))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, raw []byte) {
		if err := os.WriteFile(filepath.Join(dir, "config.json"), raw, 0o600); err != nil {
			t.Fatal(err)
		}
		h, err := readHFConfig(dir)
		if err != nil {
			return
		}
		c, err := h.config()
		if err != nil || c.Validate() != nil {
			return
		}
		n := 0
		for s := range c.layout() {
			if !s.absent && (len(s.shape) == 0 || s.shape[0] < 1 || s.name == "" || s.hf == "") {
				t.Fatalf("%+v", s)
			}
			if n++; n > 60 {
				break
			}
		}
		if _, err := hfFromConfig(&c, "F16"); err != nil && c.RopeScaling.Type == "" {
			t.Errorf("cannot be saved: %v", err)
		}
	})
}
