package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/illm-go/illm/data"
	"github.com/illm-go/illm/pkg/record"
)

// TestStudyRecord: the id under a point leads to the figure's settings, and to the very figure.
func TestStudyRecord(t *testing.T) {
	store, err := record.Open(record.Options{Shipped: data.Records(), Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	all := store.Latest(func(r *record.Record) bool { return r.Kind == record.Quality && r.Axes["model"] == "tiny-llama" })
	if len(all) == 0 {
		t.Fatal("no shipped record of tiny-llama")
	}
	r := all[0]
	code, out, stderr := command(t, "study", "record", r.Key[:12], "--records", t.TempDir())
	for _, want := range []string{r.Key, `"model":"tiny-llama"`, fmt.Sprintf("%.6g", r.Metrics[0].Value), r.Commit} {
		if code != exitOK || !strings.Contains(out, want) {
			t.Errorf("code %d, no %q in %s%s", code, want, out, stderr)
		}
	}
	code, out, _ = command(t, "study", "record", strings.ToUpper(r.Key[:12]), "--json", "--records", t.TempDir())
	var same record.Record
	if err := json.Unmarshal([]byte(out), &same); code != exitOK || err != nil || same.Key != r.Key {
		t.Errorf("--json: code %d, %v: %s", code, err, out)
	}
	for _, bad := range []string{"000000000000", "ab", "not-an-id"} {
		if code, _, stderr := command(t, "study", "record", bad, "--records", t.TempDir()); code != exitUsage || !strings.Contains(stderr, bad) {
			t.Errorf("%s: code %d: %s", bad, code, stderr)
		}
	}
}
