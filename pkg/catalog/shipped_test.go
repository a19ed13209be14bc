package catalog

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/illm-go/illm/data"
	"github.com/illm-go/illm/pkg/model/modeltest"
	"github.com/illm-go/illm/pkg/ptq"
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

// A finished model (one with the record of its training) is shipped with its calibration: without it every new machine
// would run the float model first, and the artefact would have another name.
func TestShippedCalibrations(t *testing.T) {
	for _, name := range data.Models() {
		dir, _ := data.Model(name)
		if _, err := fs.Stat(dir, "training.json"); err != nil {
			t.Logf("%s has no training.json", name)
			continue
		}
		e, err := Open(t.Context(), name, Options{})
		if err != nil {
			t.Fatal(err)
		}
		source, err := e.Source()
		e.Close()
		if err != nil {
			t.Fatal(err)
		}
		if s, ok, err := shipped(source); err != nil || !ok || s.Model != name {
			t.Errorf("%s: its calibration is not in data/records/calibration.json (%v): run \"illm quantize --model %s --recalibrate --calibrations data/records/calibration.json --out FILE\"", name, err, name)
		}
	}
}

// Publish replaces a model's calibration or adds it, and leaves the others.
func TestPublish(t *testing.T) {
	t.Setenv("ILLM_CACHE", t.TempDir())
	e, err := Open(t.Context(), modeltest.Tiny(t), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	path := filepath.Join(t.TempDir(), "list.json")
	if err := e.Publish(ptq.Calibration{MaxAbs: 1}, path); err == nil {
		t.Error("a list that is not there was made up")
	}
	if err := os.WriteFile(path, []byte(`[{"model": "zzz", "source_sha256": "00", "max_abs": 3}]`), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, max := range []float64{1, 2} {
		if err := e.Publish(ptq.Calibration{MaxAbs: max}, path); err != nil {
			t.Fatal(err)
		}
	}
	var list []stored
	raw, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(raw, &list)
	}
	source, _ := e.Source()
	if err != nil || len(list) != 2 || list[0].Model != e.Name || list[0].Source != source || list[0].MaxAbs != 2 || list[1].MaxAbs != 3 {
		t.Errorf("%s, %v; want the second calibration of %s and the other model's", raw, err, source)
	}
}
