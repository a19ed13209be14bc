package gotool

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/illm-go/illm/kernels/illm/internal/proc"
)

// TestShim runs the shim in front of a program that prints its arguments.
func TestShim(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "it's a $HOME")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	real := filepath.Join(dir, "go")
	if err := os.WriteFile(real, []byte("#!/bin/sh\n[ \"$*\" = 'env GOFLAGS' ] && { echo -trimpath; exit; }\necho \"{$GOFLAGS}\"\nfor a in \"$@\"; do echo \"[$a]\"; done\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("GOFLAGS", "-race") // the program says that they are others, as a file of settings may
	path := filepath.Join(t.TempDir(), "go")
	if err := os.WriteFile(path, []byte(shim(real)), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"get"}, ""},
		{[]string{"get", "-t"}, ""},
		{[]string{"get", "example.org/p"}, "{-race}\n[get]\n[example.org/p]\n"},
		{[]string{"get", "-u"}, "{-race}\n[get]\n[-u]\n"},
		{[]string{"build", "-o", "a b"}, "{-ldflags=-s -trimpath}\n[build]\n[-o]\n[a b]\n"},
		{[]string{"build", ""}, "{-ldflags=-s -trimpath}\n[build]\n[]\n"},
		{[]string{"test", "-c", "build "}, "{-race}\n[test]\n[-c]\n[build ]\n"},
	} {
		out, err := exec.Command(path, c.args...).CombinedOutput()
		if err != nil || string(out) != c.want {
			t.Errorf("go %q printed %q (%v), want %q", c.args, out, err, c.want)
		}
	}
}

// TestAt expects another folder for another dependency or toolchain, and for
// nothing else.
func TestAt(t *testing.T) {
	root := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	at := func(version string) string {
		t.Helper()
		tools, err := At("/cache", root, Go{Path: "/go/bin/go", Version: version})
		if err != nil {
			t.Fatal(err)
		}
		return tools.Dir
	}
	if _, err := At("/cache", root, Go{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("without go.mod: %v", err)
	}
	write("go.mod", "module m")
	write("go.sum", "sum 1")
	first := at("go1.26.0")
	if again := at("go1.26.0"); again != first {
		t.Errorf("the same input gives %s and %s", first, again)
	}
	if other := at("go1.26.1"); other == first {
		t.Error("another toolchain gives the same folder")
	}
	write("go.sum", "sum 2")
	if other := at("go1.26.0"); other == first {
		t.Error("another go.sum gives the same folder")
	}
}

func TestCheck(t *testing.T) {
	tools := Tools{Dir: t.TempDir()}
	if err := tools.Check(); err == nil || !strings.Contains(err.Error(), "not built") {
		t.Errorf("an empty folder: %v", err)
	}
	for _, name := range []string{stampName, "bin/gonb", "bin/goimports", "shim/go"} {
		path := filepath.Join(tools.Dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, nil, 0o755)); err != nil {
			t.Fatal(err)
		}
	}
	if err := tools.Check(); err == nil || !strings.Contains(err.Error(), "lsp/gopls is missing") {
		t.Errorf("without gopls: %v", err)
	}
}

// TestBuildFails builds in a folder that is no module: nothing may stay.
func TestBuildFails(t *testing.T) {
	toolchain, err := FindGo(t.Context(), ".")
	if err != nil {
		t.Fatal(err)
	}
	cache := t.TempDir()
	tools := Tools{Dir: filepath.Join(cache, "tools", "x"), Go: toolchain}
	err = tools.Build(t.Context(), t.TempDir())
	var run *proc.Error
	if !errors.As(err, &run) {
		t.Fatalf("error %v, want that of go build", err)
	}
	if left, _ := filepath.Glob(filepath.Join(cache, "tools", "*")); len(left) > 0 {
		t.Errorf("%v stays", left)
	}
}
