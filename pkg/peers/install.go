package peers

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gofrs/flock"
)

// Missing is a rival that does not take part, and why.
type Missing struct {
	Rival  string `json:"rival"`
	Reason string `json:"reason"`
}

func (m Missing) String() string { return m.Rival + ": " + m.Reason }

// Env is the rivals' Python environment.
type Env struct {
	Dir     string    // its folder
	Missing []Missing // rivals that could not be installed
	rivals  []string  // those that were asked for and are there
}

// Python returns the environment's interpreter.
func (e *Env) Python() string { return interpreter(e.Dir) }

// Has tells whether the rival is installed.
func (e *Env) Has(rival string) bool { return slices.Contains(e.rivals, rival) }

// Install makes the environment of the rivals below root (the user's cache
// folder) with the interpreter python, and installs those named: all of them if
// none is. What is there already is left alone. A rival that cannot be installed
// is put into Env.Missing and the others go on; the error is that of the
// environment itself, or of ctx.
//
// Every package is pinned by hash. llama.cpp is compiled for this CPU, at low
// priority: minutes, and it needs a C++ compiler (CMake and Ninja are installed
// into the environment). progress, which may be nil, is told one line at a time.
func Install(ctx context.Context, root, python string, progress func(line string), names ...string) (*Env, error) {
	if progress == nil {
		progress = func(string) {}
	}
	if len(names) == 0 {
		names = Rivals()
	}
	for _, name := range names {
		if !slices.Contains(Rivals(), name) {
			return nil, fmt.Errorf("peers: install %q: expected one of %s", name, strings.Join(Rivals(), ", "))
		}
	}
	version, err := pythonVersion(ctx, python)
	if err != nil {
		return nil, err
	}
	parent := filepath.Join(root, "peers")
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return nil, cacheError(err)
	}
	i := &installer{ctx: ctx, python: python, progress: progress, dir: filepath.Join(parent, "python-"+version+"-"+short(requireBase))}
	lock := flock.New(i.dir + ".lock")
	if ok, _ := lock.TryLock(); !ok {
		progress("waiting for another installation of the rivals")
		if _, err := lock.TryLockContext(ctx, 200*time.Millisecond); err != nil {
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			return nil, cacheError(err)
		}
	}
	defer lock.Unlock()
	if err := i.base(); err != nil {
		return nil, err
	}
	env := &Env{Dir: i.dir}
	for _, r := range rivals() {
		if !slices.Contains(names, r.name) {
			continue
		}
		if err := i.rival(r); err != nil {
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			env.Missing = append(env.Missing, Missing{r.name, err.Error()})
			progress(r.name + " is missing: " + firstLine(err.Error()))
			continue
		}
		env.rivals = append(env.rivals, r.name)
	}
	return env, nil
}

// installer works on one environment.
type installer struct {
	ctx         context.Context
	dir, python string
	progress    func(string)
}

// base makes the environment itself, with numpy.
func (i *installer) base() error {
	if i.done("base", requireBase) && exec.CommandContext(i.ctx, interpreter(i.dir), "-c", "").Run() == nil {
		return i.ctx.Err()
	}
	i.progress("making a Python environment for the rivals")
	if err := os.RemoveAll(i.dir); err != nil { // half made, or its interpreter is gone
		return cacheError(err)
	}
	if err := i.run("make a virtual environment (Debian, Ubuntu: apt install python3-venv)", nil, i.python, "-m", "venv", i.dir); err != nil {
		return err
	}
	return i.pip("base", requireBase, nil)
}

// rival installs one.
func (i *installer) rival(r rival) error {
	if r.require == nil || i.done(r.name, r.require) {
		return i.ctx.Err()
	}
	start := time.Now()
	i.progress("installing " + r.name)
	var env []string
	if r.source {
		if err := compiler(); err != nil {
			return err
		}
		if !i.done("build", requireBuild) {
			if err := i.pip("build", requireBuild, nil); err != nil {
				return err
			}
		}
		hook := filepath.Join(i.dir, "llama-hook.cmake")
		if err := os.WriteFile(hook, []byte(hookText), 0o644); err != nil {
			return cacheError(err)
		}
		// cmake and ninja of the environment, before others.
		path := filepath.Dir(interpreter(i.dir)) + string(os.PathListSeparator) + os.Getenv("PATH")
		env = build([]string{"PATH=" + path}, hook)
		i.progress("compiling " + r.name + " for this CPU at low priority: some minutes")
	}
	if err := i.pip(r.name, r.require, env); err != nil {
		return err
	}
	for _, pattern := range r.trim { // half of MKL's gigabyte
		files, _ := filepath.Glob(filepath.Join(i.dir, "lib", pattern))
		for _, f := range files {
			_ = os.Remove(f) // only disk space depends on it
		}
	}
	i.progress(fmt.Sprintf("installed %s in %.0f s", r.name, time.Since(start).Seconds()))
	return nil
}

// compiler looks for what CMake would.
func compiler() error {
	want := []string{"c++", "g++", "clang++"}
	if cxx := strings.Fields(os.Getenv("CXX")); len(cxx) > 0 {
		want = cxx[:1]
	}
	for _, name := range want {
		if _, err := exec.LookPath(name); err == nil {
			return nil
		}
	}
	return fmt.Errorf("no C++ compiler: expected %s on PATH: install one (Debian, Ubuntu: apt install g++)", strings.Join(want, ", "))
}

// pip installs a list of requirements and leaves a stamp.
func (i *installer) pip(name string, list []byte, env []string) error {
	file := filepath.Join(i.dir, "requirements-"+name+".txt")
	if err := os.WriteFile(file, list, 0o644); err != nil {
		return cacheError(err)
	}
	args := []string{interpreter(i.dir), "-m", "pip", "install", "--quiet", "--no-input", "--no-deps", "--no-compile", "--require-hashes", "--requirement", file}
	if env == nil {
		args = append(args, "--only-binary=:all:")
	} else {
		// No wheel of pip's cache: it may have been compiled for another CPU.
		args = append(args, "--no-build-isolation", "--no-cache-dir")
		if nice, err := exec.LookPath("nice"); err == nil {
			args = append([]string{nice, "-n", "19"}, args...)
		}
	}
	if err := i.run("install "+name, env, args...); err != nil {
		return err
	}
	if err := os.WriteFile(i.stamp(name), []byte(short(list)+"\n"), 0o644); err != nil {
		return cacheError(err)
	}
	return nil
}

func (i *installer) stamp(name string) string { return filepath.Join(i.dir, "illm-"+name) }

func (i *installer) done(name string, list []byte) bool {
	b, err := os.ReadFile(i.stamp(name))
	return err == nil && strings.TrimSpace(string(b)) == short(list)
}

// run runs a step; its error says what to do.
func (i *installer) run(what string, env []string, args ...string) error {
	cmd := exec.CommandContext(i.ctx, args[0], args[1:]...)
	ownGroup(cmd)
	cmd.WaitDelay = 5 * time.Second
	cmd.Env = append(append(cleanEnv(os.Environ()), "PIP_USER=0", "PIP_DISABLE_PIP_VERSION_CHECK=1", "PIP_PROGRESS_BAR=off"), env...)
	var text tail
	cmd.Stdout, cmd.Stderr = &text, &text
	err := cmd.Run()
	if err == nil || i.ctx.Err() != nil {
		return i.ctx.Err()
	}
	return fmt.Errorf("%s: %s: %w\n%s", what, cure(text.String()), err, lastLines(text.String(), 8))
}

// cure says what a user can do about a failed pip.
func cure(text string) string {
	for _, c := range []struct{ sign, cure string }{
		{"DO NOT MATCH THE HASHES", "a package is not the one that is pinned: check the package index that pip is configured for"},
		{"No space left", "the disk is full: free 3 GB, or set ILLM_CACHE to a folder on another disk"},
		{"No matching distribution", "no such package for this platform and Python, or no network: check the package index that pip is configured for"},
		{"Could not find a version", "no such package for this platform and Python, or no network: check the package index that pip is configured for"},
		{"onnection", "no network: check it, and the package index that pip is configured for"},
		{"CMake Error", "CMake does not get along with this machine's compiler: its message is below"},
		{"error: ", "see the last lines below"},
	} {
		if strings.Contains(text, c.sign) {
			return c.cure
		}
	}
	return "see the last lines below"
}

// pythonVersion asks the interpreter.
func pythonVersion(ctx context.Context, python string) (string, error) {
	cmd := exec.CommandContext(ctx, python, "-c", "import sys; print('%d.%d' % sys.version_info[:2])")
	cmd.Env = cleanEnv(os.Environ())
	out, err := cmd.Output()
	if err != nil {
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		return "", fmt.Errorf("peers: install: run %s: %w: the rivals need Python 3.10 or newer", python, err)
	}
	version := strings.TrimSpace(string(out))
	minor, err := strconv.Atoi(strings.TrimPrefix(version, "3."))
	if err != nil || minor < 10 {
		return "", fmt.Errorf("peers: install: %s is Python %.20q: the rivals need 3.10 or newer", python, version)
	}
	return version, nil
}

func interpreter(dir string) string {
	if runtime.GOOS == "windows" {
		return filepath.Join(dir, "Scripts", "python.exe")
	}
	return filepath.Join(dir, "bin", "python")
}

func short(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:6])
}

func cacheError(err error) error {
	return fmt.Errorf("peers: install: %w: set ILLM_CACHE to a writable folder with 3 GB of room", err)
}

func firstLine(s string) string { s, _, _ = strings.Cut(s, "\n"); return s }

func lastLines(text string, n int) string {
	lines := bytes.Split(bytes.TrimSpace([]byte(text)), []byte("\n"))
	return string(bytes.Join(lines[max(0, len(lines)-n):], []byte("\n")))
}

func itoa(n int) string { return strconv.Itoa(n) }
