package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/illm-go/illm/kernels/illm/internal/headless"
)

// command runs the command line and returns its exit code and output.
func command(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, talk bytes.Buffer
	a := &app{stdin: strings.NewReader(""), stdout: &out, stderr: &talk}
	code = a.main(t.Context(), args)
	return code, out.String(), talk.String()
}

func TestExitCode(t *testing.T) {
	cell := &headless.CellError{Notebook: "n", Cell: 1, Of: 2}
	for _, c := range []struct {
		err  error
		want int
	}{
		{nil, exitOK},
		{errors.New("any"), exitFailure},
		{usageError(errors.New("flag")), exitUsage},
		{fmt.Errorf("outer: %w", usageError(errors.New("flag"))), exitUsage},
		{cell, exitCell},
		{fmt.Errorf("%w\nmore", cell), exitCell},
		{withCode(exitSetup, errors.New("pip")), exitSetup},
		{fmt.Errorf("run: %w", context.Canceled), exitInterrupted},
		{withCode(exitSetup, context.Canceled), exitInterrupted},
	} {
		if got := exitCode(c.err); got != c.want {
			t.Errorf("exit code of %v is %d, want %d", c.err, got, c.want)
		}
	}
	if withCode(exitSetup, nil) != nil {
		t.Error("withCode makes an error of nil")
	}
}

func TestUsage(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"reprodcue"}, `did you mean "reproduce"?`},
		{[]string{"nonsense"}, "the commands are "},
		{[]string{"--nope"}, "unknown flag"},
		{[]string{"lab", "--port", "x"}, "invalid argument"},
		{[]string{"lab", "--port", "70000"}, "expected 0 to 65535"},
		{[]string{"lab", "a", "b"}, "opens one notebook"},
		{[]string{"install", "now"}, "takes no arguments"},
		{[]string{"doctor", "now"}, "takes no arguments"},
		{[]string{"fetch"}, "takes one model"},
		{[]string{"fetch", "smolm2"}, `did you mean "smollm2"?`},
		{[]string{"fetch", "root_test.go"}, "use its path"},
		{[]string{"reproduce", "-p", "clip"}, "expected name=value"},
		{[]string{"reproduce", "-p", "a=1", "-p", "a=2"}, "given twice"},
	} {
		code, stdout, stderr := command(t, c.args...)
		if code != exitUsage || !strings.Contains(stderr, c.want) || stdout != "" {
			t.Errorf("illm %q: code %d, want %d; stderr %q, want %q in it; stdout %q", c.args, code, exitUsage, stderr, c.want, stdout)
		}
	}
}

// TestHelp expects every command to explain itself, with an example.
func TestHelp(t *testing.T) {
	a := &app{stdout: &bytes.Buffer{}, stderr: &bytes.Buffer{}}
	for _, cmd := range a.root().Commands() {
		if cmd.Hidden {
			continue
		}
		if cmd.Short == "" || cmd.Long == "" || cmd.Example == "" {
			t.Errorf("%s lacks a description or an example", cmd.Name())
		}
		if !strings.Contains(cmd.Example, "illm "+cmd.Name()) {
			t.Errorf("the example of %s does not call it", cmd.Name())
		}
	}
	code, stdout, _ := command(t, "--help")
	for n := range []int{exitOK, exitFailure, exitUsage, exitCell, exitSetup, exitMismatch} {
		if !strings.Contains(stdout, fmt.Sprintf("\n  %d  ", n)) {
			t.Errorf("the help does not explain exit code %d", n)
		}
	}
	if code != exitOK || !strings.Contains(stdout, "reproduce") {
		t.Errorf("help: code %d, %q", code, stdout)
	}
}

func TestInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out, talk bytes.Buffer
	a := &app{stdout: &out, stderr: &talk}
	if code := a.main(ctx, []string{"install"}); code != exitInterrupted {
		t.Errorf("code %d, want %d: %s", code, exitInterrupted, talk.String())
	}
}

// writeNotebook makes NAME.ipynb with a parameters cell and a second one.
func writeNotebook(t *testing.T, dir, name, parameters, code string) {
	t.Helper()
	data, err := json.Marshal(map[string]any{
		"nbformat": 4, "nbformat_minor": 4, "metadata": map[string]any{"illm": map[string]any{"tables": []string{"T-" + name}}},
		"cells": []any{
			map[string]any{"cell_type": "code", "metadata": map[string]any{"tags": []string{"parameters"}}, "source": parameters, "outputs": []any{}, "execution_count": nil},
			map[string]any{"cell_type": "code", "metadata": map[string]any{}, "source": code, "outputs": []any{}, "execution_count": nil},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name+".ipynb"), data, 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestPlan(t *testing.T) {
	dir := t.TempDir()
	writeNotebook(t, dir, "00-one", "const a = 1\nconst quick = false\nconst table = \"\"", "")
	writeNotebook(t, dir, "10-two", "const a = 1\nconst b = 2", "")
	source := func(tasks []task) (s []string) {
		for _, t := range tasks {
			s = append(s, t.nb.Cells[0].Source)
		}
		return s
	}
	tasks, err := plan(dir, []string{"one", "two"}, map[string]string{"a": "7", "b": "8"}, reproduceOptions{quick: true})
	if err != nil {
		t.Fatal(err)
	}
	// A parameter goes to each notebook that has it; a flag too.
	want := []string{"const a = 7\nconst quick = true\nconst table = \"\"", "const a = 7\nconst b = 8"}
	if got := source(tasks); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	tasks, err = plan(dir, []string{"t-00-ONE"}, nil, reproduceOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if got := source(tasks)[0]; !strings.Contains(got, `table = "T-00-one"`) {
		t.Errorf("a table's name does not reach the notebook: %q", got)
	}
	for _, c := range []struct {
		names  []string
		values map[string]string
		want   string
	}{
		{[]string{"one", "two"}, map[string]string{"c": "1"}, "parameter c"},
		{[]string{"one"}, map[string]string{"b": "1"}, "it has a = 1"},
		{[]string{"one"}, map[string]string{"a": "x"}, "expected an integer"},
		{[]string{"onne"}, nil, `did you mean "one"?`},
	} {
		_, err := plan(dir, c.names, c.values, reproduceOptions{})
		if exitCode(err) != exitUsage || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q %v: error %v, want %q and a usage error", c.names, c.values, err, c.want)
		}
	}
}

// TestReproduce runs a notebook of its own through the whole command.
func TestReproduce(t *testing.T) {
	if testing.Short() {
		t.Skip("runs Jupyter")
	}
	dir, out := t.TempDir(), t.TempDir()
	writeNotebook(t, dir, "10-two", "const a = 1", `import "github.com/janpfeifer/gonb/gonbui"
import "github.com/janpfeifer/gonb/gonbui/protocol"

%%
gonbui.SendData(&protocol.DisplayData{Data: map[protocol.MIMEType]any{
	protocol.MIMETextHTML: "<table></table>", protocol.MIMETextPlain: fmt.Sprintf("a  half\n%d  %g", a, a/2.0),
}})
gonbui.Sync()`)
	path := filepath.Join(dir, "10-two.ipynb")
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	code, stdout, stderr := command(t, "reproduce", path, "-p", "a=5", "--out", out)
	if code != exitOK || !strings.Contains(stdout, "a  half\n5  2.5\n") {
		t.Fatalf("code %d, stdout %q, stderr %q", code, stdout, stderr)
	}
	if !strings.Contains(stderr, "[2/2]") {
		t.Errorf("no progress on stderr: %q", stderr)
	}
	for _, name := range []string{"10-two.ipynb", "10-two.html"} {
		if _, err := os.Stat(filepath.Join(out, name)); err != nil {
			t.Error(err)
		}
	}
	if after, err := os.ReadFile(path); err != nil || !bytes.Equal(before, after) {
		t.Errorf("the notebook itself changed: %v", err)
	}
	code, stdout, _ = command(t, "reproduce", path, "--json", "--out", out)
	var record struct {
		Kind   string
		Tables []string
	}
	if err := json.Unmarshal([]byte(stdout), &record); err != nil || code != exitOK || record.Kind != "notebook" || len(record.Tables) != 1 {
		t.Errorf("--json: code %d, %q: %v", code, stdout, err)
	}
	writeNotebook(t, dir, "10-two", "const a = 1", "%%\nvar s string = a")
	code, _, stderr = command(t, "reproduce", path, "--out", out)
	if code != exitCell || !strings.Contains(stderr, "10-two.ipynb: cell [2] of 2") || !strings.Contains(stderr, "cannot use") {
		t.Errorf("a cell with an error: code %d, stderr %q", code, stderr)
	}
}
