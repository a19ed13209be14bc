package nb

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/illm-go/illm/pkg/eval"
	"github.com/illm-go/illm/pkg/model/modeltest"
	"github.com/illm-go/illm/pkg/record"
)

// Models computes what is here, all windows if asked, and names what is not.
func TestModels(t *testing.T) {
	t.Setenv("ILLM_CACHE", t.TempDir())
	t.Setenv("ILLM_DATA", t.TempDir())
	t.Setenv("XDG_DATA_HOME", t.TempDir())
	text := filepath.Join(t.TempDir(), "text.txt")
	if err := os.WriteFile(text, []byte(strings.Repeat("integers all the way down; ", 50)), 0o600); err != nil {
		t.Fatal(err)
	}
	b := capture(t)
	s := Open()
	defer s.Close()
	tiny := modeltest.Tiny(t)
	if err := s.Models(text, "w8a8", Part{tiny, 0}, Part{tiny + "+outliers", 1}, Part{"smollm2", 2}); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(b.String()), "\n")
	rows := lines[2:]
	// 1350 bytes, a token each, in windows of the model's context of 512
	for i, want := range [][]string{{"2 × 512", "no record to compare with"}, {"+outliers", "1 × 512"}, {"smollm2", "missing", "illm fetch smollm2"}} {
		for _, w := range want {
			if len(rows) != 3 || !strings.Contains(rows[i], w) {
				t.Fatalf("row %d lacks %q:\n%s", i, w, b)
			}
		}
	}
	if err := s.Models(text, "w8a8", Part{"smolm", 1}); err == nil || !strings.Contains(err.Error(), "unknown model") {
		t.Errorf("a model that there is not: error %v", err)
	}
	if err := s.Models(text, "w8a8", Part{tiny, 9}); err == nil {
		t.Error("more windows than the text has were accepted")
	}
}

// A model without its files has the windows of its records.
func TestRecordedWindow(t *testing.T) {
	store, err := record.Open(record.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	if n := recordedWindow(store, "away"); n != eval.DefaultWindow {
		t.Errorf("without records: %d", n)
	}
	for i, window := range []int{512, 1024, 8192, 256} {
		r := &record.Record{Kind: record.Quality, Axes: map[string]string{"model": "away"}, Config: map[string]any{"window": window, "i": i}, Metrics: []record.Metric{{Name: "ppl", Value: 1}}}
		if window == 256 {
			r.Axes["model"] = "other"
		}
		if err := store.Append(r); err != nil {
			t.Fatal(err)
		}
	}
	if n := recordedWindow(store, "away"); n != 1024 {
		t.Errorf("window %d, want the longest that the protocol has, 1024", n)
	}
}
