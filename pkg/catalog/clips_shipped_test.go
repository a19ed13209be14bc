package catalog_test

import (
	"io/fs"
	"strings"
	"testing"

	"github.com/illm-go/illm/data"
	"github.com/illm-go/illm/pkg/smooth"
)

// Every shipped file with clips by layer is its plain sibling but for the list and what is noted of it, so that both stand on
// the same codes.
func TestShippedClips(t *testing.T) {
	names, err := fs.Glob(data.Factors(), "*@clips.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	read := func(name string) *smooth.Factors {
		t.Helper()
		raw, err := fs.ReadFile(data.Factors(), name)
		if err != nil {
			t.Fatal(err)
		}
		f, err := smooth.Parse(name, raw)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	found := 0
	for _, name := range names {
		f := read(name)
		list, err := f.Clips()
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if list == nil { // smollm2-w8a8-fsbr@clips: learned clipping of weights
			continue
		}
		found++
		plain, err := read(strings.Replace(name, "@clips", "", 1)).Hash()
		if err != nil {
			t.Fatal(err)
		}
		if hash, err := f.WithoutClips().Hash(); err != nil || hash != plain {
			t.Errorf("%s without its clips has the hash %.12s…, %v; want %.12s…, that of the plain file", name, hash, err, plain)
		}
		for _, key := range []string{"text", "windows", "window", "passes", "kl"} {
			if f.Meta["clips_"+key] == "" {
				t.Errorf("%s: no note clips_%s", name, key)
			}
		}
		if f.Meta["clips_text"] != "calibration" || len(f.Meta["clips_sha256"]) != 64 {
			t.Errorf("%s: found on the text %q, tokens %q", name, f.Meta["clips_text"], f.Meta["clips_sha256"])
		}
	}
	if found == 0 {
		t.Error("no shipped file has clips by layer")
	}
}
