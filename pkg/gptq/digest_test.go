package gptq

import (
	"os"
	"os/exec"
	"regexp"
	"testing"

	"github.com/illm-go/illm/pkg/model/modeltest"
)

// What Calibrate decides for a small random model is one number on every platform. It was found equal on amd64 (each
// instruction set, and Go alone), on 386, and on arm64 by emulation; it changes when the method does.
func TestDigest(t *testing.T) {
	const want = "6f3a312a35f08c261598ce4f0ea9c7f3f8f1b6a0028d06d788bcb44435a88c28"
	in := input(t, modeltest.Tiny(t), "w4a4", 33, 50, 7)
	r, err := Calibrate(t.Context(), in, Options{Clip: ClipLoss, Ratios: true})
	if err != nil {
		t.Fatal(err)
	}
	if got := r.Digest(); got != want {
		t.Errorf("digest %s, want %s", got, want)
	}
}

// The compiler of arm64 fuses products and sums wherever it may; it finds none in the float path. (In floatref, which
// promises less, it does: the pattern is right.)
func TestNoFusedSteps(t *testing.T) {
	if testing.Short() {
		t.Skip("builds packages for arm64")
	}
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("no go command")
	}
	fused := regexp.MustCompile(`\tFN?M(ADD|SUB)[SD]\t.*`)
	for pkg, want := range map[string]bool{".": false, "../simd/ordered": false, "../smooth": false, "../ptq": false, "../quant": false, "../floatref": true} {
		cmd := exec.Command("go", "build", "-gcflags=-S", pkg)
		cmd.Env = append(os.Environ(), "GOOS=linux", "GOARCH=arm64", "CGO_ENABLED=0")
		text, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", pkg, err, text)
		}
		if line := fused.Find(text); (line != nil) != want {
			t.Errorf("%s: fused steps %v, want %v: %s", pkg, line != nil, want, line)
		}
	}
}
