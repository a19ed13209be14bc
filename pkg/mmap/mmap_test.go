package mmap

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestOpen(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	want := bytes.Repeat([]byte("0123456789abcdef"), 1000)
	if err := os.WriteFile(path, want, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(f.Bytes(), want) {
		t.Error("content differs from what was written")
	}
	for range 2 {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
	if f.Bytes() != nil {
		t.Error("Bytes after Close is not nil")
	}
}

func TestOpenBad(t *testing.T) {
	dir := t.TempDir()
	if _, err := Open(dir); err == nil || !strings.Contains(err.Error(), "a directory") {
		t.Errorf("directory: %v", err)
	}
	if _, err := Open(filepath.Join(dir, "none")); !os.IsNotExist(err) {
		t.Errorf("missing file: %v", err)
	}
	empty := filepath.Join(dir, "empty")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := Open(empty)
	if err != nil || len(f.Bytes()) != 0 {
		t.Fatalf("empty file: %v, %v", f, err)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
}

func TestSettle(t *testing.T) {
	for _, size := range []int{1000, 2 << 20, 9<<20 + 12345} {
		want := make([]byte, size)
		for i := range want {
			want[i] = byte(i*7 + i>>11)
		}
		path := filepath.Join(t.TempDir(), "f")
		if err := os.WriteFile(path, want, 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		before := f.Bytes()
		stop, done := make(chan bool), make(chan bool)
		go func() { // a reader that must notice nothing
			defer close(done)
			for {
				select {
				case <-stop:
					return
				default:
					if !bytes.Equal(before, want) {
						t.Error("a reader saw other bytes while the memory was exchanged")
						return
					}
				}
			}
		}()
		moved := f.Settle()
		if again := f.Settle(); again != moved {
			t.Errorf("%d bytes: Settle says %v, then %v", size, moved, again)
		}
		if size < 2<<20 && moved {
			t.Errorf("%d bytes are less than a huge page, yet moved", size)
		}
		close(stop)
		<-done
		if err := os.WriteFile(path, make([]byte, size), 0o600); err != nil { // a copy no longer follows the file
			t.Fatal(err)
		}
		if moved && !bytes.Equal(f.Bytes(), want) || &before[0] != &f.Bytes()[0] {
			t.Errorf("%d bytes: content or address changed", size)
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
		t.Logf("%d bytes: settled %v", size, moved)
	}
}

func TestHuge(t *testing.T) {
	b, free, err := Huge(5 << 20)
	if err != nil {
		t.Fatal(err)
	}
	for i := range b {
		b[i] = byte(i)
	}
	if len(b) != 5<<20 || b[len(b)-1] != 0xff {
		t.Errorf("%d bytes, the last one %d", len(b), b[len(b)-1])
	}
	if err := free(); err != nil {
		t.Error(err)
	}
	if b, free, err := Huge(0); err != nil || len(b) != 0 || free() != nil {
		t.Error("no bytes: expected none and no error")
	}
}

// Settling 128 MiB out of the page cache.
func BenchmarkSettle(b *testing.B) {
	path := filepath.Join(b.TempDir(), "f")
	if err := os.WriteFile(path, make([]byte, 128<<20), 0o600); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(128 << 20)
	for b.Loop() {
		f, err := Open(path)
		if err != nil {
			b.Fatal(err)
		}
		if !f.Settle() {
			b.Skip("no huge pages here")
		}
		f.Close()
	}
}
