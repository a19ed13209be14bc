package kernelspec

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/illm-go/illm/kernels/illm/internal/gotool"
)

func TestWrite(t *testing.T) {
	tools := gotool.Tools{Dir: "/cache/tools/x", Go: gotool.Go{Path: "/go/bin/go"}}
	for _, headless := range []bool{false, true} {
		dir := t.TempDir()
		if err := Write(dir, tools, "/src/my $clone", Options{Headless: headless, Python: "/venv/bin"}); err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(filepath.Join(dir, "kernels", "illm", "kernel.json"))
		if err != nil {
			t.Fatal(err)
		}
		var got file
		if err := json.Unmarshal(data, &got); err != nil {
			t.Fatal(err)
		}
		if got.Argv[0] != "/cache/tools/x/bin/gonb" || !slices.Contains(got.Argv, "{connection_file}") || !slices.Contains(got.Argv, "-go_work=/src/my $clone") {
			t.Errorf("argv %q", got.Argv)
		}
		path := strings.Split(got.Env["PATH"], ":")
		want := []string{"/cache/tools/x/shim", "/cache/tools/x/bin", "/cache/tools/x/lsp", "/venv/bin", "${PATH}", "/go/bin"}
		if headless {
			want = slices.Delete(want, 2, 3)
		}
		if !slices.Equal(path, want) {
			t.Errorf("PATH %q, want %q", path, want)
		}
		if slices.Contains(got.Argv, "-raw_error") != headless || (got.Env["ILLM_HEADLESS"] == "1") != headless {
			t.Errorf("headless %v: argv %q, env %q", headless, got.Argv, got.Env)
		}
		if got.Env["ILLM_REPO"] != "/src/my $$clone" {
			t.Errorf("ILLM_REPO is %q: Jupyter would expand the dollar", got.Env["ILLM_REPO"])
		}
	}
	if err := Write(t.TempDir(), tools, "/src/a,b", Options{}); err == nil || !strings.Contains(err.Error(), "comma") {
		t.Errorf("a comma in the path: %v", err)
	}
}
