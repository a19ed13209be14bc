package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestHalfTheModelsMissing takes tiny-opt and SmolLM2 away, weights and records, in a clone of its own: table T1 is printed
// for the models that are left, the others are named, and the exit code says that rows are missing.
func TestHalfTheModelsMissing(t *testing.T) {
	if testing.Short() {
		t.Skip("runs Jupyter")
	}
	here, err := (&app{}).dirs()
	if err != nil {
		t.Fatal(err)
	}
	clone, cache := t.TempDir(), t.TempDir()
	copyTree(t, here.Root, clone)
	if err := os.RemoveAll(filepath.Join(clone, "data", "models", "tiny-opt")); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(clone, "data", "records", "*.jsonl"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no records: %v", err)
	}
	for _, path := range files {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var kept []byte
		for line := range bytes.Lines(data) {
			var r struct{ Axes map[string]string }
			if err := json.Unmarshal(line, &r); err != nil {
				t.Fatal(err)
			}
			if m := r.Axes["model"]; m != "tiny-opt" && m != "smollm2" {
				kept = append(kept, line...)
			}
		}
		if err := os.WriteFile(path, kept, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, part := range []string{"python", "tools"} {
		if from := filepath.Join(here.Cache, part); exists(from) {
			if err := os.Symlink(from, filepath.Join(cache, part)); err != nil {
				t.Fatal(err)
			}
		}
	}
	t.Chdir(clone)
	builtOnce(t)
	t.Setenv("ILLM_CACHE", cache)
	t.Setenv("ILLM_RECORDS", t.TempDir())
	t.Setenv("HF_ENDPOINT", "http://127.0.0.1:9") // no hub
	code, stdout, stderr := command(t, "reproduce", "T1", "--out", t.TempDir())
	if code != exitMissing {
		t.Errorf("code %d, want %d: %s%s", code, exitMissing, stdout, stderr)
	}
	for _, want := range []string{"tiny-llama", "24.98"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("the table of tiny-llama lacks %q:\n%s", want, stdout)
		}
	}
	for _, model := range []string{"tiny-opt", "smollm2"} {
		if !strings.Contains(stdout, "T1: missing: ") || !strings.Contains(stdout+stderr, model) {
			t.Errorf("%s is not named as missing:\n%s%s", model, stdout, stderr)
		}
	}
}
