package artifact

import (
	"bufio"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/illm-go/illm/pkg/quant"
)

// minimal is the header of an artefact with phases and nothing else.
func minimal(t *testing.T, w *Writer) *Header {
	t.Helper()
	spec, err := quant.NewSpec("w8a8", "", "")
	if err != nil {
		t.Fatal(err)
	}
	return &Header{Architecture: llama, Name: "test", Layers: 1, Hidden: 12, Heads: 2, KVHeads: 1, HeadDim: 6, FFN: 8, Vocab: 5, MaxContext: 32,
		BOS: -1, EOS: 2, Spec: spec, KR: 13, Method: "rtn", Semantics: 1, Phi: w.Uint64s([]uint64{1 << 63, 5, 1}), Tokenizer: w.Bytes([]byte("tokens"))}
}

// A full disk ends an artefact, early or with its header, by an error that names the file and says what to do; nothing half
// written stays, and what was there before does.
func TestWriterFullDisk(t *testing.T) {
	const full = "/dev/full" // every write to it fails as on a full disk
	if _, err := os.Stat(full); err != nil {
		t.Skip(err)
	}
	for what, bytes := range map[string]int{"at the header": 100, "in a section": 3 << 20} {
		dir := t.TempDir()
		path := filepath.Join(dir, "m.illm")
		if err := os.WriteFile(path, []byte("earlier"), 0o600); err != nil {
			t.Fatal(err)
		}
		w, err := Create(path)
		if err != nil {
			t.Fatal(err)
		}
		// Behind a link: the device itself must not be removed.
		link := w.file.Name()
		if err := errors.Join(w.file.Close(), os.Remove(link), os.Symlink(full, link)); err != nil {
			t.Fatal(err)
		}
		if w.file, err = os.OpenFile(link, os.O_WRONLY, 0); err != nil {
			t.Fatal(err)
		}
		w.buf = bufio.NewWriterSize(w.file, 1<<20)
		w.Bytes(make([]byte, bytes))
		_, err = w.Finish(minimal(t, w))
		if !errors.Is(err, syscall.ENOSPC) {
			t.Fatalf("%s: error %v, want that no space is left", what, err)
		}
		for _, want := range []string{"artifact: write " + path + ": after ", "make room in " + dir, "--out", "ILLM_CACHE"} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: error %v, want %q", what, err, want)
			}
		}
		if raw, err := os.ReadFile(path); err != nil || string(raw) != "earlier" {
			t.Errorf("%s: the file before is %q, %v", what, raw, err)
		}
		if list, err := os.ReadDir(dir); err != nil || len(list) != 1 {
			t.Errorf("%s: left behind %v, %v", what, list, err)
		}
	}
	if _, err := os.Stat(full); err != nil {
		t.Error(err)
	}
}

// A folder that is not there is an error that says so; a header that is wrong is not blamed on the disk.
func TestWriterRefuses(t *testing.T) {
	if _, err := Create(filepath.Join(t.TempDir(), "none", "m.illm")); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "choose another") {
		t.Errorf("no such folder: %v", err)
	}
	w, err := Create(filepath.Join(t.TempDir(), "m.illm"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Finish(new(Header)); err == nil || strings.Contains(err.Error(), "make room") {
		t.Errorf("an empty header: %v", err)
	}
}
