package nb

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/illm-go/illm/pkg/catalog"
)

// A name that stands for nothing is refused with the nearest that does; what is only not here yet is not.
func TestKnown(t *testing.T) {
	t.Setenv("ILLM_CACHE", t.TempDir())
	file := filepath.Join(t.TempDir(), "text.txt")
	if err := os.WriteFile(file, []byte("words"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"tiny-llama", "tiny-opt+outliers", "smollm2", "hf:org/name", file} {
		if err := known("model", name); err != nil {
			t.Errorf("model %s: %v", name, err)
		}
	}
	for name, want := range map[string]string{"tiny-lama": `did you mean "tiny-llama"?`, "Tiny_OPT": `did you mean "tiny-opt"?`, "tiny-lama+outliers=8": `did you mean "tiny-llama+outliers=8"?`,
		"tiny-llama+outlier": "expected +outliers", "gpt": "or the path of"} {
		if err := known("model", name); !errors.Is(err, catalog.ErrUnknown) || !strings.Contains(err.Error(), want) {
			t.Errorf("model %s: error %v, want %q", name, err, want)
		}
	}
	if err := known("model", "gpt"); strings.Contains(err.Error(), "did you mean") {
		t.Errorf("no name is near: %v", err)
	}
	for _, name := range []string{"wikitext2", "c4", "opticks", "enwiki", "calibration", file} {
		if err := known("corpus", name); err != nil {
			t.Errorf("text %s: %v", name, err)
		}
	}
	for name, want := range map[string]string{"wikitext-2": `did you mean "wikitext2"?`, "WikiText2": `did you mean "wikitext2"?`, "optics": `did you mean "opticks"?`, "C4": `did you mean "c4"?`,
		file + "x": "or the path of a text file"} {
		if err := known("corpus", name); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), want) {
			t.Errorf("text %s: error %v, want %q", name, err, want)
		}
	}
}
