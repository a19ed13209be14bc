package eval

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestMergeJournals: any order of the folders gives the same bytes, torn lines stay behind, and a disagreement is told.
func TestMergeJournals(t *testing.T) {
	lineOf := func(i int, nll float64) string { return fmt.Sprintf(`{"i":%d,"n":15,"nll":%g}`, i, nll) }
	folder := func(files map[string]string) string {
		dir := t.TempDir()
		for name, text := range files {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		return dir
	}
	a := folder(map[string]string{"x.jsonl": lineOf(3, 1.5) + "\n" + lineOf(0, 2) + "\n", "y.jsonl": lineOf(0, 7) + "\n" + lineOf(1, 8)[:9]})
	b := folder(map[string]string{"x.jsonl": lineOf(1, 4) + "\n" + lineOf(0, 2) + "\n"})
	c := folder(map[string]string{"y.jsonl": lineOf(2, 9) + "\n"})
	want := map[string]string{"x.jsonl": lineOf(0, 2) + "\n" + lineOf(1, 4) + "\n" + lineOf(3, 1.5) + "\n", "y.jsonl": lineOf(0, 7) + "\n" + lineOf(2, 9) + "\n"}
	for _, order := range [][]string{{a, b, c}, {c, b, a}, {b, a, c, a}} {
		dst := filepath.Join(t.TempDir(), "journal")
		added, err := MergeJournals(dst, order...)
		if err != nil || added != 5 {
			t.Fatalf("%d windows added, %v", added, err)
		}
		for name, text := range want {
			got, err := os.ReadFile(filepath.Join(dst, name))
			if err != nil || string(got) != text {
				t.Errorf("%s: %q, %v; want %q", name, got, err, text)
			}
		}
		if added, err = MergeJournals(dst, a); err != nil || added != 0 {
			t.Errorf("again: %d, %v", added, err)
		}
	}
	d := folder(map[string]string{"x.jsonl": lineOf(1, 4.5) + "\n"})
	if _, err := MergeJournals(t.TempDir(), a, b, d); err == nil || !strings.Contains(err.Error(), "window 000000001 differs") {
		t.Errorf("a disagreement: %v", err)
	}
	if _, err := MergeJournals(t.TempDir(), filepath.Join(d, "none", "journal")); err == nil {
		t.Error("a missing folder is no error")
	}
}

// TestMergeAnswers: questions of a model come together as windows do, and stay where nothing is merged.
func TestMergeAnswers(t *testing.T) {
	folder := func(text string) string {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "c.jsonl"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	q := func(name string, row int, ll float64) string {
		return fmt.Sprintf(`{"q":"%s","i":%d,"ll":[%g,-2]}`, name, row, ll)
	}
	a := folder("[" + q("aa", 7, -1) + "," + q("bb", 3, -1.5) + "]\n[" + q("cc", 12, -3) + "]\n[" + q("dd", 1, -3)) // the last is torn
	b := folder("[" + q("bb", 3, -1.5) + "," + q("dd", 10, -4) + "]\n{}\nnull\n")
	want := "[" + q("bb", 3, -1.5) + "]\n[" + q("aa", 7, -1) + "]\n[" + q("dd", 10, -4) + "]\n[" + q("cc", 12, -3) + "]\n"
	for _, order := range [][]string{{a, b}, {b, a}, {a, b, a}} {
		dst := filepath.Join(t.TempDir(), "journal")
		added, err := MergeJournals(dst, order...)
		got, _ := os.ReadFile(filepath.Join(dst, "c.jsonl"))
		if err != nil || added != 4 || string(got) != want {
			t.Errorf("%d added, %v: %s", added, err, got)
		}
		if added, err = MergeJournals(dst, a); err != nil || added != 0 {
			t.Errorf("again: %d, %v", added, err)
		}
	}
	if _, err := MergeJournals(t.TempDir(), a, folder("["+q("aa", 7, -9)+"]\n")); err == nil || !strings.Contains(err.Error(), "aa differs") {
		t.Errorf("a disagreement: %v", err)
	}
}

// TestMergeBackends: of what two backends have computed the program's own stays, in any order, and of two runs
// of one backend the same one.
func TestMergeBackends(t *testing.T) {
	folder := func(window, answer string) string {
		dir := t.TempDir()
		for name, text := range map[string]string{"w.jsonl": window, "c.jsonl": answer} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text+"\n"), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		return dir
	}
	own := folder(`{"i":0,"n":15,"nll":2}`, `[{"q":"ab","i":4,"ll":[-1,-2]}]`)
	one := folder(`{"i":0,"n":15,"nll":2.00001,"by":"a"}`, `[{"q":"ab","i":4,"ll":[-1.00001,-2],"by":"a"}]`)
	two := folder(`{"i":0,"n":15,"nll":2.00002,"by":"b"}`, `[{"q":"ab","i":4,"ll":[-1.00002,-2],"by":"b"}]`)
	read := func(dir, name string) string {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	for _, c := range []struct {
		order []string
		keeps string
	}{{[]string{own, one, two}, own}, {[]string{two, one, own}, own}, {[]string{two, one}, one}, {[]string{one, two}, one}} {
		dst := t.TempDir()
		if added, err := MergeJournals(dst, c.order...); err != nil || added != 2 {
			t.Fatalf("%d added, %v", added, err)
		}
		for _, name := range []string{"w.jsonl", "c.jsonl"} {
			if got, want := read(dst, name), read(c.keeps, name); got != want {
				t.Errorf("%s: %q stays, want %q", name, got, want)
			}
		}
	}
	// an accelerator may give other bits in another run
	again := folder(`{"i":0,"n":15,"nll":2.00003,"by":"a"}`, `[{"q":"ab","i":4,"ll":[-1.00003,-2],"by":"a"}]`)
	for _, order := range [][]string{{one, again, own}, {again, one, own}, {own, again, one}, {one, own, again}} {
		dst := t.TempDir()
		if _, err := MergeJournals(dst, order...); err != nil || read(dst, "w.jsonl") != read(own, "w.jsonl") || read(dst, "c.jsonl") != read(own, "c.jsonl") {
			t.Errorf("own code among two runs of a backend: %v", err)
		}
	}
	for _, order := range [][]string{{one, again}, {again, one}} {
		dst := t.TempDir()
		if _, err := MergeJournals(dst, order...); err != nil || read(dst, "w.jsonl") != read(one, "w.jsonl") {
			t.Errorf("two runs of a backend: %v", err)
		}
	}
}
