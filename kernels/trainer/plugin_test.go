package main

import (
	"archive/zip"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestInstallPlugin: the library of the right wheel appears whole under its name; any other wheel leaves nothing behind.
func TestInstallPlugin(t *testing.T) {
	dir := t.TempDir()
	wheel := func(name, member string) (path, sum string) {
		path = filepath.Join(dir, name)
		f, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		z := zip.NewWriter(f)
		w, err := z.Create(member)
		if err == nil {
			_, err = w.Write([]byte("the library"))
		}
		if err != nil || z.Close() != nil || f.Close() != nil {
			t.Fatal("no wheel", err)
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		h := sha256.Sum256(raw)
		return path, hex.EncodeToString(h[:])
	}
	into := filepath.Join(dir, "new", "folder")
	good, sum := wheel("good.whl", wheelLibrary)
	path, err := installPlugin(good, sum, into)
	if err != nil {
		t.Fatal(err)
	}
	if raw, err := os.ReadFile(path); err != nil || string(raw) != "the library" || filepath.Base(path) != "pjrt_c_api_cpu_plugin.so" {
		t.Errorf("%s holds %q, %v", path, raw, err)
	}
	other, otherSum := wheel("other.whl", "readme.txt")
	if err := os.WriteFile(filepath.Join(dir, "cut.whl"), []byte("PK"), 0o666); err != nil {
		t.Fatal(err)
	}
	cut := sha256.Sum256([]byte("PK"))
	for _, test := range []struct{ wheel, sum, into, want string }{
		{other, sum, "x", "expected sha256 " + sum + ", found " + otherSum},
		{other, otherSum, "x", "expected " + wheelLibrary + " in it"},
		{filepath.Join(dir, "cut.whl"), hex.EncodeToString(cut[:]), "x", "cut.whl"},
		{filepath.Join(dir, "none.whl"), sum, "x", "no such file"},
		{good, sum, "good.whl", "not a directory"},
	} {
		if _, err := installPlugin(test.wheel, test.sum, filepath.Join(dir, test.into)); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error %v, want %q", test.wheel, err, test.want)
		}
	}
	if list, err := filepath.Glob(filepath.Join(dir, "x", "*")); err != nil || len(list) > 0 {
		t.Errorf("left behind: %v", list)
	}
	if list, err := os.ReadDir(into); err != nil || len(list) != 1 {
		t.Errorf("left behind: %v", list)
	}
}
