package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/illm-go/illm/kernels/illm/internal/notebook"
	"github.com/illm-go/illm/pkg/nb"
)

// The exit code of a run: rows that nothing answers count; a model beside its record counts if it was asked for.
func TestHolesAndExitCodes(t *testing.T) {
	rows := nb.Hole{What: "study methods, tiny-opt", Model: "tiny-opt", Rows: 3, Why: "no record", Cure: "illm study run methods --model tiny-opt"}
	beside := nb.Hole{What: "smollm2, computed here", Model: "smollm2", Why: "not in the cache", Beside: true}
	for _, test := range []struct {
		name  string
		list  []notebookHoles
		asked string
		code  int
		out   string
		err   string
	}{
		{"none", []notebookHoles{{"start", nil}}, "", exitOK, "", ""},
		{"beside", []notebookHoles{{"start", []nb.Hole{beside}}}, "", exitOK, "start: left out, its record stands: smollm2, computed here: not in the cache\n", ""},
		{"asked for", []notebookHoles{{"start", []nb.Hole{beside}}}, "smollm2", exitMissing, "start: missing: smollm2", "parts of start have no numbers (1): smollm2"},
		{"rows", []notebookHoles{{"start", []nb.Hole{beside}}, {"T1", []nb.Hole{rows}}}, "", exitMissing,
			"T1: missing: study methods, tiny-opt: 3 rows: no record (illm study run methods --model tiny-opt)\n", "parts of T1 have no numbers (1): study methods, tiny-opt"},
	} {
		var out bytes.Buffer
		a := &app{stdout: &out, stderr: &out}
		err := a.tellHoles(test.list, func(m string) bool { return m == test.asked })
		if code := exitCode(err); code != test.code || !strings.Contains(out.String(), test.out) || err != nil && !strings.Contains(err.Error(), test.err) {
			t.Errorf("%s: code %d, want %d: %q, %v", test.name, code, test.code, out.String(), err)
		}
	}
}

// A notebook without its model runs to its end, names the hole and exits with its own code.
func TestReproduceWithHoles(t *testing.T) {
	if testing.Short() {
		t.Skip("runs Jupyter")
	}
	dir, out := t.TempDir(), t.TempDir()
	writeNotebook(t, dir, "10-holes", "%noautoget\nconst model = \"nothere\"", `import "github.com/illm-go/illm/pkg/hub"
import "github.com/illm-go/illm/pkg/nb"

%%
nb.Show("before\nthe hole")
nb.Check(fmt.Errorf("model %q: %w", model, hub.ErrUnavailable))
nb.Show("never\nshown")`)
	code, stdout, stderr := command(t, "reproduce", filepath.Join(dir, "10-holes.ipynb"), "--out", out)
	if code != exitMissing || !strings.Contains(stdout, "before\nthe hole") || strings.Contains(stdout, "never") ||
		!strings.Contains(stdout, `holes: missing: a cell: model "nothere"`) {
		t.Errorf("code %d, want %d:\n%s%s", code, exitMissing, stdout, stderr)
	}
	page, err := os.ReadFile(filepath.Join(out, "10-holes.html"))
	if err != nil || !strings.Contains(string(page), "Missing: model") {
		t.Errorf("the page does not name the hole (%v)", err)
	}
}

// A parameter that no study would take is refused before anything runs, and what is no setting of a study is left alone.
func TestParametersOfStudies(t *testing.T) {
	for _, test := range []struct {
		notebook, name, value string
		refused               string // "": taken
	}{
		{"clip", "clip", "-4", "expected a positive decimal"},
		{"clip", "clip", "0.25", "expected 1 or more"},
		{"clip", "clip", "12.5", ""},
		{"static", "window", "1", "setting window"},
		{"static", "width", "w8a8,w3x", "axis"},
		{"static", "width", "w8a8, w4a4", ""},
		{"nonlinear", "widths", "w6a6", ""},
		{"exponential", "score", "1", "axis score"},
		{"nonlinear", "windows", "-1", "setting windows"},
		{"efficiency", "first", "tiny-opt", ""}, // a model; studies have a number of that name
	} {
		_, err := plan(notebooksDir, []string{test.notebook}, map[string]string{test.name: test.value}, reproduceOptions{})
		if test.refused == "" && err != nil || test.refused != "" && (err == nil || exitCode(err) != exitUsage || !strings.Contains(err.Error(), test.refused)) {
			t.Errorf("%s -p %s=%s: %v, want %q", test.notebook, test.name, test.value, err, test.refused)
		}
	}
}

// Every table of the paper and every ablation goes by its name, and a table's own cells are tagged with it.
func TestTablesByName(t *testing.T) {
	for _, table := range []string{"T1", "T2", "T3", "T4", "T5", "T6", "A", "B", "D"} {
		e, err := notebook.Open(notebooksDir, table)
		if err != nil {
			t.Error(err)
			continue
		}
		whole, err := notebook.Read(e.Path)
		if err != nil {
			t.Fatal(err)
		}
		cut, _ := notebook.Read(e.Path)
		cut.KeepTable(e.Table)
		if e.Table == "" {
			t.Errorf("%s is a notebook's name", table)
		}
		if digit := len(table) > 1; digit != (filepath.Base(e.Path) == "90-tables.ipynb") {
			t.Errorf("%s opens %s; the paper's numbered tables are the cells of 90-tables, the ablations notebooks of their own", table, filepath.Base(e.Path))
		}
		if len(cut.Executable()) < 3 || filepath.Base(e.Path) == "90-tables.ipynb" && len(cut.Executable()) >= len(whole.Executable()) {
			t.Errorf("%s keeps %d of %d cells", table, len(cut.Executable()), len(whole.Executable()))
		}
	}
}
