package place

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestRoot(t *testing.T) {
	dir := t.TempDir()
	sub := filepath.Join(dir, "a", "b")
	if err := os.MkdirAll(sub, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "a", "go.mod"), []byte("module example.org/other\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "go.mod"), []byte("module "+Module+"\n\ngo 1.26\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if got, err := Root(sub); err != nil || got != dir {
		t.Errorf("Root = %s, %v; want %s", got, err, dir)
	}
	// Elsewhere, the clone this test was compiled from.
	got, err := Root(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(got, "kernels", "illm", "internal", "place", "place.go")); err != nil {
		t.Error(err)
	}
}

func TestCache(t *testing.T) {
	t.Setenv("ILLM_CACHE", "relative")
	if got, err := Cache(); err != nil || !filepath.IsAbs(got) || filepath.Base(got) != "relative" {
		t.Errorf("Cache = %s, %v", got, err)
	}
	t.Setenv("ILLM_CACHE", "")
	t.Setenv("XDG_CACHE_HOME", "")
	t.Setenv("HOME", "")
	if _, err := Cache(); err == nil || !strings.Contains(err.Error(), "set ILLM_CACHE") {
		t.Errorf("without a home: %v", err)
	}
}

func TestWriteFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "file")
	for _, text := range []string{"one", "two", "two"} {
		if err := WriteFile(path, []byte(text), 0o750); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(path)
		if err != nil || string(got) != text {
			t.Errorf("read %q, %v; want %q", got, err, text)
		}
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o750 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	// A folder in the way: an error, and no temporary file left.
	bad := filepath.Join(filepath.Dir(path), "folder")
	if err := os.MkdirAll(filepath.Join(bad, "x"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := WriteFile(bad, []byte("x"), 0o644); err == nil {
		t.Error("writing over a folder succeeds")
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), ".tmp-*")); len(left) > 0 {
		t.Errorf("%v stays", left)
	}
}

func TestLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sub", "lock")
	unlock, err := Lock(t.Context(), path, nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	waited := 0
	if _, err := Lock(ctx, path, func() { waited++ }); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a held lock: %v", err)
	}
	if waited != 1 {
		t.Errorf("wait was called %d times, want once", waited)
	}
	unlock()
	again, err := Lock(t.Context(), path, func() { t.Error("waits for a free lock") })
	if err != nil {
		t.Fatal(err)
	}
	again()
}

func TestPrune(t *testing.T) {
	dir := t.TempDir()
	old := time.Now().Add(-time.Hour)
	for _, name := range []string{"keep", "fresh", "old", "broken"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
		if name == "broken" {
			continue
		}
		stamp := filepath.Join(dir, name, "stamp")
		if err := os.WriteFile(stamp, nil, 0o644); err != nil {
			t.Fatal(err)
		}
		if name != "fresh" {
			if err := os.Chtimes(stamp, old, old); err != nil {
				t.Fatal(err)
			}
		}
	}
	Prune(dir, filepath.Join(dir, "keep"), "stamp", time.Minute)
	for name, want := range map[string]bool{"keep": true, "fresh": true, "old": false, "broken": false} {
		if _, err := os.Stat(filepath.Join(dir, name)); (err == nil) != want {
			t.Errorf("%s is there: %v, want %v", name, err == nil, want)
		}
	}
}
