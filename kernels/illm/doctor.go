package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/illm-go/illm/kernels/illm/internal/gotool"
	"github.com/illm-go/illm/kernels/illm/internal/headless"
	"github.com/illm-go/illm/kernels/illm/internal/kernelspec"
	"github.com/illm-go/illm/kernels/illm/internal/notebook"
	"github.com/illm-go/illm/kernels/illm/internal/place"
	"github.com/illm-go/illm/kernels/illm/internal/pyenv"
	"github.com/illm-go/illm/kernels/illm/internal/setup"
	"github.com/illm-go/illm/pkg/catalog"
	"github.com/illm-go/illm/pkg/corpus"
	"github.com/illm-go/illm/pkg/hub"
	"github.com/illm-go/illm/pkg/quant"
	"github.com/illm-go/illm/pkg/simd/cpu"
)

// check is one thing that doctor looks at.
type check struct {
	Kind     string `json:"kind"` // "check"
	Name     string `json:"name"`
	OK       bool   `json:"ok"`
	Required bool   `json:"required"`
	Found    string `json:"found"`          // what is there, or what is wrong
	Cure     string `json:"cure,omitempty"` // what to do if it is not
}

// errMissing ends doctor with exit code 1.
var errMissing = errors.New("something is missing: the lines marked ✗ say what to do")

func (a *app) doctorCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "doctor",
		Short: "Check everything the notebooks need, and say how to get what is missing",
		Long: `doctor looks at each thing this command and the notebooks need and prints what it
found, or what to do. It installs nothing. If the kernel is there, it runs a
cell that imports a package of this clone.

  ✓ there   ✗ missing   – missing, but not needed for the default notebooks`,
		Example: `  illm doctor
  illm doctor --json`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.doctor(cmd.Context())
		},
	}
}

func (a *app) doctor(ctx context.Context) error {
	dirs, err := a.dirs()
	if err != nil {
		return err
	}
	missing := false
	// Each check is printed as it is done; the last one takes a second.
	for _, fn := range []func(context.Context, place.Dirs) check{
		checkClone, checkGo, checkPython, checkCache, checkJupyter, checkTools, checkCell,
		checkShipped(catalog.TinyLlama), checkShipped(catalog.TinyOPT), checkEngine, checkModel, checkOpticks, checkText(corpus.WikiText2), checkText(corpus.C4), checkBrowser, checkCPU,
	} {
		c := fn(ctx, dirs)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		c.Kind = "check"
		mark := "✓"
		if !c.OK {
			mark = "–"
			if c.Required {
				mark, missing = "✗", true
			}
		}
		a.printf("%s %-12s %s\n", mark, c.Name, c.Found)
		if !c.OK && c.Cure != "" {
			a.printf("  %-12s → %s\n", "", c.Cure)
		}
		if err := a.record(c); err != nil {
			return err
		}
	}
	if missing {
		return errMissing
	}
	return nil
}

// missing fills in a failed check. Errors of this program read "what: cure", so
// that one line is enough.
func (c check) missing(err error, cure string) check {
	c.Found, c.Cure = strings.ReplaceAll(err.Error(), "\n", "\n    "), cure
	return c
}

func (c check) found(format string, args ...any) check {
	c.OK, c.Found, c.Cure = true, fmt.Sprintf(format, args...), ""
	return c
}

func checkClone(_ context.Context, dirs place.Dirs) check {
	c := check{Name: "clone", Required: true}
	shelf, err := notebook.Shelf(dirs.Notebooks())
	if err != nil {
		return c.missing(err, "git checkout -- notebooks")
	}
	return c.found("%s, %d notebooks", dirs.Root, len(shelf))
}

func checkGo(ctx context.Context, dirs place.Dirs) check {
	c := check{Name: "Go", Required: true}
	toolchain, err := gotool.FindGo(ctx, dirs.Root)
	if err != nil {
		return c.missing(err, "install Go 1.26 or newer from go.dev/dl")
	}
	if strings.Contains(os.Getenv("GOFLAGS"), "-mod=") {
		return c.missing(fmt.Errorf("GOFLAGS is %q", os.Getenv("GOFLAGS")), "unset -mod in GOFLAGS: Go refuses it in a notebook's workspace")
	}
	return c.found("%s, %s", toolchain.Version, toolchain.Path)
}

func checkPython(ctx context.Context, _ place.Dirs) check {
	c := check{Name: "Python", Required: true}
	py, err := pyenv.FindPython(ctx)
	if err != nil {
		return c.missing(err, "install Python 3.10 or newer (Debian, Ubuntu: apt install python3 python3-venv)")
	}
	return c.found("%s, %s", py.Version, py.Path)
}

// room is the space that a complete installation with SmolLM2 takes, and some.
const room = 1 << 30

func checkCache(_ context.Context, dirs place.Dirs) check {
	c := check{Name: "cache", Required: true}
	const cure = "make it writable, or set ILLM_CACHE to a folder that is"
	if err := os.MkdirAll(dirs.Cache, 0o755); err != nil {
		return c.missing(err, cure)
	}
	f, err := os.CreateTemp(dirs.Cache, ".tmp-*")
	if err != nil {
		return c.missing(err, cure)
	}
	_ = f.Close()
	if err := os.Remove(f.Name()); err != nil {
		return c.missing(err, cure)
	}
	free, err := place.Free(dirs.Cache)
	if err != nil {
		return c.found("%s", dirs.Cache)
	}
	if free < room {
		return c.missing(fmt.Errorf("%s has %d MB free", dirs.Cache, free>>20), "free 1 GB, or set ILLM_CACHE to a folder on another disk")
	}
	return c.found("%s, %d GB free", dirs.Cache, free>>30)
}

func checkJupyter(ctx context.Context, dirs place.Dirs) check {
	c := check{Name: "JupyterLab", Required: true}
	env := pyenv.At(dirs.Cache)
	if err := env.Check(ctx); err != nil {
		return c.missing(err, "illm install")
	}
	return c.found("%s", env.Dir)
}

// toolsOf returns the tools of the clone if they are built.
func toolsOf(ctx context.Context, dirs place.Dirs) (gotool.Tools, error) {
	toolchain, err := gotool.FindGo(ctx, dirs.Root)
	if err != nil {
		return gotool.Tools{}, err
	}
	tools, err := gotool.At(dirs.Cache, dirs.Root, toolchain)
	if err != nil {
		return tools, err
	}
	return tools, tools.Check()
}

func checkTools(ctx context.Context, dirs place.Dirs) check {
	c := check{Name: "GoNB", Required: true}
	tools, err := toolsOf(ctx, dirs)
	if err != nil {
		return c.missing(err, "illm install")
	}
	return c.found("%s", tools.GoNB())
}

// trial is the cell that doctor runs.
const trial = `{"nbformat": 4, "nbformat_minor": 4, "metadata": {}, "cells": [{"cell_type": "code",
 "metadata": {}, "outputs": [], "execution_count": null,
 "source": "import \"` + place.Module + `/pkg/intmath\"\n\n%%\nfmt.Print(intmath.DivRound(7, 2))"}]}`

// checkCell runs a cell through everything that a notebook goes through.
func checkCell(ctx context.Context, dirs place.Dirs) check {
	c := check{Name: "a cell", Required: true, Cure: "illm install"}
	tools, err := toolsOf(ctx, dirs)
	env := pyenv.At(dirs.Cache)
	if err != nil || env.Check(ctx) != nil {
		c.Found = "not tried: the kernel is not installed"
		return c
	}
	nb, err := notebook.Parse([]byte(trial))
	if err != nil {
		return c.missing(err, "")
	}
	tmp, err := os.MkdirTemp("", "illm-doctor-")
	if err != nil {
		return c.missing(err, "set TMPDIR to a writable folder")
	}
	defer os.RemoveAll(tmp)
	said := ""
	_, err = headless.Run(ctx, setup.Installed{Dirs: dirs, Python: env, Tools: tools}, headless.Job{
		Notebook: nb, Folder: tmp, IPYNB: filepath.Join(tmp, "o.ipynb"), HTML: filepath.Join(tmp, "o.html"),
		OnEvent: func(e headless.Event) { said += e.Text },
	})
	cure := "remove " + env.Dir + " and " + tools.Dir + ", then illm install"
	if err != nil {
		return c.missing(err, cure)
	}
	if said != "4" { // 3.5 rounds away from zero
		return c.missing(fmt.Errorf("a cell that should print 4 printed %q", said), cure)
	}
	return c.found("imports this clone's packages and runs, kernel %q", kernelspec.DisplayName)
}

// checkShipped opens a model that the program carries.
func checkShipped(name string) func(context.Context, place.Dirs) check {
	return func(ctx context.Context, _ place.Dirs) check {
		c := check{Name: name, Required: true}
		e, err := catalog.Open(ctx, name, catalog.Options{})
		if err != nil {
			return c.missing(err, "git checkout -- data/models, then build again; or make the cache folder writable")
		}
		defer e.Close()
		return c.found("%.1f million weights, context %d, %s", float64(e.Parameters())/1e6, e.MaxContext(), e.Path)
	}
}

// checkEngine runs a few tokens through the integer engine in two ways.
func checkEngine(ctx context.Context, _ place.Dirs) check {
	c := check{Name: "engine", Required: true}
	sums, err := trialHashes(ctx)
	if err != nil {
		return c.missing(err, "illm hash --prompt x --model "+catalog.Default+" shows more")
	}
	if sums[0] != sums[1] {
		return c.missing(fmt.Errorf("one prompt gave %s at once and %s token by token", sums[0][:12], sums[1][:12]), "ILLM_SIMD=generic takes plain Go; please report the line \"CPU\"")
	}
	return c.found("w8a8 logits of %s: the same bits at once and token by token, sha256 %s…", catalog.Default, sums[0][:12])
}

func trialHashes(ctx context.Context) (sums [2]string, err error) {
	e, err := catalog.Open(ctx, catalog.Default, catalog.Options{})
	if err != nil {
		return sums, err
	}
	defer e.Close()
	spec, err := quant.NewSpec("w8a8", "", "")
	if err != nil {
		return sums, err
	}
	m, err := e.Integer(ctx, spec)
	if err != nil {
		return sums, err
	}
	ids, err := e.Encode("Gravity is the force that")
	if err != nil {
		return sums, err
	}
	for i, split := range []int{0, 1} {
		session, err := m.NewSession(len(ids))
		if err != nil {
			return sums, err
		}
		sums[i], err = chain(ctx, session, ids, split)
		session.Close()
		if err != nil {
			return sums, err
		}
	}
	return sums, nil
}

func checkModel(_ context.Context, dirs place.Dirs) check {
	c := check{Name: "SmolLM2"}
	client := hub.Client{Cache: dirs.Cache}
	path, ok := client.Cached(hub.SmolLM2)
	if !ok {
		return c.missing(errors.New("not downloaded (93 MB)"), "illm fetch "+hub.SmolLM2)
	}
	return c.found("%s", path)
}

func checkOpticks(ctx context.Context, _ place.Dirs) check {
	c := check{Name: corpus.Opticks, Required: true}
	text, err := corpus.Load(ctx, corpus.Opticks)
	if err != nil {
		return c.missing(err, "install Go from go.dev/dl: some packages leave out its folder src")
	}
	return c.found("%d bytes from the Go distribution", len(text.Bytes))
}

// checkText looks for an evaluation text without reading or fetching it.
func checkText(name string) func(context.Context, place.Dirs) check {
	return func(_ context.Context, dirs place.Dirs) check {
		c := check{Name: name}
		places := []string{filepath.Join(dirs.Cache, "corpora", name+".txt")}
		if data := os.Getenv("ILLM_DATA"); data != "" {
			local := map[string]string{corpus.WikiText2: "wikitext2/test.txt.gz", corpus.C4: "c4/validation.jsonl.gz"}[name]
			places = append(places, filepath.Join(data, filepath.FromSlash(local)))
		}
		for _, path := range places {
			if _, err := os.Stat(path); err == nil {
				return c.found("%s", path)
			}
		}
		return c.missing(errors.New("not here"), "it is fetched from the Hugging Face hub when it is needed, or set ILLM_DATA; without it the live cells use "+corpus.Opticks)
	}
}

func checkBrowser(context.Context, place.Dirs) check {
	c := check{Name: "browser"}
	path, err := findBrowser()
	if err != nil {
		return c.missing(err, "only the chart tests need one (Debian: apt install chromium)")
	}
	return c.found("%s", path)
}

func checkCPU(context.Context, place.Dirs) check {
	return check{Name: "CPU"}.found("%s", cpu.Active())
}
