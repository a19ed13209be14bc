//go:build unix

package peers

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestRequirements: nothing is installed without its hash, and no server is named.
func TestRequirements(t *testing.T) {
	pinned := regexp.MustCompile(`^[a-z0-9-]+==[0-9][^ ]*( ; .*)? \\$`)
	lists := map[string][]byte{"base": requireBase, "build": requireBuild}
	for _, r := range rivals() {
		if r.require != nil {
			lists[r.name] = r.require
		}
	}
	for name, list := range lists {
		n := 0
		for line := range strings.SplitSeq(strings.TrimSpace(string(list)), "\n") {
			if strings.HasPrefix(line, "    --hash=sha256:") {
				n++
			} else if !pinned.MatchString(line) {
				t.Errorf("%s: not pinned: %q", name, line)
			}
		}
		if n == 0 || bytes.Contains(list, []byte("://")) {
			t.Errorf("%s: %d hashes, or a server", name, n)
		}
	}
}

// fakePython makes environments whose pip is the shell script pip; it sees its
// arguments in $*.
func fakePython(t *testing.T, pip string) string {
	t.Helper()
	dir := t.TempDir()
	inner := filepath.Join(dir, "inner")
	script := "#!/bin/sh\ncase \"$1\" in -c) exit 0;; esac\n" + pip + "\n"
	if err := os.WriteFile(inner, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	outer := filepath.Join(dir, "python3")
	script = "#!/bin/sh\nif [ \"$1\" = -c ]; then echo 3.12; exit; fi\nmkdir -p \"$3/bin\" \"$3/lib\"\ncp '" + inner + "' \"$3/bin/python\"\n: > \"$3/lib/libmkl_blacs_x.so\"\n"
	if err := os.WriteFile(outer, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	return outer
}

func TestInstall(t *testing.T) {
	root, log := t.TempDir(), filepath.Join(t.TempDir(), "log")
	py := fakePython(t, `echo "$CMAKE_ARGS $*" >> '`+log+`'
case "$*" in *requirements-onednn*) echo "ERROR: No matching distribution found for onednn" >&2; exit 1;; esac`)
	t.Setenv("CXX", "sh") // there is one everywhere
	var lines []string
	env, err := Install(t.Context(), root, py, func(s string) { lines = append(lines, s) })
	if err != nil {
		t.Fatal(err)
	}
	if len(env.Missing) != 1 || env.Missing[0].Rival != OneDNN || !strings.Contains(env.Missing[0].Reason, "no such package for this platform") {
		t.Errorf("%+v", env.Missing)
	}
	for _, name := range []string{LlamaCpp, MKL, ONNXRuntime, OpenBLAS} {
		if !env.Has(name) {
			t.Errorf("%s is not there", name)
		}
	}
	if env.Has(OneDNN) {
		t.Error("onednn is there")
	}
	if _, err := os.Stat(filepath.Join(env.Dir, "lib", "libmkl_blacs_x.so")); err == nil {
		t.Error("what MKL does not need is still there")
	}
	b, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	calls := strings.Split(strings.TrimSpace(string(b)), "\n")
	for _, c := range calls {
		source := strings.Contains(c, "requirements-llama.cpp")
		if !strings.Contains(c, "--require-hashes") || !strings.Contains(c, "--no-deps") || source != strings.Contains(c, "GGML_NATIVE=ON") || source == strings.Contains(c, "--only-binary") {
			t.Errorf("pip %s", c)
		}
	}
	if !strings.Contains(strings.Join(lines, "\n"), "compiling llama.cpp") {
		t.Errorf("progress %q", lines)
	}
	// Again: only what failed is tried.
	if _, err := Install(t.Context(), root, py, nil); err != nil {
		t.Fatal(err)
	}
	b, err = os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	if again := strings.Split(strings.TrimSpace(string(b)), "\n")[len(calls):]; len(again) != 1 || !strings.Contains(again[0], "onednn") {
		t.Errorf("the second time: %q", again)
	}
	// One alone.
	env, err = Install(t.Context(), root, py, nil, OpenBLAS)
	if err != nil || !env.Has(OpenBLAS) || env.Has(MKL) || len(env.Missing) > 0 {
		t.Errorf("%+v, %v", env, err)
	}
	if _, err := Install(t.Context(), root, py, nil, "ollama"); err == nil || !strings.Contains(err.Error(), "expected one of") {
		t.Error(err)
	}
}

func TestInstallFails(t *testing.T) {
	t.Run("no compiler", func(t *testing.T) {
		t.Setenv("CXX", "no-such-compiler -O2")
		env, err := Install(t.Context(), t.TempDir(), fakePython(t, ""), nil, LlamaCpp)
		if err != nil || len(env.Missing) != 1 || !strings.Contains(env.Missing[0].Reason, "apt install g++") {
			t.Errorf("%+v, %v", env, err)
		}
	})
	t.Run("no network", func(t *testing.T) {
		_, err := Install(t.Context(), t.TempDir(), fakePython(t, `echo "Failed to establish a new connection" >&2; exit 1`), nil, MKL)
		if err == nil || !strings.Contains(err.Error(), "no network") {
			t.Error(err)
		}
	})
	t.Run("no python", func(t *testing.T) {
		if _, err := Install(t.Context(), t.TempDir(), "/no/such/python", nil); err == nil || !strings.Contains(err.Error(), "3.10 or newer") {
			t.Error(err)
		}
	})
	t.Run("no folder", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Install(t.Context(), file, fakePython(t, ""), nil); err == nil || !strings.Contains(err.Error(), "ILLM_CACHE") {
			t.Error(err)
		}
	})
	t.Run("interrupt", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer cancel()
		start := time.Now()
		_, err := Install(ctx, t.TempDir(), fakePython(t, "sleep 600"), nil)
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) > 20*time.Second {
			t.Errorf("%v after %v", err, time.Since(start))
		}
	})
}
