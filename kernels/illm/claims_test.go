package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/illm-go/illm/data"
	"github.com/illm-go/illm/kernels/illm/internal/claims"
	"github.com/illm-go/illm/kernels/illm/internal/notebook"
)

// Every claim names a notebook and a command that exist.
func TestClaimsNameWhatIsThere(t *testing.T) {
	list, err := claims.Parse(data.Claims())
	if err != nil {
		t.Fatal(err)
	}
	shelf := filepath.Join("..", "..", "notebooks")
	root := (&app{}).root()
	for _, c := range list {
		if _, err := notebook.Open(shelf, c.Notebook); err != nil {
			t.Errorf("%s: %v", c.ID, err)
		}
		words := strings.Fields(c.Command)
		cmd, _, err := root.Find(words[1:])
		if words[0] != "illm" || err != nil || cmd == root {
			t.Errorf("%s: no command %q (%v)", c.ID, c.Command, err)
		}
	}
}

// The exit code says whether claims on quality hold; times never change it.
func TestVerifyTables(t *testing.T) {
	dir := t.TempDir()
	code, stdout, stderr := command(t, "verify", "tables", "--fresh", "--records", dir)
	list, _ := claims.Parse(data.Claims())
	for _, c := range list {
		if !strings.Contains(stdout, c.ID+": "+claims.None) || c.Kind == claims.Quality && !strings.Contains(stderr, c.ID) {
			t.Errorf("without records %s is not named as missing", c.ID)
		}
	}
	if code != exitMissing {
		t.Errorf("without records: code %d, want %d: %s", code, exitMissing, stderr)
	}
	// The shipped records alone: a goal that they miss is told, and is no failure.
	if code, stdout, stderr = command(t, "verify", "tables", "--records", t.TempDir()); code != exitOK {
		t.Errorf("the shipped records: code %d, want %d: %s", code, exitOK, stderr)
	} else if strings.Contains(strings.SplitN(stdout, "Times, which", 2)[0], " "+claims.Differs+"\n") != strings.Contains(stdout, "missed by the shipped records too: ") {
		t.Error("a goal that is missed is not told at the end, or one that is met")
	}
	// One's own records count before the shipped ones: a ratio of two that is not as claimed, and a time.
	const speed = `{"v":1,"kind":"timing","key":"KEY","config":{"task":"speed","model":"smollm2","recipe":"RECIPE","prefill":512},"axes":{"model":"smollm2","recipe":"RECIPE","prefill":"512"},"metrics":[{"name":"weight_bytes","value":BYTES},{"name":"prefill_tok_s","value":1}],"env":{},"time":"2100-01-01T00:00:00Z"}` + "\n"
	var lines string
	for _, r := range [][2]string{{"fp32", "1000"}, {"w8a8", "900"}, {"w4a4", "800"}} {
		lines += strings.NewReplacer("KEY", strings.Repeat(r[0][:2], 32), "RECIPE", r[0], "BYTES", r[1]).Replace(speed)
	}
	if err := os.WriteFile(filepath.Join(dir, "results.jsonl"), []byte(lines), 0o600); err != nil {
		t.Fatal(err)
	}
	code, stdout, stderr = command(t, "verify", "tables", "--records", dir)
	if code != exitMismatch || !strings.Contains(stderr, "weights-w8") || strings.Contains(stderr, "prefill-float") {
		t.Errorf("with wrong records: code %d, want %d: %s", code, exitMismatch, stderr)
	}
	row := func(id string) string {
		lines := strings.Split(stdout, "\n")
		return lines[max(0, slices.IndexFunc(lines, func(l string) bool { return strings.HasPrefix(l, id+" ") }))]
	}
	if l := row("prefill-float"); !strings.HasSuffix(l, claims.Differs) || strings.Fields(l)[4] != "1" {
		t.Errorf("the time: %q", l)
	}
	if l := row("tiny-llama-w8a8"); !strings.HasSuffix(l, claims.Holds) {
		t.Errorf("a shipped record: %q", l)
	}
}
