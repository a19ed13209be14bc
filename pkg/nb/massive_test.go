package nb

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/illm-go/illm/pkg/hub"
	"github.com/illm-go/illm/pkg/model/modeltest"
)

// Of the models the first that is here counts, and none is fetched.
func TestMassive(t *testing.T) {
	t.Setenv("ILLM_CACHE", t.TempDir())
	t.Setenv("ILLM_DATA", t.TempDir())
	t.Setenv("XDG_DATA_HOME", t.TempDir())
	text := filepath.Join(t.TempDir(), "text.txt")
	if err := os.WriteFile(text, []byte(strings.Repeat("integers all the way down; ", 5)), 0o600); err != nil {
		t.Fatal(err)
	}
	b := capture(t)
	s := Open()
	defer s.Close()
	m, err := s.Massive(text, 20, []int{4}, "smollm2", modeltest.Tiny(t))
	if err != nil {
		t.Fatal(err)
	}
	if m.Tokens != 20 || len(m.Grids) < 2 || !strings.Contains(b.String(), "the first 20 tokens") {
		t.Errorf("%+v\n%s", m, b)
	}
	if _, err := s.Massive(text, 20, nil, "smollm2"); !errors.Is(err, hub.ErrUnavailable) {
		t.Errorf("no model here: %v", err)
	}
	if _, err := s.Massive(text, 2000, nil, modeltest.Tiny(t)); err == nil || !strings.Contains(err.Error(), "expected 2 to") {
		t.Errorf("more tokens than the text has: %v", err)
	}
}
