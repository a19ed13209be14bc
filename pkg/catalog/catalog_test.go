package catalog_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/illm-go/illm/data"
	"github.com/illm-go/illm/pkg/artifact"
	"github.com/illm-go/illm/pkg/catalog"
	"github.com/illm-go/illm/pkg/model/modeltest"
	"github.com/illm-go/illm/pkg/quant"
)

var ctx = context.Background()

func newSpec(t *testing.T, recipe string) quant.Spec {
	t.Helper()
	s, err := quant.NewSpec(recipe, "", "")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// An artefact is made once, shared by the recipes of one weight width, and made again when damaged.
func TestArtifactCache(t *testing.T) {
	cache := t.TempDir()
	t.Setenv("ILLM_CACHE", cache)
	t.Setenv("ILLM_DATA", t.TempDir()) // no calibration text there: opticks stands in
	made := 0
	dir := modeltest.Tiny(t)
	open := func(path string) *catalog.Entry {
		e, err := catalog.Open(ctx, path, catalog.Options{Threads: 1, Progress: func(what string, done, total int) {
			if what == "quantise" && done == total {
				made++
			}
		}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { e.Close() })
		return e
	}
	e := open(dir)
	if ids, err := e.Encode("Ab"); err != nil || len(ids) != 2 || ids[0] != 'A' || ids[1] != 'b' {
		t.Fatalf("tokens %v, %v; want the two bytes", ids, err)
	}
	var id string
	for i, c := range []struct {
		recipe string
		made   int
	}{{"w4a4", 1}, {"w4a8", 1}, {"w8a8", 2}, {"w4a4kv8", 2}} {
		m, err := e.Integer(ctx, newSpec(t, c.recipe))
		if err != nil {
			t.Fatal(err)
		}
		if made != c.made {
			t.Errorf("%s: %d artefacts made, want %d", c.recipe, made, c.made)
		}
		if i == 0 {
			id = m.Artifact().ID
		}
		if m.Artifact().Header.Calibration == "" {
			t.Error("the artefact names no calibration")
		}
	}
	files, err := filepath.Glob(filepath.Join(cache, "artifacts", "*-w4*.illm"))
	if err != nil || len(files) != 1 {
		t.Fatalf("cached 4-bit artefacts: %v, %v; want one", files, err)
	}
	raw, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(files[0]); err != nil { // the entry has it mapped
		t.Fatal(err)
	}
	if err := os.WriteFile(files[0], raw[:len(raw)-7], 0o600); err != nil {
		t.Fatal(err)
	}
	moved := filepath.Join(t.TempDir(), "elsewhere")
	if err := os.Rename(dir, moved); err != nil {
		t.Fatal(err)
	}
	m, err := open(moved).Integer(ctx, newSpec(t, "w4a4"))
	if err != nil {
		t.Fatalf("after damage: %v", err)
	}
	if made != 3 || m.Artifact().ID != id {
		t.Errorf("after damage, from another folder: %d made, identity %s; want 3 and %s again", made, m.Artifact().ID[:12], id[:12])
	}
}

// An artefact given by its path runs without the float model, which fp32 asks for in vain.
func TestArtifactPath(t *testing.T) {
	t.Setenv("ILLM_CACHE", t.TempDir())
	e, err := catalog.Open(ctx, modeltest.Tiny(t), catalog.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	path := filepath.Join(t.TempDir(), "t.illm")
	cal, err := e.Calibration(ctx)
	if err != nil {
		t.Fatal(err)
	}
	id, err := e.Quantize(ctx, newSpec(t, "w6a6"), cal, path)
	if err != nil {
		t.Fatal(err)
	}
	a, err := catalog.Open(ctx, path, catalog.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	m, err := a.Integer(ctx, newSpec(t, "w6a6"))
	if err != nil || m.Artifact().ID != id {
		t.Fatalf("engine of the artefact: %v", err)
	}
	want, _ := e.Source()
	if got, err := a.Source(); err != nil || got != want {
		t.Errorf("source %s, %v; want %s", got, err, want)
	}
	if ids, err := a.Encode("hi"); err != nil || len(ids) != 2 {
		t.Errorf("the artefact's own tokenizer gave %v, %v", ids, err)
	}
	if _, err := a.Float(); err == nil || !strings.Contains(err.Error(), "fp32") {
		t.Errorf("float model of an artefact: error %v", err)
	}
	if _, err := a.Quantize(ctx, newSpec(t, "w8a8"), cal, path+"2"); err == nil {
		t.Error("an artefact was quantised again")
	}
	if _, err := a.Integer(ctx, newSpec(t, "w8a8")); err == nil || !strings.Contains(err.Error(), "illm quantize") {
		t.Errorf("8-bit recipe on a 6-bit artefact: error %v", err)
	}
}

func TestOpenRefuses(t *testing.T) {
	for name, want := range map[string]string{"": "expected the name", "smolm2": "smollm2", filepath.Join(t.TempDir(), "x.gguf"): "no such file"} {
		if _, err := catalog.Open(ctx, name, catalog.Options{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want one that says %q", name, err, want)
		}
	}
	if _, err := catalog.Open(ctx, "nothing", catalog.Options{}); !errors.Is(err, catalog.ErrUnknown) {
		t.Errorf("error %v, want ErrUnknown", err)
	}
	for _, name := range catalog.Names() { // a checkout without the weights says so
		if _, ok := data.Model(name); ok || name == "smollm2" {
			continue
		}
		if _, err := catalog.Open(ctx, name, catalog.Options{}); err == nil || !strings.Contains(err.Error(), "data/models/"+name) {
			t.Errorf("%s is not built in: error %v", name, err)
		}
	}
	path := filepath.Join(t.TempDir(), "cut.illm")
	if err := os.WriteFile(path, []byte("illm\r\n\x1a\n and no more"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := catalog.Open(ctx, path, catalog.Options{}); !errors.Is(err, artifact.ErrCorrupt) {
		t.Errorf("cut artefact: error %v", err)
	}
}

func TestReadOnlyCache(t *testing.T) {
	cache := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(cache, nil, 0o400); err != nil {
		t.Fatal(err)
	}
	t.Setenv("ILLM_CACHE", cache) // a file where the folder should be: not even root can write there
	e, err := catalog.Open(ctx, modeltest.Tiny(t), catalog.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if _, err := e.Integer(ctx, newSpec(t, "w8a8")); err == nil || !strings.Contains(err.Error(), "ILLM_CACHE") {
		t.Errorf("error %v, want one that names the cure", err)
	}
}
