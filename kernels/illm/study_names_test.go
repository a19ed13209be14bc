package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A name that stands for nothing is wrong usage and no table of missing rows; a file of one's own is a text.
func TestStudyNames(t *testing.T) {
	file := filepath.Join(t.TempDir(), "text.txt")
	if err := os.WriteFile(file, []byte(strings.Repeat("words ", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		args []string
		code int
		want string // on stderr
	}{
		{[]string{"show", "models", "--set", "model=tiny-lama"}, exitUsage, `did you mean "tiny-llama"?`},
		{[]string{"show", "clip", "--model", "tiny-lama"}, exitUsage, `did you mean "tiny-llama"?`},
		{[]string{"show", "clip", "--set", "corpus=wikitext-2"}, exitUsage, `did you mean "wikitext2"?`},
		{[]string{"run", "clip", "--set", "corpus=wikitext-2"}, exitUsage, `did you mean "wikitext2"?`},
		{[]string{"run", "clip", "--set", "corpus=wikitext-2", "--shard", "1/2"}, exitUsage, `did you mean "wikitext2"?`},
		{[]string{"show", "nonlinear", "--set", "operators=exp:foo"}, exitUsage, `"exp:foo" is not allowed`},
		{[]string{"show", "clip", "--set", "window=99999"}, exitUsage, "the context of tiny-llama"},
		{[]string{"run", "clip", "--set", "window=99999"}, exitUsage, "the context of tiny-llama"},
		{[]string{"run", "clip", "--set", "corpus=" + file, "--set", "window=64", "--set", "windows=5"}, exitUsage, "the windows of 64 tokens in"},
		{[]string{"show", "clip", "--set", "corpus=" + file, "--set", "window=1000"}, exitUsage, "the tokens of"},
		{[]string{"run", "zeroshot", "--set", "items=5000"}, exitUsage, "expected 1 to 1172, the questions of ARC-c"},
		{[]string{"show", "zeroshot", "--set", "items=1172"}, exitOK, "configurations have no record"},
		{[]string{"show", "clip", "--set", "clip=0.1"}, exitUsage, "expected 1 or more"},
		{[]string{"show", "clip", "--set", "clip=1", "--set", "corpus=" + file}, exitOK, "configurations have no record"},
		{[]string{"show", "clip", "--set", "corpus=" + file, "--set", "clip=15"}, exitOK, "configurations have no record"},
	} {
		args := append(append([]string{"study"}, test.args...), "--records", t.TempDir())
		code, stdout, stderr := command(t, args...)
		if code != test.code || !strings.Contains(stderr, test.want) || code == exitUsage && stdout != "" {
			t.Errorf("%q: code %d, want %d: stdout %q, stderr %s", args, code, test.code, stdout, stderr)
		}
	}
}
