package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/illm-go/illm/kernels/illm/internal/place"
)

// The trainer's arguments, input, output and exit code are its own.
func TestTrain(t *testing.T) {
	root := t.TempDir()
	write := func(name, text string) {
		path := filepath.Join(root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("go.mod", "module "+place.Module+"\n\ngo 1.26.0\n")
	t.Chdir(root)
	t.Setenv("GOFLAGS", "-buildvcs=false")
	train := func(args ...string) (code int, stdout, stderr string) {
		var out, talk bytes.Buffer
		a := &app{stdin: strings.NewReader("input"), stdout: &out, stderr: &talk}
		code = a.main(t.Context(), append([]string{"train"}, args...))
		return code, out.String(), talk.String()
	}
	if code, _, stderr := train(); code != exitFailure || !strings.Contains(stderr, "has no kernels/trainer") {
		t.Errorf("without a trainer: code %d, %q", code, stderr)
	}
	write("kernels/trainer/main.go", `package main

import (
	"fmt"
	"io"
	"os"
)

func main() {
	in, _ := io.ReadAll(os.Stdin)
	wd, _ := os.Getwd()
	_, err := os.Stat("go.mod")
	fmt.Printf("%q %s %v %v\n", os.Args[1:], in, wd != "", err)
	if len(os.Args) > 3 {
		os.Exit(7)
	}
}
`)
	if code, stdout, stderr := train("--help", "-x"); code != exitOK || stdout != "[\"--help\" \"-x\"] input true <nil>\n" {
		t.Errorf("code %d, stdout %q, stderr %q", code, stdout, stderr)
	}
	if code, _, stderr := train("a", "--json", "c"); code != 7 || !strings.Contains(stderr, "exit code 7") {
		t.Errorf("code %d, want the trainer's 7: %q", code, stderr)
	}
	write("kernels/trainer/main.go", "package main\nfunc main() { broken }\n")
	if code, _, stderr := train(); code != exitFailure || !strings.Contains(stderr, "undefined: broken") {
		t.Errorf("a trainer that does not compile: code %d, %q", code, stderr)
	}
}
