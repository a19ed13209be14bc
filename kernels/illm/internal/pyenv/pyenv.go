// Package pyenv keeps the virtual environment that JupyterLab runs in.
//
// The environment lives in the cache folder. Its name there, a hash of its
// requirements, is a link that is set as the last step of a complete
// installation. The system's Python is never written to.
//
// requirements.txt is made from requirements.in:
//
//	uv pip compile requirements.in --universal --python-version 3.10 \
//	    --generate-hashes --no-header --no-annotate -o requirements.txt
package pyenv

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/illm-go/illm/kernels/illm/internal/place"
	"github.com/illm-go/illm/kernels/illm/internal/proc"
)

//go:embed requirements.txt
var requirements []byte

const stampName = "illm-complete"

// Env is an installed environment.
type Env struct {
	Dir string // the link to it
}

// Bin returns the folder of the environment's programs.
func (e Env) Bin() string { return filepath.Join(e.Dir, "bin") }

// Python returns the path of the environment's interpreter.
func (e Env) Python() string { return filepath.Join(e.Bin(), "python") }

// At returns the environment that belongs to the cache folder, installed or not.
func At(cache string) Env {
	sum := sha256.Sum256(requirements)
	return Env{Dir: filepath.Join(cache, "python", hex.EncodeToString(sum[:8]))}
}

// Check returns nil if e is complete and its interpreter still works: a system
// upgrade may have taken away the Python that it was made from.
func (e Env) Check(ctx context.Context) error {
	stamp, err := os.ReadFile(filepath.Join(e.Dir, stampName))
	if err != nil {
		return fmt.Errorf("Python environment %s: not installed", e.Dir)
	}
	version, err := versionOf(ctx, e.Python())
	if err != nil {
		return fmt.Errorf("Python environment %s: %w", e.Dir, err)
	}
	if want := strings.TrimSpace(string(stamp)); version.String() != want {
		return fmt.Errorf("Python environment %s: made with Python %s, its interpreter is %s now", e.Dir, want, version)
	}
	now := time.Now() // place.Prune goes by the time of the last use
	_ = os.Chtimes(filepath.Join(e.Dir, stampName), now, now)
	return nil
}

// Install makes the environment of the cache folder with the interpreter py.
// The caller holds the installation lock.
func Install(ctx context.Context, cache string, py Python) (Env, error) {
	env := At(cache)
	parent, name := filepath.Split(env.Dir)
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return env, fmt.Errorf("make the Python environment: %w: %s", err, cureCache)
	}
	// An environment cannot be moved (its scripts hold its path), so each is
	// made in a folder of its own: children of an installer that was killed may
	// go on writing for a while, and must not write into the next one's.
	dir, err := os.MkdirTemp(parent, name+"-")
	if err != nil {
		return env, fmt.Errorf("make the Python environment: %w: %s", err, cureCache)
	}
	if err := fill(ctx, Env{Dir: dir}, py); err != nil {
		_ = os.RemoveAll(dir) // nothing refers to it; this only frees the disk
		return env, err
	}
	link := dir + ".link"
	if err := errors.Join(os.Symlink(filepath.Base(dir), link), os.Rename(link, env.Dir)); err != nil {
		return env, fmt.Errorf("make the Python environment: %w: %s", err, cureCache)
	}
	return env, nil
}

const cureCache = "make the folder writable or set ILLM_CACHE to one that is"

// Prune deletes environments that were not used for a while or never finished.
func Prune(env Env, age time.Duration) {
	if dir, err := filepath.EvalSymlinks(env.Dir); err == nil {
		place.Prune(filepath.Dir(dir), dir, stampName, age)
	}
}

// fill installs into the folder of env.
func fill(ctx context.Context, env Env, py Python) error {
	pip, err := create(ctx, env, py)
	if err != nil {
		return err
	}
	list := filepath.Join(env.Dir, "requirements.txt")
	if err := place.WriteFile(list, requirements, 0o644); err != nil {
		return fmt.Errorf("make the Python environment: %w", err)
	}
	// --no-deps: the list is complete, and nothing beside it is wanted.
	// Byte code is left to the first import, which halves the time.
	cmd := proc.Command(ctx, pip[0], append(pip[1:], "install", "--quiet", "--no-input", "--no-deps", "--no-compile",
		"--only-binary=:all:", "--require-hashes", "--requirement", list)...)
	cmd.Env = append(CleanEnv(os.Environ()), "PIP_USER=0", "PIP_DISABLE_PIP_VERSION_CHECK=1", "PIP_PROGRESS_BAR=off")
	if _, err := proc.Output(ctx, cmd); err != nil {
		return pipError(err)
	}
	version, err := versionOf(ctx, env.Python())
	if err != nil {
		return err
	}
	if err := place.WriteFile(filepath.Join(env.Dir, stampName), []byte(version.String()+"\n"), 0o644); err != nil {
		return fmt.Errorf("make the Python environment: %w", err)
	}
	return nil
}

// create makes the bare environment and returns the command that is its pip.
// Some distributions ship Python without the module that puts pip into an
// environment; then the pip of the interpreter itself installs into it.
func create(ctx context.Context, env Env, py Python) (pip []string, err error) {
	venv := func(more ...string) error {
		args := append([]string{"-m", "venv"}, more...)
		cmd := proc.Command(ctx, py.Path, append(args, env.Dir)...)
		cmd.Env = CleanEnv(os.Environ())
		_, err := proc.Output(ctx, cmd)
		return err
	}
	if err = venv(); err == nil {
		return []string{env.Python(), "-m", "pip"}, nil
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if venv("--clear", "--without-pip") == nil {
		probe := proc.Command(ctx, py.Path, "-m", "pip", "--python", env.Python(), "--version")
		if _, perr := proc.Output(ctx, probe); perr == nil {
			return []string{py.Path, "-m", "pip", "--python", env.Python()}, nil
		}
	}
	return nil, fmt.Errorf("make a virtual environment with %s: install Python's venv module (Debian, Ubuntu: apt install python3-venv): %w", py.Path, err)
}

// pipError says what to do about the failures that a user can do something about.
func pipError(err error) error {
	var run *proc.Error
	if !errors.As(err, &run) {
		return err
	}
	cure := "see the last lines of pip below"
	switch has := func(s string) bool { return strings.Contains(run.Text, s) }; {
	case has("DO NOT MATCH THE HASHES"):
		cure = "a downloaded package is not the one the requirements name: check the package index or mirror that pip is configured for"
	case has("No space left"):
		cure = "the disk is full: free 400 MB, or set ILLM_CACHE to a folder on another disk"
	case has("Could not find a version"), has("No matching distribution"), has("connection"), has("Connection"), has("resolve"):
		cure = "check the network, and the package index that pip is configured for (PIP_INDEX_URL)"
	}
	return fmt.Errorf("install JupyterLab: %s: %w", cure, err)
}

// CleanEnv returns env without the variables that would make an interpreter
// load modules, or pip write, outside the environment.
func CleanEnv(env []string) []string {
	clean := make([]string, 0, len(env)+1)
	for _, kv := range env {
		switch name, _, _ := strings.Cut(kv, "="); name {
		case "PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "PYTHONUSERBASE", "VIRTUAL_ENV", "__PYVENV_LAUNCHER__", "PYTHONDONTWRITEBYTECODE",
			"PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_REQUIRE_VIRTUALENV", "PIP_NO_BINARY", "PIP_PYTHON":
		default:
			clean = append(clean, kv)
		}
	}
	return append(clean, "PYTHONNOUSERSITE=1")
}

// Module runs "python -m module args…" in the environment.
func (e Env) Module(ctx context.Context, module string, args ...string) *exec.Cmd {
	cmd := proc.Command(ctx, e.Python(), append([]string{"-m", module}, args...)...)
	cmd.Env = CleanEnv(os.Environ())
	return cmd
}
