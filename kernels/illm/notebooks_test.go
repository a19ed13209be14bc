package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/illm-go/illm/kernels/illm/internal/notebook"
)

// notebooksDir is the folder of the repository's notebooks, seen from here.
const notebooksDir = "../../notebooks"

// TestNotebooksKeepTheTemplate: each notebook has a question on top, one parameters cell that a runner can set, the
// session in its third code cell at the latest, and a reading behind every chart or table.
func TestNotebooksKeepTheTemplate(t *testing.T) {
	shelf, err := notebook.Shelf(notebooksDir)
	if err != nil {
		t.Fatal(err)
	}
	times := regexp.MustCompile(`\.Describe\(|\.SideBySide\(|s\.Models\(|StudyNow\(|\.(Measured|Recorded)\(|bench\.(Studies|Peered|Products|Targets)\(`)
	draws := regexp.MustCompile(`chart\.(Line|Bar|Scatter)|\.Chart\(|\.Front\(`)
	names, seen := map[string]string{}, map[string]bool{}
	for _, e := range shelf {
		if other, twice := names[strings.ToLower(e.Name)]; twice {
			t.Errorf("the name %s stands for %s and %s", e.Name, other, e.Path)
		}
		names[strings.ToLower(e.Name)] = e.Path
		if seen[e.Path] {
			continue
		}
		seen[e.Path] = true
		t.Run(e.Name, func(t *testing.T) {
			n, err := notebook.Read(e.Path)
			if err != nil {
				t.Fatal(err)
			}
			if title := n.Cells[0]; title.Type != "markdown" || !strings.HasPrefix(title.Source, "# ") || !strings.Contains(title.Source, "**Time.**") {
				t.Errorf("first cell: expected a title with the time it takes, found %.60q", title.Source)
			}
			if list, err := n.Parameters(); err != nil || len(list) == 0 {
				t.Errorf("parameters: %v, %v", list, err)
			}
			code, read, drawn := 0, true, ""
			for _, c := range n.Cells {
				if c.Type == "markdown" {
					read = read || strings.Contains(c.Source, "**Reading the")
					continue
				}
				code++
				if code == 1 && !strings.HasPrefix(c.Source, "%noautoget") {
					t.Errorf("first code cell: expected %%noautoget before the parameters, found %.40q", c.Source)
				}
				if code == 2 && !strings.Contains(c.Source, "nb.Open()") {
					t.Errorf("second code cell: expected nb.Open, found %.60q", c.Source)
				}
				if draws.MatchString(c.Source) {
					if !read {
						t.Errorf("a chart is not followed by its reading: %.80q", drawn)
					}
					read, drawn = false, c.Source
				}
				if times.MatchString(c.Source) && !slices.Contains(c.Tags, notebook.TimingTag) {
					t.Errorf("a cell that shows times or the machine lacks the tag %q: %.60q", notebook.TimingTag, c.Source)
				}
				for _, bad := range []string{"/home/", "/tmp/", "/work/", "os/exec"} {
					if strings.Contains(c.Source, bad) {
						t.Errorf("%q in a cell: %.80q", bad, c.Source)
					}
				}
			}
			if !read {
				t.Errorf("a chart is not followed by its reading: %.80q", drawn)
			}
		})
	}
}

// TestNotebooksShipNoScripts: what is committed is readable where scripts do not run.
func TestNotebooksShipNoScripts(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(notebooksDir, "*.ipynb"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%d notebooks, %v", len(files), err)
	}
	for _, f := range files {
		raw, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(raw), "<script") {
			t.Errorf("%s holds scripts: illm reproduce --keep writes the form without", f)
		}
	}
}

// TestAblationsByLetter: the letters of the ablations stand for their notebooks, in either case.
func TestAblationsByLetter(t *testing.T) {
	for letter, file := range map[string]string{"B": "31-exponential.ipynb", "d": "32-nonlinear.ipynb", "A": "30-static.ipynb"} {
		if _, err := os.Stat(filepath.Join(notebooksDir, file)); err != nil {
			t.Logf("%s is not there yet", file)
			continue
		}
		e, err := notebook.Open(notebooksDir, letter)
		if err != nil || filepath.Base(e.Path) != file {
			t.Errorf("%s: %s, %v; want %s", letter, e.Path, err, file)
		}
	}
}
