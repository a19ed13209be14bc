package simdtest

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
)

var wordLine = regexp.MustCompile(`(?m)^\tWORD \$0x([0-9a-f]{8}) // (.*)$`)

// The words of the arm64 files are what LLVM's assembler makes of their comments.
func TestARM64Encodings(t *testing.T) {
	files, err := filepath.Glob("../*/*_arm64.s")
	if err != nil || len(files) == 0 {
		t.Fatalf("arm64 files: %v, %v", files, err)
	}
	words := map[string]string{}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range wordLine.FindAllStringSubmatch(string(text), -1) {
			if old, ok := words[m[2]]; ok && old != m[1] {
				t.Errorf("%q is %s and %s", m[2], old, m[1])
			}
			words[m[2]] = m[1]
		}
		if strings.Count(string(text), "WORD") != len(wordLine.FindAllString(string(text), -1)) {
			t.Errorf("%s: a WORD without its instruction", name)
		}
	}
	if _, err := exec.LookPath("llvm-mc"); err != nil {
		t.Skip("no llvm-mc")
	}
	var source strings.Builder
	var want []string
	for text, code := range words {
		source.WriteString(text + "\n")
		want = append(want, code)
	}
	cmd := exec.Command("llvm-mc", "-triple=aarch64", "-mattr=+dotprod,+i8mm", "-show-encoding")
	cmd.Stdin = strings.NewReader(source.String())
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Skipf("this llvm-mc cannot: %v", err)
	}
	found := regexp.MustCompile(`encoding: \[0x(..),0x(..),0x(..),0x(..)\]`).FindAllStringSubmatch(string(out), -1)
	if len(found) != len(want) {
		t.Fatalf("LLVM encodes %d of %d instructions", len(found), len(want))
	}
	for i, m := range found {
		if got := m[4] + m[3] + m[2] + m[1]; got != want[i] {
			t.Errorf("word %s is none of LLVM's, which has %s there", want[i], got)
		}
	}
}

// The tests of the arm64 paths, cross-compiled and run by qemu-aarch64 where it is installed: on a processor with the
// dot products of unequal signs, and on one without.
func TestARM64Emulated(t *testing.T) {
	if testing.Short() {
		t.Skip("builds for arm64")
	}
	if runtime.GOARCH == "arm64" {
		t.Skip("the tests run here as they are")
	}
	qemu, err := exec.LookPath("qemu-aarch64")
	if err != nil {
		t.Skip("no qemu-aarch64 (Debian: qemu-user)")
	}
	for _, pkg := range []string{"cpu", "gemm", "gemm4", "vec"} {
		bin := filepath.Join(t.TempDir(), pkg+".test")
		build := exec.Command("go", "test", "-c", "-o", bin, ".")
		build.Dir = filepath.Join("..", pkg)
		build.Env = append(os.Environ(), "GOARCH=arm64", "GOOS=linux", "CGO_ENABLED=0")
		if text, err := build.CombinedOutput(); err != nil {
			t.Fatalf("build the tests of %s: %v\n%s", pkg, err, text)
		}
		for _, model := range []string{"max", "cortex-a76"} {
			t.Run(pkg+"/"+model, func(t *testing.T) {
				cmd := exec.Command(qemu, "-cpu", model, bin, "-test.short", "-test.v")
				cmd.Dir = filepath.Join("..", pkg)
				text, err := cmd.CombinedOutput()
				if err != nil {
					t.Fatalf("%v\n%s", err, text)
				}
				if pkg != "cpu" && !strings.Contains(string(text), "/NEON") {
					t.Errorf("no NEON path ran")
				}
			})
		}
	}
}
