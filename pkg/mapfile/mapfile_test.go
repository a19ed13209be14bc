package mapfile_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/illm-go/illm/pkg/mapfile"
)

func TestOpenGivesTheBytesOfTheFile(t *testing.T) {
	for _, n := range []int{0, 1, 4095, 4096, 4097, 1 << 20} {
		want := bytes.Repeat([]byte{7, 1, 255}, n/3+1)[:n]
		path := filepath.Join(t.TempDir(), "f")
		if err := os.WriteFile(path, want, 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := mapfile.Open(path)
		if err != nil {
			t.Fatalf("%d bytes: %v", n, err)
		}
		if !bytes.Equal(f.Data, want) {
			t.Errorf("%d bytes: content differs", n)
		}
		if err := f.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
		if err := f.Close(); err != nil {
			t.Errorf("second close: %v", err)
		}
	}
}

func TestOpenRefusesDirectoriesAndMissingFiles(t *testing.T) {
	dir := t.TempDir()
	if _, err := mapfile.Open(dir); err == nil || !strings.Contains(err.Error(), "regular file") {
		t.Errorf("directory: error %v, want one that asks for a regular file", err)
	}
	if _, err := mapfile.Open(filepath.Join(dir, "none")); !os.IsNotExist(err) {
		t.Errorf("missing file: error %v, want not-exist", err)
	}
}
