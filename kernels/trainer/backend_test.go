package main

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/backends"
)

// TestPlugin: a plugin that is missing, that leads nowhere or that is no plugin is an error that says what was tried and
// what to install; nothing falls back to another backend.
func TestPlugin(t *testing.T) {
	t.Setenv("GOMLX_NO_AUTO_INSTALL", "1")
	open := func(name, plugins string) error {
		t.Setenv(backendVariable, name)
		t.Setenv(pluginVariable, plugins)
		b, err := openBackend()
		if err == nil {
			b.Finalize()
		}
		return err
	}
	for _, name := range []string{"", "go"} {
		if err := open(name, "/no/such/folder"); err != nil {
			t.Errorf("backend %q: %v", name, err)
		}
	}
	if err := open("tpu", ""); !errors.Is(err, errUsage) || !strings.Contains(err.Error(), "the backends of this build") {
		t.Errorf("a backend that there is not: %v", err)
	}
	if !slices.Contains(backends.List(), "xla") {
		t.Skip("this build has no XLA backend")
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "pjrt_c_api_cpu_plugin.so")
	want := func(what string, err error, parts ...string) {
		t.Helper()
		for _, part := range append(parts, "backend xla:cpu: no plugin loads", `"illm install --xla-cpu" installs`, backendVariable+"=go needs nothing") {
			if err == nil || !strings.Contains(err.Error(), part) {
				t.Errorf("%s: error %v, want %q", what, err, part)
			}
		}
	}
	want("empty folder", open("xla:cpu", dir), dir+" (no pjrt_c_api_*_plugin file in it)")
	if err := os.WriteFile(file, []byte("no library"), 0o666); err != nil {
		t.Fatal(err)
	}
	want("no library", open("xla:cpu", dir), file+" (10 bytes)")
	if err := errors.Join(os.Remove(file), os.Symlink(filepath.Join(dir, "gone"), file)); err != nil {
		t.Fatal(err)
	}
	cache := t.TempDir()
	t.Setenv("ILLM_CACHE", cache)
	installed := filepath.Join(cache, "pjrt", cpuPlugin)
	if err := errors.Join(os.Mkdir(filepath.Dir(installed), 0o777), os.WriteFile(installed, []byte("no library"), 0o666)); err != nil {
		t.Fatal(err)
	}
	want("damaged in the cache", open("xla:cpu", ""), "tried "+installed)
	want("dangling link", open("xla:cpu", dir), file+" (leads nowhere)")
}
