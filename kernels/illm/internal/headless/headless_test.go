package headless

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/illm-go/illm/kernels/illm/internal/notebook"
	"github.com/illm-go/illm/kernels/illm/internal/place"
	"github.com/illm-go/illm/kernels/illm/internal/setup"
)

// installed returns the kernel and JupyterLab, which it installs if need be;
// that takes minutes and the network once, and nothing afterwards.
var installed = sync.OnceValues(func() (setup.Installed, error) {
	dirs, err := place.Find(".")
	if err != nil {
		return setup.Installed{}, err
	}
	return setup.Ensure(context.Background(), dirs, func(string, ...any) {})
})

func needInstalled(t *testing.T) setup.Installed {
	t.Helper()
	if testing.Short() {
		t.Skip("runs Jupyter")
	}
	in, err := installed()
	if err != nil {
		t.Fatal(err)
	}
	return in
}

type cell struct {
	kind, source string
	tags         []string
}

// write makes a notebook file of the cells and reads it.
func write(t *testing.T, cells ...cell) *notebook.Notebook {
	t.Helper()
	var list []any
	for _, c := range cells {
		m := map[string]any{"cell_type": c.kind, "source": c.source, "metadata": map[string]any{"tags": append([]string{}, c.tags...)}}
		if c.kind == "code" {
			m["outputs"], m["execution_count"] = []any{}, nil
		}
		list = append(list, m)
	}
	data, err := json.Marshal(map[string]any{"nbformat": 4, "nbformat_minor": 4, "metadata": map[string]any{}, "cells": list})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "10-try.ipynb")
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	nb, err := notebook.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	return nb
}

func jobOf(t *testing.T, nb *notebook.Notebook) Job {
	dir := t.TempDir()
	return Job{Notebook: nb, Folder: dir, IPYNB: filepath.Join(dir, "out.ipynb"), HTML: filepath.Join(dir, "out.html")}
}

// code returns a code cell whose main is the lines.
func code(lines ...string) cell {
	return cell{kind: "code", source: "%%\n" + strings.Join(lines, "\n")}
}

func TestRun(t *testing.T) {
	in := needInstalled(t)
	nb := write(t,
		cell{kind: "markdown", source: "# Half of it\n\nA scale is $m/2^k$, and $$\\sum_i x_i$$ a sum."},
		cell{kind: "code", source: "const numerator = 7\nconst note = \"seven\"", tags: []string{"parameters"}},
		cell{kind: "markdown", source: "## Rounding"},
		cell{kind: "code", source: "import (\n\t\"github.com/illm-go/illm/pkg/intmath\"\n\t\"github.com/janpfeifer/gonb/gonbui\"\n)\n\n%%\nfmt.Println(note, intmath.DivRound(numerator, 2))\ngonbui.DisplayHtml(\"<b>bold</b>\")\ngonbui.Sync()"},
		code(`fmt.Println("quick:" + os.Getenv("ILLM_QUICK"))`),
	)
	if err := nb.Set(map[string]string{"numerator": "-9", "note": "minus nine"}); err != nil {
		t.Fatal(err)
	}
	job := jobOf(t, nb)
	job.Env = []string{"ILLM_QUICK=1"}
	var events []Event
	job.OnEvent = func(e Event) { events = append(events, e) }
	done, err := Run(t.Context(), in, job)
	if err != nil {
		t.Fatal(err)
	}
	var said []string
	var kinds []string
	for _, e := range events {
		if e.Kind == "stream" {
			said = append(said, e.Text)
		} else {
			kinds = append(kinds, e.Kind)
		}
	}
	// −9/2 rounds half away from zero.
	if got := strings.Join(said, ""); got != "minus nine -5\nquick:1\n" {
		t.Errorf("the cells said %q", got)
	}
	if want := []string{"start", "done", "start", "done", "start", "done"}; !slices.Equal(kinds, want) {
		t.Errorf("events %q, want %q", kinds, want)
	}
	if got := len(done.Executable()[1].Outputs); got != 2 {
		t.Errorf("the executed notebook has %d outputs in the second cell, want text and HTML", got)
	}
	page, err := os.ReadFile(job.HTML)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"<b>bold</b>", "minus nine -5", "<math", "<title>Half of it", `<span class="kd">const</span>`} {
		if !strings.Contains(string(page), want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	for _, bad := range []string{`src="http`, `src='http`, `href="https://cdn`, "cdnjs", "cdn.jsdelivr"} {
		if strings.Contains(string(page), bad) {
			t.Errorf("the page loads something from the network: %q", bad)
		}
	}
	if files, _ := filepath.Glob(filepath.Join(filepath.Dir(job.HTML), "*.part")); len(files) > 0 {
		t.Errorf("half-written files stay: %v", files)
	}
}

func TestCellErrors(t *testing.T) {
	in := needInstalled(t)
	for _, c := range []struct {
		name string
		bad  cell
		want []string
		not  string
	}{
		{"compiler", code(`var x int = "text"`, `fmt.Println(x)`), []string{"cannot use", "as int value"}, "exit status"},
		{"panic", code(`var a []int`, `fmt.Println(a[3])`), []string{"panic: runtime error: index out of range [3]", "main.main()"}, "gonb_"},
		{"exit", code(`fmt.Fprintln(os.Stderr, "model: no such file")`, `os.Exit(7)`), []string{"model: no such file"}, ""},
		{"import", cell{kind: "code", source: "import \"example.org/none\"\n%%\nnone.Do()"}, []string{"example.org/none"}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			nb := write(t, code(`fmt.Println("fine")`), cell{kind: "markdown", source: "## The bad one"}, c.bad, code(`fmt.Println("never")`))
			job := jobOf(t, nb)
			_, err := Run(t.Context(), in, job)
			var cellErr *CellError
			if !errors.As(err, &cellErr) {
				t.Fatalf("error %v, want a CellError", err)
			}
			if cellErr.Cell != 2 || cellErr.Of != 3 || cellErr.Label != "The bad one" {
				t.Errorf("cell %d of %d, label %q; want 2 of 3, The bad one", cellErr.Cell, cellErr.Of, cellErr.Label)
			}
			for _, want := range append(c.want, "10-try.ipynb", "cell [2] of 3") {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q is not in:\n%v", want, err)
				}
			}
			if c.not != "" && strings.Contains(err.Error(), c.not) {
				t.Errorf("%q is in:\n%v", c.not, err)
			}
			done, err := notebook.Read(job.IPYNB)
			if err != nil {
				t.Fatal(err)
			}
			if cells := done.Executable(); len(cells[0].Outputs) == 0 || len(cells[2].Outputs) != 0 {
				t.Error("the kept notebook should end with the failed cell")
			}
		})
	}
}

// TestInterrupt ends a run while a cell sleeps: nothing is written, and no
// process of the kernel stays.
func TestInterrupt(t *testing.T) {
	in := needInstalled(t)
	pidFile := filepath.Join(t.TempDir(), "pid")
	nb := write(t, code(
		`os.WriteFile("`+pidFile+`", []byte(fmt.Sprint(os.Getpid())), 0o644)`,
		`fmt.Println("asleep")`,
		`time.Sleep(time.Minute)`))
	job := jobOf(t, nb)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	job.OnEvent = func(e Event) {
		if e.Kind == "stream" {
			cancel()
		}
	}
	start := time.Now()
	_, err := Run(ctx, in, job)
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("error %v, want %v", err, context.Canceled)
	}
	if took := time.Since(start); took > 40*time.Second {
		t.Errorf("ended after %v", took)
	}
	if _, err := os.Stat(job.IPYNB); err == nil {
		t.Error("an interrupted run wrote its notebook")
	}
	pid, err := os.ReadFile(pidFile)
	if err != nil {
		t.Fatal(err)
	}
	for range 50 {
		if _, err := os.Stat("/proc/" + string(pid)); err != nil {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Errorf("process %s of the cell is still there", pid)
}
