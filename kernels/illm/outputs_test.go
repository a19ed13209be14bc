package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/illm-go/illm/kernels/illm/internal/notebook"
)

func TestVerifyOutputs(t *testing.T) {
	one, two := t.TempDir(), t.TempDir()
	writeNotebook(t, one, "00-a", "const a = 1", "a")
	writeNotebook(t, two, "00-a", "const a = 1", "a")
	if code, stdout, stderr := command(t, "verify", "outputs", one, two); code != exitOK || !strings.Contains(stdout, "00-a.ipynb: 2 cells, 0 differences") {
		t.Errorf("equal notebooks: code %d, %q, %q", code, stdout, stderr)
	}
	writeNotebook(t, two, "00-a", "const a = 2", "a")
	file := filepath.Join(one, "00-a.ipynb")
	if code, stdout, _ := command(t, "verify", "outputs", file, filepath.Join(two, "00-a.ipynb")); code != exitMismatch || !strings.Contains(stdout, "other code") {
		t.Errorf("other notebooks: code %d, %q", code, stdout)
	}
	for _, args := range [][]string{{one}, {one, filepath.Join(one, "nothere")}, {one, t.TempDir()}} {
		if code, _, stderr := command(t, append([]string{"verify", "outputs"}, args...)...); code != exitUsage {
			t.Errorf("%q: code %d, want %d: %s", args, code, exitUsage, stderr)
		}
	}
}

// copyTree copies the files that git tracks or would track, as they are now.
func copyTree(t *testing.T, root, to string) {
	t.Helper()
	list := exec.Command("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	list.Dir = root
	raw, err := list.Output()
	if err != nil {
		t.Skipf("two clones were not compared: git does not list the files: %v", err)
	}
	for name := range bytes.SplitSeq(bytes.TrimRight(raw, "\x00"), []byte{0}) {
		path := filepath.Join(to, string(name))
		data, err := os.ReadFile(filepath.Join(root, string(name)))
		if os.IsNotExist(err) {
			continue // deleted since
		}
		if err == nil {
			err = os.MkdirAll(filepath.Dir(path), 0o755)
		}
		if err == nil {
			err = os.WriteFile(path, data, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// builtOnce makes the copies that copyTree writes share what Go has built of them: without -trimpath a package is built
// anew for each folder it lies in.
func builtOnce(t *testing.T) {
	t.Setenv("GOFLAGS", strings.TrimSpace(os.Getenv("GOFLAGS")+" -trimpath"))
}

// tableAlone writes a notebook of one cell, that of one of the clone's which shows a table behind what sets it up, and returns its
// path: each cell is a program that is built.
func tableAlone(t *testing.T, file, name, shows string) string {
	t.Helper()
	n, err := notebook.Read(filepath.Join(notebooksDir, file))
	if err != nil {
		t.Fatal(err)
	}
	all := n.Executable()
	at := slices.IndexFunc(all, func(c *notebook.Cell) bool { return strings.Contains(c.Source, shows) })
	if at < 2 {
		t.Fatalf("%s: no cell has %q", file, shows)
	}
	magic, parameters, ok := strings.Cut(all[0].Source, "\n")
	setup, _, runs := strings.Cut(all[1].Source, "\n%%\n")
	if !ok || !runs || !strings.HasPrefix(setup, "import (") {
		t.Fatalf("%s: the cells of parameters and imports have changed", file)
	}
	cell := *all[at]
	cell.Source = strings.Join([]string{magic, setup, parameters, cell.Source}, "\n")
	n.Cells = []*notebook.Cell{&cell}
	data, err := n.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), name+".ipynb")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestTwoClonesShowTheSame runs a notebook, and the cells of tables T1, A, B and D, in this clone and, with another number of threads and older instructions, in
// another at another path, with its own records and nothing in its cache but the installation: all that is not tagged as timing is byte for byte
// the same.
func TestTwoClonesShowTheSame(t *testing.T) {
	if testing.Short() {
		t.Skip("runs Jupyter twice")
	}
	here, err := (&app{}).dirs()
	if err != nil {
		t.Fatal(err)
	}
	clone, cache := t.TempDir(), t.TempDir()
	copyTree(t, here.Root, clone)
	outs := []string{t.TempDir(), t.TempDir()}
	tables := []string{tableAlone(t, "90-tables.ipynb", "90-T1", ".T1()"), tableAlone(t, "30-static.ipynb", "30-A", "ablation.StaticTable"),
		tableAlone(t, "31-exponential.ipynb", "31-B", "ablation.ExpTable"), tableAlone(t, "32-nonlinear.ipynb", "32-D", "ablation.NonLinearTable")}
	run := func(out string) {
		t.Helper()
		t.Setenv("ILLM_RECORDS", t.TempDir())
		if code, _, stderr := command(t, "reproduce", "clip", "--quick", "--out", out); code != exitOK {
			t.Fatalf("code %d: %s", code, stderr)
		}
		if code, _, stderr := command(t, append([]string{"reproduce", "--quick", "--out", out}, tables...)...); code != exitOK && code != exitMissing { // rows without a record are named
			t.Fatalf("tables: code %d: %s", code, stderr)
		}
	}
	run(outs[0])
	for _, part := range []string{"python", "tools", "smollm2"} { // the installation, and a model that both have or lack
		if from := filepath.Join(here.Cache, part); exists(from) {
			if err := os.Symlink(from, filepath.Join(cache, part)); err != nil {
				t.Fatal(err)
			}
		}
	}
	t.Chdir(clone)
	builtOnce(t)
	t.Setenv("ILLM_CACHE", cache)
	t.Setenv("GOMAXPROCS", "3")
	t.Setenv("ILLM_SIMD", "avx2") // as on a machine that has no more
	run(outs[1])

	code, stdout, stderr := command(t, "verify", "outputs", outs[0], outs[1])
	if code != exitOK {
		t.Errorf("code %d: %s%s", code, stdout, stderr)
	}
	for _, name := range []string{"90-T1", "30-A", "31-B", "32-D"} {
		n, err := notebook.Read(filepath.Join(outs[1], name+".ipynb"))
		if err != nil {
			t.Fatal(err)
		}
		if last := n.Cells[len(n.Cells)-1]; strings.Contains(strings.Join(last.Tags, " "), notebook.TimingTag) || len(last.Outputs) == 0 {
			t.Errorf("%s: the table has %d outputs under tags %v: nothing was compared", name, len(last.Outputs), last.Tags)
		}
	}
	n, err := notebook.Read(filepath.Join(outs[1], "10-clip.ipynb"))
	if err != nil {
		t.Fatal(err)
	}
	compared := 0
	for _, c := range n.Executable() {
		if !strings.Contains(strings.Join(c.Tags, " "), notebook.TimingTag) && len(c.Outputs) > 0 {
			compared++
		}
	}
	if compared < 5 {
		t.Errorf("%d cells were compared, want at least those of records, scores, the live check and the slider", compared)
	}
}
