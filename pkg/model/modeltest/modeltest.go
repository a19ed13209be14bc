// Package modeltest makes small models for tests.
package modeltest

import (
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

// Tiny returns a folder with the random two-block LLaMA model that the float
// reference is tested with (pkg/floatref/testdata/tiny_tied), and a tokenizer of
// the 256 bytes: token b is byte b.
func Tiny(t testing.TB) string {
	t.Helper()
	_, file, _, ok := runtime.Caller(0)
	if !ok {
		t.Fatal("modeltest: the position of the sources is not known")
	}
	from := filepath.Join(filepath.Dir(file), "..", "..", "floatref", "testdata", "tiny_tied")
	dir := t.TempDir()
	for _, name := range []string{"config.json", "model.safetensors"} {
		b, err := os.ReadFile(filepath.Join(from, name))
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, name), b)
	}
	write(t, filepath.Join(dir, "tokenizer.json"), byteTokenizer(t))
	return dir
}

// byteTokenizer is a tokenizer.json without merges: token b is byte b.
func byteTokenizer(t testing.TB) []byte {
	t.Helper()
	byteLevel := map[string]any{"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true}
	raw, err := json.Marshal(map[string]any{
		"version":       "1.0",
		"added_tokens":  []any{},
		"pre_tokenizer": byteLevel,
		"decoder":       byteLevel,
		"model":         map[string]any{"type": "BPE", "vocab": byteVocabulary(), "merges": []string{}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// byteVocabulary names the 256 bytes as byte-level BPE does: printable ones by
// themselves, the others by the letters from U+0100 on.
func byteVocabulary() map[string]int {
	vocab := map[string]int{}
	next := rune(256)
	for b := range rune(256) {
		c := b
		if b < '!' || b > '~' && b < 0xa1 || b == 0xad {
			c, next = next, next+1
		}
		vocab[string(c)] = int(b)
	}
	return vocab
}

func write(t testing.TB, path string, b []byte) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}
