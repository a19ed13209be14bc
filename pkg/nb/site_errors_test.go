package nb

import (
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/illm-go/illm/data"
	"github.com/illm-go/illm/pkg/ablation"
	"github.com/illm-go/illm/pkg/model/modeltest"
)

// A row for the model as it is; too many tokens and a recipe without factors are refused.
func TestSiteErrors(t *testing.T) {
	t.Setenv("ILLM_CACHE", t.TempDir())
	t.Setenv("ILLM_DATA", t.TempDir())
	t.Setenv("XDG_DATA_HOME", t.TempDir())
	text := filepath.Join(t.TempDir(), "text.txt")
	if err := os.WriteFile(text, []byte(strings.Repeat("integers all the way down; ", 5)), 0o600); err != nil {
		t.Fatal(err)
	}
	s := Open()
	defer s.Close()
	g, err := s.SiteErrors(modeltest.Tiny(t), text, 20, 4)
	if err != nil || len(g.Rows) != 1 || g.Rows[0][0] != "none" || len(g.Rows[0]) != len(g.Head) {
		t.Errorf("%v\n%s", err, g)
	}
	if _, err := s.SiteErrors(modeltest.Tiny(t), text, 2000, 4); err == nil || !strings.Contains(err.Error(), "expected 2 to") {
		t.Errorf("more tokens than the text has: %v", err)
	}
	if _, err := s.SiteErrors(modeltest.Tiny(t), text, 20, 4, "w4a4-fsbr"); err == nil {
		t.Error("a recipe without factors is measured")
	}
}

// The windows behind the plain rows of ablation.Calibration are those that the shipped files name.
func TestPlainWindows(t *testing.T) {
	for _, recipe := range []string{"w4a4-smoothquant", "w4a4-omniquant", "w4a4-fsbr", "w4a4-best", "w4a4-gptq"} {
		m := shippedHeader("tiny-llama-" + recipe)
		if _, err := fs.Stat(data.Factors(), "tiny-llama-"+recipe+".safetensors"); err != nil || m == nil {
			t.Errorf("%s: no shipped file: %v", recipe, err)
			continue
		}
		have := m["windows"]
		if have == "" {
			have = m["rounding_windows"]
		}
		if want := strconv.Itoa(ablation.PlainWindows(recipe)); have != want {
			t.Errorf("%s: the file says %q windows, the study %s", recipe, have, want)
		}
	}
}

// The estimate is of the shipped curves: more than a day for tiny-llama in pure Go, and none for a backend without a run.
func TestTrainingTime(t *testing.T) {
	s := Open()
	defer s.Close()
	if text, err := s.TrainingTime("tiny-llama", "w4a4-fsbr", "go"); err != nil || !strings.Contains(text, "days") {
		t.Errorf("%v: %s", err, text)
	}
	if text, err := s.TrainingTime("tiny-opt", "w4a4-fsbr", "go"); err != nil || !strings.Contains(text, "no short run") {
		t.Errorf("%v: %s", err, text)
	}
}
