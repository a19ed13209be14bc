package catalog

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
)

func files() fstest.MapFS {
	return fstest.MapFS{
		"config.json":       {Data: []byte(`{"model_type": "llama"}`)},
		"tokenizer.json":    {Data: []byte("{}")},
		"model.safetensors": {Data: []byte(strings.Repeat("weights ", 100_000))},
		"README.md":         {Data: []byte("a card")},
	}
}

// A model is unpacked once, by whoever is first, made again when damaged, and lies in another folder when it changes.
func TestShippedModel(t *testing.T) {
	cache := t.TempDir()
	t.Setenv("ILLM_CACHE", cache)
	var paths [8]string
	var wg sync.WaitGroup
	for i := range paths {
		wg.Go(func() {
			p, err := shippedModel("small", files())
			if err != nil {
				t.Error(err)
			}
			paths[i] = p
		})
	}
	wg.Wait()
	for _, p := range paths[1:] {
		if p != paths[0] {
			t.Errorf("two folders, %s and %s", p, paths[0])
		}
	}
	list, err := os.ReadDir(filepath.Join(cache, "models"))
	if err != nil || len(list) != 1 {
		t.Errorf("%d folders in the cache (%v), want one and nothing half-made", len(list), err)
	}
	if _, err := os.Stat(filepath.Join(paths[0], "README.md")); err == nil {
		t.Error("the card was unpacked too")
	}
	weights := filepath.Join(paths[0], "model.safetensors")
	for name, damage := range map[string]func() error{
		"cut":     func() error { return os.Truncate(weights, 1000) },
		"changed": func() error { return os.WriteFile(weights, []byte(strings.Repeat("weighty ", 100_000)), 0o600) },
		"longer":  func() error { return os.WriteFile(weights, []byte(strings.Repeat("weights ", 100_001)), 0o600) },
		"missing": func() error { return os.Remove(weights) },
	} {
		if err := damage(); err != nil {
			t.Fatal(err)
		}
		p, err := shippedModel("small", files())
		if err != nil || p != paths[0] {
			t.Fatalf("%s: %s, %v; want %s", name, p, err, paths[0])
		}
		if got, err := os.ReadFile(weights); err != nil || string(got) != string(files()["model.safetensors"].Data) {
			t.Errorf("%s: the file was not restored (%v)", name, err)
		}
	}
	if list, _ := os.ReadDir(filepath.Join(cache, "models")); len(list) != 1 {
		t.Errorf("%d folders after repairs, want one", len(list))
	}
	other := files()
	other["config.json"] = &fstest.MapFile{Data: []byte(`{"model_type": "opt"}`)}
	if p, err := shippedModel("small", other); err != nil || p == paths[0] {
		t.Errorf("another model lies in the same folder %s (%v)", p, err)
	}
}

func TestShippedModelWithoutRoom(t *testing.T) {
	cache := t.TempDir()
	t.Setenv("ILLM_CACHE", cache)
	if err := os.WriteFile(filepath.Join(cache, "models"), nil, 0o400); err != nil {
		t.Fatal(err)
	}
	if _, err := shippedModel("small", files()); err == nil || !strings.Contains(err.Error(), "ILLM_CACHE") {
		t.Errorf("error %v, want one that names the cure", err)
	}
}
