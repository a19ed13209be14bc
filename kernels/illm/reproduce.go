package main

import (
	"context"
	"errors"
	"fmt"
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
)

// defaultNotebooks are run when no name is given.
var defaultNotebooks = []string{"start", "clip"}

// reproduceOptions are the flags of reproduce.
type reproduceOptions struct {
	parameters  []string
	out         string
	full, quick bool
	keep        bool
	readme      bool // only write what the readme command writes
	report      bool // write the report behind the last notebook
}

func (a *app) reproduceCommand() *cobra.Command {
	var opt reproduceOptions
	cmd := &cobra.Command{
		Use:   "reproduce [NAME…]",
		Short: "Run notebooks headless and print their tables",
		Long: `reproduce runs notebooks in real Jupyter without a browser, prints their tables
and writes each executed notebook and a web page that needs no network.

NAME is a notebook (start, clip, …) or a table; without one, ` + strings.Join(defaultNotebooks, " and ") + ` are run
and the report of every study (see report) is written beside their pages.
A notebook always computes its live part and shows the shipped records beside it;
--full computes every record again and goes on where an interrupted run stopped.
What is missing (JupyterLab, the kernel) is installed first. The default model comes
with the clone; SmolLM2 is fetched to be run beside it, and left out, by name, where
it cannot be had: after the installation no network is needed. The clone stays as it
is.`,
		Example: `  illm reproduce
  illm reproduce clip -p clip=12.5 -p windows=8
  illm reproduce clip -p model=smollm2
  illm reproduce clip --out /tmp/results
  illm reproduce clip --full`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if opt.readme {
				return a.writeReadme(false)
			}
			opt.report = len(args) == 0
			if len(args) == 0 {
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
	f.BoolVar(&opt.keep, "keep", false, "put the executed notebooks, without scripts, in place of the clone's own")
	f.BoolVar(&opt.readme, "readme", false, "write the README's tables and the models' cards from the shipped records, and run nothing")
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
	for _, t := range tasks {
		if err := a.runNotebook(ctx, in, t, out, opt); err != nil {
			return err
		}
	}
	if opt.report {
		return a.writeReport(ctx, "", filepath.Join(out, reportFile))
	}
	return nil
}

// fetchModels downloads the models that the notebooks' parameters "model" and
// "beside" name, here, where progress can be seen, rather than within a cell. A run
// without the second goes on: its notebook names it as missing.
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
			case p.Name == "model" || ctx.Err() != nil:
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
		nb, err := notebook.Read(entry.Path)
		if err != nil {
			return nil, err
		}
		has, err := nb.Parameters()
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
		if err := nb.Set(own); err != nil {
			return nil, usageError(err)
		}
		tasks = append(tasks, task{entry, nb})
	}
	if len(used) < len(values) {
		return nil, usageError(unknown)
	}
	return tasks, nil
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

// runNotebook runs one notebook and prints its tables.
func (a *app) runNotebook(ctx context.Context, in setup.Installed, t task, out string, opt reproduceOptions) error {
	start := time.Now()
	base := strings.TrimSuffix(filepath.Base(t.nb.Path), ".ipynb")
	if t.entry.Table != "" {
		base += "-" + t.entry.Table
	}
	job := headless.Job{
		Notebook: t.nb,
		Folder:   filepath.Dir(t.nb.Path),
		IPYNB:    filepath.Join(out, base+".ipynb"),
		HTML:     filepath.Join(out, base+".html"),
		Env:      environment(t.entry, opt),
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
		return err
	}
	if opt.keep {
		if err := keepStatic(job.IPYNB, t.nb.Path); err != nil {
			return err
		}
	}
	tables := done.Tables()
	a.printf("# %s\n", t.nb.Title())
	for _, table := range tables {
		a.printf("\n%s\n", table)
	}
	a.printf("\nnotebook  %s\npage      %s\n\n", job.IPYNB, job.HTML)
	a.logf("%s: done in %.1f s", t.entry.Name, time.Since(start).Seconds())
	return a.record(map[string]any{
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
