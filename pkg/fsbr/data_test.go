package fsbr

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A file that cannot be one of tokens is refused by its size, before it is read.
func TestReadWindowsRefuses(t *testing.T) {
	dir := t.TempDir()
	huge := filepath.Join(dir, "huge.u32") // sparse: takes no room
	f, err := os.Create(huge)
	if err == nil {
		err = f.Truncate(1 << 40)
	}
	if err == nil {
		err = f.Close()
	}
	if err != nil {
		t.Skipf("no sparse file of 1 TB: %v", err)
	}
	negative, empty := filepath.Join(dir, "negative.u32"), filepath.Join(dir, "empty.u32")
	for path, raw := range map[string]string{negative: "\x01\x00\x00\x00\x00\x00\x00\x80", empty: ""} {
		if err := os.WriteFile(path, []byte(raw), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		path   string
		length int
		want   string
	}{
		{huge, 2048, "expected a file of at most"},
		{dir, 2, "expected a file of at most"},
		{negative, 2, "token 1 of window 0 is 2147483648"},
		{negative, 1 << 62, "fewer than one window"},
		{negative, -1, "fewer than one window"},
		{empty, 2, "found 0 bytes"},
		{filepath.Join(dir, "nowhere"), 2, "nowhere"},
	} {
		if _, err := ReadWindows(c.path, c.length); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s by %d: %v, want %q", filepath.Base(c.path), c.length, err, c.want)
		}
	}
}
