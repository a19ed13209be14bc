package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/illm-go/illm/kernels/illm/internal/headless"
	"github.com/illm-go/illm/kernels/illm/internal/notebook"
	"github.com/illm-go/illm/kernels/illm/internal/setup"
	"github.com/illm-go/illm/pkg/ablation"
	"github.com/illm-go/illm/pkg/hub"
	"github.com/illm-go/illm/pkg/nb"
)

// defaultNotebooks are run when no name is given.
var defaultNotebooks = []string{"start", "clip"}

// allNotebooks is the name for every one of them.
const allNotebooks = "all"

// reproduceOptions are the flags of reproduce.
type reproduceOptions struct {
	parameters  []string
	out         string
	full, quick bool
	keep        bool
	readme      bool // only write what the readme command writes
	pdf         bool // print the pages as PDF too
	report      bool // write the report behind the last notebook
}

func (a *app) reproduceCommand() *cobra.Command {
	var opt reproduceOptions
	cmd := &cobra.Command{
		Use:   "reproduce [NAME…|all]",
		Short: "Run notebooks headless and print their tables",
		Long: `reproduce runs notebooks in real Jupyter without a browser, prints their tables
and writes each executed notebook and a web page that needs no network.

NAME is a notebook (start, clip, …), a table of the paper (T1 … T6) or an ablation
(A, B, D); "all" is every notebook. A table runs its own cells alone. Without a name,
` + strings.Join(defaultNotebooks, " and ") + ` are run and the report of every study (see report) is written
beside their pages: one page with its tables and charts.

A notebook shows the records and computes its live part on a tiny model beside them:
minutes. --quick cuts the live part to one window a cell. --full computes every record
again, of all notebooks if none is named, on SmolLM2 and whole test sets too: many
hours, and an interrupted run goes on where it stopped.

What is missing (JupyterLab, the kernel) is installed first. The default model comes
with the clone; SmolLM2 is fetched to be run beside it, and left out, by name, where
it cannot be had: after the installation no network is needed. The clone stays as it
is.

Where a row has neither a record nor a model to compute it with, its table shows the
hole, the end of the run names it, and the exit code is ` + fmt.Sprint(exitMissing) + `. A model that is only run
beside its shipped record counts as missing if -p names it or --full is given.`,
		Example: `  illm reproduce
  illm reproduce T1 T6
  illm reproduce all --quick
  illm reproduce clip -p clip=12.5 -p windows=8
  illm reproduce clip -p model=smollm2
  illm reproduce clip --out /tmp/results
  illm reproduce clip --full`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if opt.readme {
				return a.writeReadme(false)
			}
			opt.report = len(args) == 0
			switch {
			case len(args) == 0 && opt.full, len(args) == 1 && strings.EqualFold(args[0], allNotebooks):
				opt.report, args = true, nil
			case len(args) == 0:
				args = defaultNotebooks
			}
			return a.reproduce(cmd.Context(), args, opt)
		},
	}
	f := cmd.Flags()
	f.StringArrayVarP(&opt.parameters, "parameter", "p", nil, "`name=value` for the notebook's parameters cell; may be repeated")
	f.StringVar(&opt.out, "out", "", "`folder` for the executed notebooks and pages (default: reproduce in the user's data folder)")
	f.BoolVar(&opt.full, "full", false, "compute every record again")
	f.BoolVar(&opt.quick, "quick", false, "the least that runs every cell")
	f.BoolVar(&opt.pdf, "pdf", false, "print each page as PDF too; needs Chromium")
	f.BoolVar(&opt.keep, "keep", false, "put the executed notebooks, without scripts, in place of the clone's own")
	f.BoolVar(&opt.readme, "readme", false, "write the README's tables and charts and the models' cards from the shipped records, and run nothing")
	for _, name := range []string{"keep", "readme"} { // for whoever commits them
		if err := f.MarkHidden(name); err != nil {
			panic(err)
		}
	}
	cmd.MarkFlagsMutuallyExclusive("full", "quick")
	return cmd
}

// task is one notebook to run, with its parameters set.
type task struct {
	entry notebook.Entry
	nb    *notebook.Notebook
}

func (a *app) reproduce(ctx context.Context, names []string, opt reproduceOptions) error {
	dirs, err := a.dirs()
	if err != nil {
		return err
	}
	values, err := parseParameters(opt.parameters)
	if err != nil {
		return usageError(err)
	}
	if names == nil {
		if names, err = everyNotebook(dirs.Notebooks()); err != nil {
			return err
		}
	}
	// Everything the user wrote is checked before anything long begins.
	tasks, err := plan(dirs.Notebooks(), names, values, opt)
	if err != nil {
		return err
	}
	out := opt.out
	if out == "" {
		out = filepath.Join(dirs.Data, "reproduce")
	}
	if out, err = filepath.Abs(out); err != nil {
		return usageError(fmt.Errorf("--out: %w", err))
	}
	in, err := a.ensure(ctx)
	if err != nil {
		return err
	}
	if err := a.fetchModels(ctx, in, tasks); err != nil {
		return err
	}
	var empty []notebookHoles
	for _, t := range tasks {
		holes, err := a.runNotebook(ctx, in, t, out, opt)
		if err != nil {
			return err
		}
		empty = append(empty, notebookHoles{t.entry.Name, holes})
	}
	if opt.report {
		if err := a.writeReport(ctx, "", filepath.Join(out, reportFile), opt.pdf); err != nil {
			return err
		}
	}
	return a.tellHoles(empty, func(model string) bool {
		return opt.full || slices.Contains(slices.Collect(maps.Values(values)), model)
	})
}

// everyNotebook lists the notebooks of a folder by their own names.
func everyNotebook(dir string) ([]string, error) {
	shelf, err := notebook.Shelf(dir)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range shelf {
		if e.Table == "" {
			names = append(names, e.Name)
		}
	}
	return names, nil
}

// fetchModels downloads the models that the notebooks' parameters "model" and
// "beside" name, here, where progress can be seen, rather than within a cell. A run
// without one goes on: its notebook shows the records and names the model as missing.
func (a *app) fetchModels(ctx context.Context, in setup.Installed, tasks []task) error {
	missed := map[string]bool{}
	for _, t := range tasks {
		list, err := t.nb.Parameters()
		if err != nil {
			return err
		}
		for _, p := range list {
			name, err := strconv.Unquote(p.Default)
			if p.Name != "model" && p.Name != "beside" || err != nil || checkModelName(name) != nil || missed[name] {
				continue // a path, or something for the cell to refuse
			}
			_, err = a.fetch(ctx, name, []string{in.Python.Python()})
			switch {
			case err == nil:
			case ctx.Err() != nil || !errors.Is(err, hub.ErrUnavailable):
				return withCode(exitSetup, err)
			default:
				missed[name] = true
				a.logf("%s is left out: %v", name, err)
			}
		}
	}
	return nil
}

// parseParameters splits the values of -p.
func parseParameters(list []string) (map[string]string, error) {
	values := make(map[string]string, len(list))
	for _, s := range list {
		name, value, ok := strings.Cut(s, "=")
		name = strings.TrimSpace(name)
		if !ok || name == "" {
			return nil, fmt.Errorf("-p %q: expected name=value", s)
		}
		if _, twice := values[name]; twice {
			return nil, fmt.Errorf("-p: parameter %s is given twice", name)
		}
		values[name] = value
	}
	return values, nil
}

// plan reads the notebooks and sets their parameters. A parameter must belong
// to at least one of them.
func plan(dir string, names []string, values map[string]string, opt reproduceOptions) ([]task, error) {
	var tasks []task
	used := map[string]bool{}
	var unknown error
	for _, name := range names {
		entry, err := notebook.Open(dir, name)
		if err != nil {
			return nil, err
		}
		book, err := notebook.Read(entry.Path)
		if err != nil {
			return nil, err
		}
		has, err := book.Parameters()
		if err != nil {
			return nil, err
		}
		own := map[string]string{}
		for name, value := range implied(entry, opt) {
			if hasParameter(has, name) {
				own[name] = value
			}
		}
		for name, value := range values {
			if len(names) > 1 && !hasParameter(has, name) {
				unknown = &notebook.UnknownParameterError{Notebook: entry.Path, Name: name, Parameters: has}
				continue
			}
			own[name], used[name] = value, true
		}
		if err := book.Set(own); err != nil {
			return nil, usageError(err)
		}
		if err := checkSettings(has, values); err != nil {
			return nil, usageError(err)
		}
		if entry.Table != "" {
			if opt.keep {
				return nil, usageError(fmt.Errorf("reproduce: --keep goes with whole notebooks, found the table %s of %s", entry.Table, filepath.Base(entry.Path)))
			}
			book.KeepTable(entry.Table)
		}
		tasks = append(tasks, task{entry, book})
	}
	if len(used) < len(values) {
		return nil, usageError(unknown)
	}
	return tasks, nil
}

// settingOf names the axis or setting of a study that a notebook's parameter goes to; models are checked where they are
// fetched.
var settingOf = map[string]string{"clip": "clip", "window": "window", "windows": "windows", "recipe": "recipe", "width": "width", "widths": "recipe",
	"method": "method", "setting": "setting", "exp": "exp", "mode": "mode", "score": "score", "prob": "prob"}

// checkSettings refuses a value that no study takes, of the parameters that go to an axis or a setting of one: before
// Jupyter starts rather than in a cell.
func checkSettings(has []notebook.Parameter, values map[string]string) error {
	for _, p := range has {
		value, given := values[p.Name]
		name := settingOf[p.Name]
		if !given || name == "" {
			continue
		}
		levels := []string{value}
		if p.Kind == notebook.List {
			levels = strings.Split(value, ",")
		}
		for _, level := range levels {
			if err := ablation.CheckSetting(name, strings.TrimSpace(level)); err != nil {
				return fmt.Errorf("-p %s=%s: %w", p.Name, value, err)
			}
		}
	}
	return nil
}

func hasParameter(list []notebook.Parameter, name string) bool {
	return slices.ContainsFunc(list, func(p notebook.Parameter) bool { return p.Name == name })
}

// implied returns the parameters that flags and names stand for; a notebook
// that does not declare them can read the environment (see environment).
func implied(entry notebook.Entry, opt reproduceOptions) map[string]string {
	values := map[string]string{}
	if opt.full {
		values["full"] = "true"
	}
	if opt.quick {
		values["quick"] = "true"
	}
	if entry.Table != "" {
		values["table"] = entry.Table
	}
	return values
}

// environment is the same for the processes of the cells.
func environment(entry notebook.Entry, opt reproduceOptions) []string {
	env := []string{"ILLM_FULL=", "ILLM_QUICK=", "ILLM_TABLE=" + entry.Table}
	if opt.full {
		env[0] += "1"
	}
	if opt.quick {
		env[1] += "1"
	}
	return env
}

// runNotebook runs one notebook, prints its tables and returns what they lack.
func (a *app) runNotebook(ctx context.Context, in setup.Installed, t task, out string, opt reproduceOptions) ([]nb.Hole, error) {
	start := time.Now()
	scratch, err := os.MkdirTemp("", "illm-reproduce-")
	if err != nil {
		return nil, fmt.Errorf("reproduce: %w: set TMPDIR to a writable folder", err)
	}
	defer os.RemoveAll(scratch)
	holes := filepath.Join(scratch, "holes")
	base := strings.TrimSuffix(filepath.Base(t.nb.Path), ".ipynb")
	if t.entry.Table != "" {
		base += "-" + t.entry.Table
	}
	job := headless.Job{
		Notebook: t.nb,
		Folder:   filepath.Dir(t.nb.Path),
		IPYNB:    filepath.Join(out, base+".ipynb"),
		HTML:     filepath.Join(out, base+".html"),
		Env:      append(environment(t.entry, opt), nb.HolesEnv+"="+holes),
	}
	progress := newProgress(a, t.entry.Name, t.nb)
	job.OnEvent = progress.event
	a.logf("%s: %s", t.entry.Name, t.nb.Title())
	done, err := headless.Run(ctx, in, job)
	progress.close()
	if err != nil {
		var cell *headless.CellError
		if errors.As(err, &cell) {
			err = fmt.Errorf("%w\nthe notebook up to that cell: %s", err, job.HTML)
		}
		return nil, err
	}
	if opt.keep {
		if err := keepStatic(job.IPYNB, t.nb.Path); err != nil {
			return nil, err
		}
	}
	tables := done.Tables()
	a.printf("# %s\n", t.nb.Title())
	for _, table := range tables {
		a.printf("\n%s\n", table)
	}
	a.printf("\nnotebook  %s\npage      %s\n", job.IPYNB, job.HTML)
	if opt.pdf {
		if err := a.printPDF(ctx, job.HTML); err != nil {
			return nil, err
		}
	}
	a.printf("\n")
	a.logf("%s: done in %.1f s", t.entry.Name, time.Since(start).Seconds())
	empty, err := nb.ReadHoles(holes)
	if err != nil {
		return nil, err
	}
	return empty, a.record(map[string]any{
		"kind": "notebook", "name": t.entry.Name, "cells": len(t.nb.Executable()), "tables": tables,
		"ipynb": job.IPYNB, "html": job.HTML, "wall_s": seconds(start),
	})
}

// keepStatic writes the static form of an executed notebook to path.
func keepStatic(executed, path string) error {
	raw, err := os.ReadFile(executed)
	if err != nil {
		return err
	}
	if raw, err = notebook.Static(raw); err != nil {
		return err
	}
	return os.WriteFile(path, raw, 0o644)
}
