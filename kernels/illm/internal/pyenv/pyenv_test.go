package pyenv

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/illm-go/illm/kernels/illm/internal/proc"
)

// fake puts a program into a folder that is the whole PATH.
func fake(t *testing.T, programs map[string]string) {
	t.Helper()
	dir := t.TempDir()
	for name, script := range programs {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", dir)
	t.Setenv("ILLM_PYTHON", "")
}

func TestFindPython(t *testing.T) {
	for _, c := range []struct {
		name     string
		programs map[string]string
		want     Version
		base     string
		message  string
	}{
		{"python3", map[string]string{"python3": "echo 3 12"}, Version{3, 12}, "python3", ""},
		{"an old python3", map[string]string{"python3": "echo 3 9", "python3.11": "echo 3 11"}, Version{3, 11}, "python3.11", ""},
		{"a broken shim", map[string]string{"python3": "echo no such version >&2; exit 127", "python3.10": "echo 3 10"}, Version{3, 10}, "python3.10", ""},
		{"none", nil, Version{}, "", "found none"},
		{"too old", map[string]string{"python3": "echo 3 8", "python": "echo 2 7"}, Version{}, "", "is 3.8"},
		{"nonsense", map[string]string{"python3": "echo hello"}, Version{}, "", "does not run"},
	} {
		t.Run(c.name, func(t *testing.T) {
			fake(t, c.programs)
			py, err := FindPython(t.Context())
			if c.message != "" {
				if err == nil || !strings.Contains(err.Error(), c.message) || !strings.Contains(err.Error(), "ILLM_PYTHON") {
					t.Fatalf("error %v, want %q and a cure in it", err, c.message)
				}
				return
			}
			if err != nil || py.Version != c.want || filepath.Base(py.Path) != c.base {
				t.Errorf("%+v, %v; want %s %s", py, err, c.base, c.want)
			}
		})
	}
}

// TestRequirements proves that no package can be installed without its hash.
func TestRequirements(t *testing.T) {
	pinned := regexp.MustCompile(`^[a-z0-9-]+==[0-9][^ ]*( ; .*)? \\$`)
	text := string(requirements)
	for _, want := range []string{"jupyterlab==4.6.6 ", "notebook==7.6", "nbclient==0.11", "nbconvert==7.17"} {
		if !strings.Contains(text, "\n"+want) {
			t.Errorf("the requirements lack %s", want)
		}
	}
	if strings.Contains(text, "://") {
		t.Error("the requirements name a server")
	}
	n := 0
	for block := range strings.SplitSeq(strings.TrimSpace(text), "\n") {
		if strings.HasPrefix(block, "    --hash=sha256:") {
			continue
		}
		n++
		if !pinned.MatchString(block) {
			t.Errorf("not pinned: %q", block)
		}
	}
	if n < 50 {
		t.Errorf("%d requirements, expected the whole closure", n)
	}
}

func TestCleanEnv(t *testing.T) {
	got := CleanEnv([]string{"PATH=/bin", "PYTHONPATH=/evil", "PIP_TARGET=/else", "PIP_INDEX_URL=mirror", "PYTHONHOME=x"})
	if want := []string{"PATH=/bin", "PIP_INDEX_URL=mirror", "PYTHONNOUSERSITE=1"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestInstallFails expects, of every failure, a message with a cure and no
// environment that could be taken for a whole one.
func TestInstallFails(t *testing.T) {
	for _, c := range []struct{ name, script, want string }{
		{"no venv module", `echo "No module named venv" >&2; exit 1`, "apt install python3-venv"},
		{"hashes", pipSays("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE"), "check the package index or mirror"},
		{"network", pipSays("Failed to establish a new connection: Network is unreachable"), "check the network"},
		{"disk", pipSays("OSError: [Errno 28] No space left on device"), "the disk is full"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			py := filepath.Join(dir, "python3")
			if err := os.WriteFile(py, []byte("#!/bin/sh\n"+c.script+"\n"), 0o755); err != nil {
				t.Fatal(err)
			}
			cache := filepath.Join(dir, "cache")
			env, err := Install(t.Context(), cache, Python{Path: py, Version: Version{3, 12}})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("error %v, want %q in it", err, c.want)
			}
			if err := env.Check(t.Context()); err == nil {
				t.Error("the failed environment passes its check")
			}
			nothingIn(t, filepath.Dir(env.Dir))
		})
	}
}

// pipSays returns a Python that makes an environment whose pip fails.
func pipSays(message string) string {
	return `for dir in "$@"; do :; done
mkdir -p "$dir/bin"
printf '#!/bin/sh\necho "` + message + `" >&2\nexit 1\n' > "$dir/bin/python"
chmod +x "$dir/bin/python"`
}

func TestReadOnlyCache(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := Install(t.Context(), filepath.Join(file, "cache"), Python{Path: "python3"})
	if err == nil || !strings.Contains(err.Error(), "ILLM_CACHE") {
		t.Errorf("error %v, want ILLM_CACHE in it", err)
	}
}

// TestInterrupt stops an installation in the middle.
func TestInterrupt(t *testing.T) {
	dir := t.TempDir()
	py := filepath.Join(dir, "python3")
	if err := os.WriteFile(py, []byte("#!/bin/sh\nexec sleep 60\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), proc.Grace/50)
	defer cancel()
	env, err := Install(ctx, dir, Python{Path: py})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v, want %v", err, context.DeadlineExceeded)
	}
	nothingIn(t, filepath.Dir(env.Dir))
}

func nothingIn(t *testing.T, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) > 0 {
		t.Errorf("%v stays (%v)", entries, err)
	}
}

// TestInstall makes an environment whose pip does nothing, and again after its
// interpreter was replaced.
func TestInstall(t *testing.T) {
	cache := t.TempDir()
	py := filepath.Join(t.TempDir(), "python3")
	for _, minor := range []string{"11", "12"} {
		// As venv: a folder with a python that says its version.
		script := `for dir in "$@"; do :; done
mkdir -p "$dir/bin"
printf '#!/bin/sh\necho 3 ` + minor + `\n' > "$dir/bin/python"
chmod +x "$dir/bin/python"`
		if err := os.WriteFile(py, []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
		env, err := Install(t.Context(), cache, Python{Path: py})
		if err != nil {
			t.Fatal(err)
		}
		if err := env.Check(t.Context()); err != nil {
			t.Error(err)
		}
		if err := os.WriteFile(env.Python(), []byte("#!/bin/sh\necho 3 13\n"), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := env.Check(t.Context()); err == nil || !strings.Contains(err.Error(), "made with Python 3."+minor) {
			t.Errorf("after a system upgrade: %v", err)
		}
	}
	Prune(At(cache), -time.Second) // everything but the one in use is too old
	if err := At(cache).Check(t.Context()); err == nil || !strings.Contains(err.Error(), "made with Python 3.12") {
		t.Errorf("after pruning: %v", err)
	}
	if dirs, _ := filepath.Glob(filepath.Join(cache, "python", "*-*")); len(dirs) != 1 {
		t.Errorf("%v stay, want one", dirs)
	}
}
