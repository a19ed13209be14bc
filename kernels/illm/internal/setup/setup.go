// Package setup brings everything a notebook needs into the cache folder: the
// Python environment, the Go tools and the kernel specification. What is there
// already is left alone, so that the usual call costs a few milliseconds.
package setup

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/illm-go/illm/kernels/illm/internal/gotool"
	"github.com/illm-go/illm/kernels/illm/internal/kernelspec"
	"github.com/illm-go/illm/kernels/illm/internal/place"
	"github.com/illm-go/illm/kernels/illm/internal/pyenv"
)

// unused is how long parts that another version of the repository needed stay.
const unused = 14 * 24 * time.Hour

// pageConfig keeps JupyterLab from asking the network for news.
const pageConfig = `{
 "disabledExtensions": {
  "@jupyterlab/apputils-extension:announcements": true
 }
}
`

// Installed is a complete set of parts.
type Installed struct {
	Dirs   place.Dirs
	Python pyenv.Env
	Tools  gotool.Tools
}

// JupyterPath returns the Jupyter data folder that holds the kernel.
func (in Installed) JupyterPath() string { return filepath.Join(in.Dirs.Jupyter(), "data") }

// Env returns the environment of a Jupyter process that keeps to the project's
// own folders: neither the user's ~/.local nor ~/.jupyter is read or written.
func (in Installed) Env() []string {
	dir := in.Dirs.Jupyter()
	return append(pyenv.CleanEnv(os.Environ()),
		"JUPYTER_DATA_DIR="+filepath.Join(dir, "data"),
		"JUPYTER_CONFIG_DIR="+filepath.Join(dir, "config"),
		"JUPYTER_RUNTIME_DIR="+filepath.Join(dir, "runtime"),
		"JUPYTERLAB_SETTINGS_DIR="+filepath.Join(dir, "config", "lab", "user-settings"),
		"JUPYTERLAB_WORKSPACES_DIR="+filepath.Join(dir, "config", "lab", "workspaces"),
		"IPYTHONDIR="+filepath.Join(dir, "ipython"),
		"JUPYTER_PATH=", "JUPYTER_CONFIG_PATH=",
		"JUPYTER_PLATFORM_DIRS=1",
	)
}

// Ensure installs what is missing. Lines of progress go to logf.
func Ensure(ctx context.Context, dirs place.Dirs, logf func(format string, args ...any)) (Installed, error) {
	in := Installed{Dirs: dirs, Python: pyenv.At(dirs.Cache)}
	toolchain, err := gotool.FindGo(ctx, dirs.Root)
	if err != nil {
		return in, err
	}
	if in.Tools, err = gotool.At(dirs.Cache, dirs.Root, toolchain); err != nil {
		return in, err
	}
	if in.Python.Check(ctx) == nil && in.Tools.Check() == nil {
		return in, in.configure()
	}
	unlock, err := place.Lock(ctx, filepath.Join(dirs.Cache, "install.lock"), func() {
		logf("another installation is running in %s: waiting for it", dirs.Cache)
	})
	if err != nil {
		return in, err
	}
	defer unlock()
	// The two are independent: one waits for the network, one for the compiler.
	group, gctx := errgroup.WithContext(ctx)
	if in.Python.Check(ctx) != nil {
		py, err := pyenv.FindPython(ctx)
		if err != nil {
			return in, err
		}
		group.Go(step(logf, fmt.Sprintf("JupyterLab in a virtual environment of Python %s", py.Version), func() error {
			_, err := pyenv.Install(gctx, dirs.Cache, py)
			return err
		}))
	}
	if in.Tools.Check() != nil {
		group.Go(step(logf, "GoNB, goimports and gopls from go.mod", func() error {
			return in.Tools.Build(gctx, dirs.Root)
		}))
	}
	if err := group.Wait(); err != nil {
		if ctx.Err() != nil {
			return in, ctx.Err()
		}
		return in, err
	}
	pyenv.Prune(in.Python, unused)
	in.Tools.Prune(unused)
	return in, in.configure()
}

// configure writes the small files, which depend on the clone.
func (in Installed) configure() error {
	if err := kernelspec.Write(in.JupyterPath(), in.Tools, in.Dirs.Root, kernelspec.Options{Python: in.Python.Bin()}); err != nil {
		return err
	}
	path := filepath.Join(in.Dirs.Jupyter(), "config", "labconfig", "page_config.json")
	if err := place.WriteFile(path, []byte(pageConfig), 0o644); err != nil {
		return fmt.Errorf("configure JupyterLab: %w", err)
	}
	return nil
}

// step runs fn and says when it starts, that it goes on, and how long it took.
func step(logf func(string, ...any), name string, fn func() error) func() error {
	return func() error {
		start := time.Now()
		logf("installing %s …", name)
		done := make(chan struct{})
		defer close(done)
		go func() {
			tick := time.NewTicker(30 * time.Second)
			defer tick.Stop()
			for {
				select {
				case <-done:
					return
				case <-tick.C:
					logf("… still installing %s (%.0f s)", name, time.Since(start).Seconds())
				}
			}
		}()
		if err := fn(); err != nil {
			return err
		}
		logf("installed %s in %.0f s", name, time.Since(start).Seconds())
		return nil
	}
}
