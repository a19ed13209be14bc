package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/illm-go/illm/pkg/model/modeltest"
	"github.com/illm-go/illm/pkg/smooth"
)

// From factors to a variant with clips by layer that eval takes and names, in the cache and in a file; the plain recipe
// stays as it is, and another clip beside the list is refused.
func TestCalibrateClips(t *testing.T) {
	t.Setenv("ILLM_CACHE", t.TempDir())
	t.Setenv("ILLM_DATA", t.TempDir())
	t.Setenv("ILLM_FACTORS", "")
	m, text := modeltest.TinyQwen2(t), calibrationText(t, 900)
	base := []string{"-m", m, "-r", "w4a4", "--method", "smoothquant", "--text", text, "--windows", "2", "--window", "40"}
	search := append(base[:len(base):len(base)], "--clips")
	if code, stdout, stderr := calibrateRun(t, search...); code == exitOK || !strings.Contains(stderr, "no factors of the method smoothquant") {
		t.Fatalf("without factors: code %d, stdout %q, stderr %q", code, stdout, stderr)
	}
	if code, _, stderr := calibrateRun(t, base...); code != exitOK {
		t.Fatalf("code %d, %s", code, stderr)
	}
	code, stdout, stderr := calibrateRun(t, search...)
	if code != exitOK || !strings.Contains(stdout, "clips by layer ") || !strings.Contains(stdout, "-w4a4-smoothquant@clips.safetensors") ||
		!strings.Contains(stdout, "--recipe w4a4-smoothquant@clips") || !strings.Contains(stderr, "clips 1/") {
		t.Fatalf("code %d, stdout %q, stderr %q", code, stdout, stderr)
	}
	// To a file, from a file: one that was found already begins anew and ends with the same bytes.
	out := filepath.Join(t.TempDir(), "x.safetensors")
	list, err := filepath.Glob(filepath.Join(os.Getenv("ILLM_CACHE"), "factors", "*@clips.safetensors"))
	if err != nil || len(list) != 1 {
		t.Fatalf("files %v, %v", list, err)
	}
	again := append(search[:len(search):len(search)], "--from", list[0], "--out", out)
	if code, _, stderr := calibrateRun(t, again...); code != exitOK {
		t.Fatalf("from a file: code %d, %s", code, stderr)
	}
	if a, b := mustRead(t, list[0]), mustRead(t, out); !bytes.Equal(a, b) {
		t.Error("the search from its own result gives another file")
	}
	f, err := smooth.Read(out)
	if err != nil || f.Meta[smooth.MetaClips] == "" || f.Meta["clips_windows"] != "2" || f.Meta["clips_window"] != "40" || len(f.Meta["clips_sha256"]) != 64 || f.Meta["clips_text"] != text {
		t.Errorf("meta %v, %v", f.Meta, err)
	}
	if code, _, stderr := calibrateRun(t, again...); code != exitUsage || !strings.Contains(stderr, "--force") {
		t.Errorf("over an existing file: code %d, %q", code, stderr)
	}
	eval := func(args ...string) (int, string, string) {
		var out, talk bytes.Buffer
		a := &app{stdin: strings.NewReader(""), stdout: &out, stderr: &talk}
		code := a.main(context.Background(), append([]string{"eval", "-m", m, "-c", text, "--window", "64", "--windows", "1", "--no-kl", "--records", t.TempDir()}, args...))
		return code, out.String(), talk.String()
	}
	clips, err := f.Clips()
	if err != nil {
		t.Fatal(err)
	}
	if code, stdout, stderr := eval("-r", "w4a4-smoothquant,w4a4-smoothquant@clips"); code != exitOK || strings.Count(stdout, clips.Short()) != 1 {
		t.Errorf("code %d, stdout %q, stderr %q; want %q once", code, stdout, stderr, clips.Short())
	}
	if code, _, stderr := eval("-r", "w4a4-smoothquant@clips", "--clip", "12"); code == exitOK || !strings.Contains(stderr, "clip 12 beside clips by layer") {
		t.Errorf("another clip: code %d, %s", code, stderr)
	}
}

func TestCalibrateClipsRefuses(t *testing.T) {
	t.Setenv("ILLM_CACHE", t.TempDir())
	t.Setenv("ILLM_DATA", t.TempDir())
	m := modeltest.TinyQwen2(t)
	foreign := filepath.Join(t.TempDir(), "foreign.safetensors")
	if err := (&smooth.Factors{Meta: map[string]string{smooth.MetaSource: strings.Repeat("0", 64), smooth.MetaMethod: "best"}}).Write(foreign); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args string
		want string
	}{
		{"-r w4a4 --method rtn", "has factors"},
		{"-r w4a4-best-static", "constant grids"},
		{"-r w4a4-best --mode published", "constant grids"},
		{"-r w4a4-best --clip 12", "--clip 12: expected one of them"},
		{"-r w4a4-best --window 513", "at most 512"},
		{"-r w4a4-fsbr --backend go", "--backend goes with"},
		{"-r w4a4-best --from nowhere.safetensors", "nowhere.safetensors"},
		{"-r w4a4-best --from " + foreign, "for this model"},
	} {
		if code, stdout, stderr := calibrateRun(t, append([]string{"-m", m, "--clips"}, strings.Fields(c.args)...)...); code != exitUsage || !strings.Contains(stderr, c.want) || stdout != "" {
			t.Errorf("%s: code %d, stdout %q, stderr %q; want %q", c.args, code, stdout, stderr, c.want)
		}
	}
}
