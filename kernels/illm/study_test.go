package main

import (
	"strings"
	"testing"
)

// The exit code of a run says whether every configuration has a record; show only tells.
func TestStudyExitCodes(t *testing.T) {
	for _, test := range []struct {
		args []string
		code int
		want string // on stderr
	}{
		{[]string{"run", "widths", "--no-base", "--set", "recipe=w4a4-fsbr@unknown", "--set", "corpus=opticks", "--set", "windows=1"}, exitMissing, "1 configurations have no record: catalog: model tiny-llama, recipe w4a4-fsbr@unknown: no factors"},
		{[]string{"run", "widths", "--set", "first=100000", "--set", "corpus=opticks"}, exitUsage, "setting first: expected 0 to "},
		{[]string{"run", "widths", "--model", "no-such-model"}, exitUsage, "unknown model"},
		{[]string{"run", "widths", "--model", "no-such-model", "--json"}, exitUsage, "unknown model"},
		{[]string{"show", "widths", "--set", "corpus=opticks", "--set", "first=7", "--set", "windows=3"}, exitOK, "5 configurations have no record"},
		{[]string{"show", "widths", "--set", "first=100000", "--set", "corpus=opticks"}, exitUsage, "setting first: expected 0 to "},
		{[]string{"run", "width"}, exitUsage, "widths"},
		{[]string{"run", "widths", "--shard", "3/2"}, exitUsage, "expected i/n"},
	} {
		args := append(append([]string{"study"}, test.args...), "--records", t.TempDir())
		code, _, stderr := command(t, args...)
		if code != test.code || !strings.Contains(stderr, test.want) {
			t.Errorf("%q: code %d, want %d: %s", args, code, test.code, stderr)
		}
	}
}
