package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/illm-go/illm/kernels/illm/internal/place"
	"github.com/illm-go/illm/pkg/model/modeltest"
)

// The state of an interrupted training is gone on from unless --force is given; over an existing file that needs --force once.
func TestCalibrateForce(t *testing.T) {
	root := t.TempDir()
	for name, text := range map[string]string{"go.mod": "module " + place.Module + "\n\ngo 1.26.0\n", "kernels/trainer/main.go": fakeTrainer} {
		path := filepath.Join(root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(root)
	t.Setenv("GOFLAGS", "-buildvcs=false")
	t.Setenv("ILLM_CACHE", t.TempDir())
	t.Setenv("ILLM_DATA", t.TempDir())
	t.Setenv("GOMLX_BACKEND", "")
	t.Setenv("FAKE_FACTORS", "") // the trainer leaves a state and fails
	out := filepath.Join(t.TempDir(), "f.safetensors")
	if err := os.WriteFile(out, []byte("earlier factors"), 0o600); err != nil {
		t.Fatal(err)
	}
	m := modeltest.TinyQwen2(t)
	for i, step := range []struct {
		more  string
		code  int
		want  string
		state bool // there afterwards
	}{
		{"", exitUsage, "--force to replace it", false},
		{"--force", exitFailure, " --force", true},
		{"", exitFailure, " --resume", true},
		{"--force", exitFailure, " --force", true},
	} {
		args := []string{"-m", m, "-r", "w6a6", "--method", "fsbr", "--windows", "7", "--backend", "go", "--out", out}
		if step.more != "" {
			args = append(args, step.more)
		}
		code, _, stderr := calibrateRun(t, args...)
		line := "" // the trainer's arguments
		for l := range strings.Lines(stderr) {
			if strings.HasPrefix(l, "TRAINER go fsbr ") {
				line = l
			}
		}
		if step.code == exitUsage {
			line = stderr
		}
		if code != step.code || !strings.Contains(line, step.want) || strings.Contains(line, "--force") && strings.Contains(line, "--resume") {
			t.Errorf("step %d: code %d, %s; want code %d and %q", i, code, stderr, step.code, step.want)
		}
		if got := exists(out + trainedState); got != step.state {
			t.Errorf("step %d: a state is there: %v, want %v", i, got, step.state)
		}
	}
	if raw := mustRead(t, out); string(raw) != "earlier factors" {
		t.Errorf("the file before the end of training holds %q", raw)
	}
}
