package pyenv

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"github.com/illm-go/illm/kernels/illm/internal/proc"
)

// Oldest is the oldest Python that the requirements hold for.
var Oldest = Version{3, 10}

// Version is a Python version, major and minor.
type Version [2]int

func (v Version) String() string { return fmt.Sprintf("%d.%d", v[0], v[1]) }

// Less reports whether v comes before w.
func (v Version) Less(w Version) bool {
	return v[0] < w[0] || v[0] == w[0] && v[1] < w[1]
}

// Python is an interpreter on this machine.
type Python struct {
	Path    string
	Version Version
}

// FindPython returns the interpreter that ILLM_PYTHON names, else the first of
// python3, python and python3.10 … python3.14 on the PATH that is new enough.
func FindPython(ctx context.Context) (Python, error) {
	names := []string{"python3", "python", "python3.13", "python3.12", "python3.11", "python3.10", "python3.14"}
	if name := os.Getenv("ILLM_PYTHON"); name != "" {
		names = []string{name}
	}
	var seen []string
	for _, name := range names {
		path, err := exec.LookPath(name)
		if err != nil {
			continue
		}
		version, err := versionOf(ctx, path)
		switch {
		case ctx.Err() != nil:
			return Python{}, ctx.Err()
		case err != nil:
			// A shim of a version manager, or a broken installation.
			seen = append(seen, path+" does not run")
		case version.Less(Oldest):
			seen = append(seen, fmt.Sprintf("%s is %s", path, version))
		default:
			return Python{Path: path, Version: version}, nil
		}
	}
	found := "found none"
	if len(seen) > 0 {
		found = "found " + strings.Join(seen, ", ")
	}
	return Python{}, fmt.Errorf("find Python %s or newer: tried %s: %s: install it (Debian, Ubuntu: apt install python3 python3-venv) or set ILLM_PYTHON to one",
		Oldest, strings.Join(names, ", "), found)
}

func versionOf(ctx context.Context, path string) (Version, error) {
	cmd := proc.Command(ctx, path, "-I", "-S", "-c", "import sys; print(*sys.version_info[:2])")
	out, err := proc.Output(ctx, cmd)
	if err != nil {
		return Version{}, err
	}
	var v Version
	if _, err := fmt.Sscan(out, &v[0], &v[1]); err != nil {
		return Version{}, fmt.Errorf("%s: expected a version, found %q", path, out)
	}
	return v, nil
}
