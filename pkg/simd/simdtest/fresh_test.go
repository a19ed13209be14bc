package simdtest

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Regenerating the assembly leaves no difference.
func TestGeneratedFilesAreFresh(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the generator")
	}
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("no go command")
	}
	out := t.TempDir()
	bin := filepath.Join(out, "generator")
	run := func(name string, arg ...string) ([]byte, error) {
		cmd := exec.Command(name, arg...)
		cmd.Dir = filepath.Join("..", "_asm")
		cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=-mod=readonly -buildvcs=false", "GOOS=", "GOARCH=")
		return cmd.CombinedOutput()
	}
	if text, err := run("go", "mod", "download"); err != nil {
		t.Skipf("the generator's modules are not to be had: %v\n%s", err, text)
	}
	if text, err := run("go", "build", "-o", bin, "."); err != nil {
		t.Fatalf("build the generator: %v\n%s", err, text)
	}
	root := filepath.Join(out, "simd")
	if text, err := run(bin, "-root", root); err != nil {
		t.Fatalf("run the generator: %v\n%s", err, text)
	}
	n := 0
	for _, pattern := range []string{"*/*_amd64.s", "*/*_stub_amd64.go", "*/*_arm64.s", "*/*_stub_arm64.go"} {
		have, _ := filepath.Glob(filepath.Join("..", pattern))
		made, _ := filepath.Glob(filepath.Join(root, pattern))
		if len(have) != len(made) {
			t.Errorf("%s: %d files in the tree, %d generated", pattern, len(have), len(made))
		}
		for _, file := range made {
			rel, _ := filepath.Rel(root, file)
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got, err := os.ReadFile(filepath.Join("..", rel))
			if err != nil {
				t.Errorf("%s: %v", rel, err)
			} else if !bytes.Equal(got, want) {
				t.Errorf("%s differs from what its generator writes: cd pkg/simd/_asm && go run .", rel)
			}
			n++
		}
	}
	if n == 0 {
		t.Error("the generator wrote nothing")
	}
}
