// Package gotool builds the programs that the notebook kernel consists of from
// go.mod's tool directives: GoNB, which is the kernel, goimports, which it runs
// on each cell, and gopls, which answers its questions about a name.
package gotool

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
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

const stampName = "illm-complete"

// layout is part of the hash: raise it when the content of the folder changes.
const layout = "2"

// packages are the programs by their import paths; all are tools of go.mod.
var packages = []string{
	"github.com/janpfeifer/gonb",
	"golang.org/x/tools/cmd/goimports",
	"golang.org/x/tools/gopls",
}

// Go is the toolchain that builds the module: the one on the PATH, or the one
// it switches to because go.mod asks for a newer one.
type Go struct {
	Path    string // the go command, absolute
	Version string // as "go1.26.0"
}

// FindGo returns the toolchain used in the folder root.
func FindGo(ctx context.Context, root string) (Go, error) {
	path, err := exec.LookPath("go")
	if err != nil {
		return Go{}, fmt.Errorf("find Go: %w: install Go 1.26 or newer and put its bin folder on the PATH", err)
	}
	cmd := proc.Command(ctx, path, "env", "-json", "GOROOT", "GOVERSION")
	cmd.Dir = root
	out, err := proc.Output(ctx, cmd)
	if err != nil {
		return Go{}, fmt.Errorf("find Go: install Go 1.26 or newer: %w", err)
	}
	var vars struct{ GOROOT, GOVERSION string }
	if err := json.Unmarshal([]byte(out), &vars); err != nil || vars.GOROOT == "" {
		return Go{}, fmt.Errorf("find Go: %s env: expected JSON with GOROOT, found %q", path, out)
	}
	return Go{Path: filepath.Join(vars.GOROOT, "bin", "go"), Version: vars.GOVERSION}, nil
}

// Tools is a folder of built programs.
//
//	bin/gonb bin/goimports   what a kernel cannot do without
//	lsp/gopls                apart, so that a headless run can leave it out
//	shim/go                  the go command as GoNB shall see it
type Tools struct {
	Dir string
	Go  Go
}

// GoNB returns the path of the kernel.
func (t Tools) GoNB() string { return filepath.Join(t.Dir, "bin", "gonb") }

// Path returns the folders to put in front of a kernel's PATH. A kernel with
// gopls knows completion and help.
func (t Tools) Path(gopls bool) []string {
	dirs := []string{filepath.Join(t.Dir, "shim"), filepath.Join(t.Dir, "bin")}
	if gopls {
		dirs = append(dirs, filepath.Join(t.Dir, "lsp"))
	}
	return dirs
}

// At returns the tools of the clone root in the cache folder, built or not. The
// folder's name is a hash of everything the programs are made from.
func At(cache, root string, toolchain Go) (Tools, error) {
	h := sha256.New()
	for _, name := range []string{"go.mod", "go.sum"} {
		data, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			return Tools{}, fmt.Errorf("find the Go tools: %w", err)
		}
		fmt.Fprintf(h, "%s %d\n", name, len(data))
		h.Write(data)
	}
	fmt.Fprintf(h, "%s %s %s\n", layout, toolchain.Version, toolchain.Path)
	return Tools{Dir: filepath.Join(cache, "tools", hex.EncodeToString(h.Sum(nil)[:8])), Go: toolchain}, nil
}

// Check returns nil if the programs are all there.
func (t Tools) Check() error {
	if _, err := os.Stat(filepath.Join(t.Dir, stampName)); err != nil {
		return fmt.Errorf("Go tools %s: not built", t.Dir)
	}
	for _, name := range []string{"bin/gonb", "bin/goimports", "lsp/gopls", "shim/go"} {
		info, err := os.Stat(filepath.Join(t.Dir, filepath.FromSlash(name)))
		if err != nil || info.Mode()&0o111 == 0 {
			return fmt.Errorf("Go tools %s: %s is missing", t.Dir, name)
		}
	}
	now := time.Now() // place.Prune goes by the time of the last use
	_ = os.Chtimes(filepath.Join(t.Dir, stampName), now, now)
	return nil
}

// Build builds the programs of the clone root. The folder appears by one rename
// when all is in it. The caller holds the installation lock.
func (t Tools) Build(ctx context.Context, root string) (err error) {
	parent := filepath.Dir(t.Dir)
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return fmt.Errorf("build the Go tools: %w: make the folder writable or set ILLM_CACHE to one that is", err)
	}
	tmp, err := os.MkdirTemp(parent, "building-")
	if err != nil {
		return fmt.Errorf("build the Go tools: %w: make the folder writable or set ILLM_CACHE to one that is", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(tmp))
		}
	}()
	bin := filepath.Join(tmp, "bin")
	// -mod=readonly: the versions are go.mod's, and go.mod stays as it is.
	args := []string{"build", "-mod=readonly", "-ldflags=-s -w", "-o", bin + string(filepath.Separator)}
	cmd := proc.Command(ctx, t.Go.Path, append(args, packages...)...)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "GOWORK=off", "GOOS=", "GOARCH=")
	if _, err := proc.Output(ctx, cmd); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return fmt.Errorf("build the Go tools: %s: %w", buildCure(err), err)
	}
	if err := os.Mkdir(filepath.Join(tmp, "lsp"), 0o755); err != nil {
		return fmt.Errorf("build the Go tools: %w", err)
	}
	if err := os.Rename(filepath.Join(bin, "gopls"), filepath.Join(tmp, "lsp", "gopls")); err != nil {
		return fmt.Errorf("build the Go tools: %w", err)
	}
	if err := place.WriteFile(filepath.Join(tmp, "shim", "go"), []byte(shim(t.Go.Path)), 0o755); err != nil {
		return fmt.Errorf("build the Go tools: %w", err)
	}
	if err := place.WriteFile(filepath.Join(tmp, stampName), []byte(t.Go.Version+"\n"), 0o644); err != nil {
		return fmt.Errorf("build the Go tools: %w", err)
	}
	if err := os.RemoveAll(t.Dir); err != nil {
		return fmt.Errorf("build the Go tools: %w", err)
	}
	if err := os.Rename(tmp, t.Dir); err != nil {
		return fmt.Errorf("build the Go tools: %w", err)
	}
	return nil
}

// Prune deletes tools that were not used for a while or never finished.
func (t Tools) Prune(age time.Duration) {
	place.Prune(filepath.Dir(t.Dir), t.Dir, stampName, age)
}

// buildCure names what a user can do about a failed build.
func buildCure(err error) string {
	var run *proc.Error
	if errors.As(err, &run) {
		switch has := func(s string) bool { return strings.Contains(run.Text, s) }; {
		case has("No space left"), has("no space left"):
			return "the disk is full"
		case has("dial tcp"), has("connection refused"), has("i/o timeout"), has("lookup "):
			return "check the network, and Go's module proxy (go env GOPROXY)"
		}
	}
	return "see the last lines of go build below"
}

// shim returns a go command that answers GoNB's "go get" with nothing and links without tables for debuggers.
//
// GoNB runs a bare "go get" before it compiles a cell. In a workspace that
// fails on imports the workspace provides, because go get does not look there,
// and where it works it asks the network. The workspace has every package a
// notebook of this repository needs. "go get PACKAGE" is passed on, so a user's
// own notebook can still add one with "!*go get PACKAGE".
//
// Every cell is linked anew, and what it links embeds the models: without symbol
// table and DWARF (-s) that takes a fifth less time. Stack traces do not need
// them. The user's own, in GOFLAGS or by "%goflags", come later and win.
func shim(goPath string) string {
	quoted := "'" + strings.ReplaceAll(goPath, "'", `'\''`) + "'"
	return `#!/bin/sh
# The notebook kernel's go command: a bare "go get" does nothing, since the
# workspace provides the imports of a cell; a build has no tables for debuggers,
# which a cell has no use for; all else goes to the real one.
case "$*" in
get | "get -t") exit 0 ;;
"build "*) GOFLAGS="-ldflags=-s $(` + quoted + ` env GOFLAGS)"; export GOFLAGS ;;
esac
exec ` + quoted + ` "$@"
`
}
