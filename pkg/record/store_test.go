package record

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

// TestMain lets the test binary be a second process that appends records.
func TestMain(m *testing.M) {
	if dir := os.Getenv("RECORD_TEST_APPEND"); dir != "" {
		appendMany(dir, os.Getenv("RECORD_TEST_NAME"), os.Getenv("RECORD_TEST_COUNT"))
		return
	}
	os.Exit(m.Run())
}

func appendMany(dir, name, count string) {
	n, err := strconv.Atoi(count)
	if err != nil {
		panic(err)
	}
	s, err := Open(Options{Dir: dir})
	if err != nil {
		panic(err)
	}
	for i := range n {
		if err := s.Append(numbered(name, i)); err != nil {
			panic(err)
		}
		fmt.Println(i)
	}
}

// numbered is a record long enough that a write is not one disk sector.
func numbered(name string, i int) *Record {
	r := &Record{Kind: Quality, Config: map[string]any{"name": name, "i": i}, Metrics: []Metric{{Name: "ppl", Value: float64(i)}}}
	for w := range 40 {
		r.Windows = append(r.Windows, WindowStat{Index: w, N: 2047, NLL: math.Sqrt(float64(w + i)), KL: 1 / float64(w+3)})
	}
	return r
}

func open(t *testing.T, opt Options) *Store {
	t.Helper()
	s, err := Open(opt)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestStore appends, reads back in a new store, and lets the user's record win
// over the shipped one.
func TestStore(t *testing.T) {
	first := open(t, Options{Dir: filepath.Join(t.TempDir(), "not", "yet", "there")})
	a, b := numbered("a", 1), numbered("b", 2)
	for _, r := range []*Record{a, b} {
		if err := first.Append(r); err != nil {
			t.Fatal(err)
		}
	}
	if a.Key == "" || a.Key == b.Key || a.V != Version || a.Time.IsZero() {
		t.Errorf("Append left key %q, version %d, time %v", a.Key, a.V, a.Time)
	}
	line, err := os.ReadFile(filepath.Join(first.Dir(), "results.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	shipped := fstest.MapFS{"a.jsonl": {Data: line}, "notes.txt": {Data: []byte("no record")}}

	dir := t.TempDir()
	s := open(t, Options{Shipped: shipped, Dir: dir, File: "mine.jsonl"})
	if r, ok := s.Find(a.Key); !ok || !r.Shipped {
		t.Fatalf("find a: %+v %v, expected the shipped record", r, ok)
	}
	mine := numbered("a", 1)
	mine.Metrics[0].Value = 77
	if err := s.Append(mine); err != nil {
		t.Fatal(err)
	}
	for name, s := range map[string]*Store{"the same store": s, "a new one": open(t, Options{Shipped: shipped, Dir: dir})} {
		if r, ok := s.Find(a.Key); !ok || r.Shipped || r.Metrics[0].Value != 77 {
			t.Errorf("%s: find a: %+v %v, expected the user's record", name, r, ok)
		}
		if r, ok := s.FindShipped(a.Key); !ok || r.Metrics[0].Value != 1 {
			t.Errorf("%s: find shipped a: %+v %v, expected the shipped record", name, r, ok)
		}
		if _, ok := s.Find("no key"); ok {
			t.Errorf("%s: found a key that is not there", name)
		}
		all := func(*Record) bool { return true }
		if n := len(s.Filter(all)); n != 3 {
			t.Errorf("%s: %d records, expected 3", name, n)
		}
		if got := s.Latest(all); len(got) != 2 || got[0].Key == got[1].Key || got[0].Key > got[1].Key {
			t.Errorf("%s: latest gives %d records, expected 2 in order", name, len(got))
		}
		if w := s.Warnings(); len(w) != 0 {
			t.Errorf("%s: warnings %q, expected none", name, w)
		}
	}
}

// TestTorn cuts the file at every byte of its last line.
func TestTorn(t *testing.T) {
	dir := t.TempDir()
	s := open(t, Options{Dir: dir})
	var ends []int
	file := filepath.Join(dir, "results.jsonl")
	for i := range 2 {
		if err := s.Append(&Record{Kind: Quality, Config: map[string]any{"i": i}, Metrics: []Metric{{Name: "ppl"}}}); err != nil {
			t.Fatal(err)
		}
		st, err := os.Stat(file)
		if err != nil {
			t.Fatal(err)
		}
		ends = append(ends, int(st.Size()))
	}
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for cut := ends[0] + 1; cut < ends[1]; cut++ {
		if err := os.WriteFile(file, whole[:cut], 0o666); err != nil {
			t.Fatal(err)
		}
		s := open(t, Options{Dir: dir})
		n, w := len(s.Filter(func(*Record) bool { return true })), s.Warnings()
		// Without its newline alone, the line is whole JSON: it counts.
		if cut == ends[1]-1 {
			if n != 2 || len(w) != 0 {
				t.Errorf("cut at %d: %d records, warnings %q, expected 2 and none", cut, n, w)
			}
		} else if n != 1 || len(w) != 1 || !strings.Contains(w[0], "line 2: cut off in the middle of a write") {
			t.Errorf("cut at %d: %d records, warnings %q, expected 1 and one", cut, n, w)
		}
		if err := s.Append(numbered("after", 1)); err != nil {
			t.Fatal(err)
		}
		s = open(t, Options{Dir: dir})
		if got := len(s.Filter(func(*Record) bool { return true })); got != n+1 {
			t.Fatalf("cut at %d: %d records after one more, expected %d", cut, got, n+1)
		}
	}
}

// TestForeignLines leaves out what is not a record of this version, with reasons.
func TestForeignLines(t *testing.T) {
	dir := t.TempDir()
	text := "\n{\"v\":2,\"kind\":\"quality\",\"key\":\"k\"}\nnonsense\n{\"v\":1}\n" + strings.Repeat("[", 100_000) + "\n{\"v\":1,\"kind\":\"quality\",\"key\":\"k\",\"metrics\":[]}\n"
	if err := os.WriteFile(filepath.Join(dir, "x.jsonl"), []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	s := open(t, Options{Dir: dir})
	if _, ok := s.Find("k"); !ok {
		t.Error("the one good line was not found")
	}
	want := []string{"line 2: not a record: expected format version 1, found 2", "line 3: not a record", "line 4: not a record: expected a kind", "line 5: not a record"}
	got := s.Warnings()
	if len(got) != len(want) {
		t.Fatalf("warnings %q, expected %d", got, len(want))
	}
	for i := range want {
		if !strings.Contains(got[i], want[i]) {
			t.Errorf("warning %q, expected %q in it", got[i], want[i])
		}
	}
}

// TestProcesses lets three processes append at once.
func TestProcesses(t *testing.T) {
	dir := t.TempDir()
	const each = 40
	var cmds []*exec.Cmd
	for _, name := range []string{"a", "b", "c"} {
		c := helper(dir, name, each)
		c.Stderr = os.Stderr
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		cmds = append(cmds, c)
	}
	for _, c := range cmds {
		if err := c.Wait(); err != nil {
			t.Fatal(err)
		}
	}
	s := open(t, Options{Dir: dir})
	if n := len(s.Latest(func(*Record) bool { return true })); n != 3*each || len(s.Warnings()) != 0 {
		t.Errorf("%d records, warnings %q, expected %d and none", n, s.Warnings(), 3*each)
	}
}

// TestKilled kills a process that appends: what it reported as written must be
// there, and the file must take more.
func TestKilled(t *testing.T) {
	dir := t.TempDir()
	c := helper(dir, "k", 1_000_000)
	var out bytes.Buffer
	c.Stdout = &out
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(300 * time.Millisecond)
	if err := c.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = c.Wait()
	reported := strings.Count(out.String(), "\n")
	s := open(t, Options{Dir: dir})
	n := len(s.Filter(func(*Record) bool { return true }))
	if n < reported || n > reported+1 || len(s.Warnings()) > 1 {
		t.Errorf("%d records, %q, after %d were reported", n, s.Warnings(), reported)
	}
	if reported == 0 {
		t.Skip("killed before the first record")
	}
	if err := s.Append(numbered("after", 0)); err != nil {
		t.Error(err)
	}
}

func helper(dir, name string, count int) *exec.Cmd {
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), "RECORD_TEST_APPEND="+dir, "RECORD_TEST_NAME="+name, fmt.Sprint("RECORD_TEST_COUNT=", count))
	return c
}

// TestUnwritable asks for an error with a cure: the folder cannot be made,
// because a file has its name.
func TestUnwritable(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	err := AppendLine(filepath.Join(file, "records", "x.jsonl"), []byte("{}"))
	if err == nil || !strings.Contains(err.Error(), "ILLM_RECORDS") {
		t.Errorf("%v, expected an error that names ILLM_RECORDS", err)
	}
	if err := AppendLine(filepath.Join(t.TempDir(), "x"), []byte("a\nb")); err == nil {
		t.Error("a line with a newline in it: expected an error, found none")
	}
	s := open(t, Options{Dir: t.TempDir()})
	if err := s.Append(&Record{Kind: Quality}); err == nil || !strings.Contains(err.Error(), "at least one metric") {
		t.Errorf("no metrics: %v, expected an error", err)
	}
}

// TestFull: a full disk is an error that says what to do.
func TestFull(t *testing.T) {
	const full = "/dev/full" // every write to it fails as on a full disk
	if _, err := os.Stat(full); err != nil {
		t.Skip("no " + full)
	}
	path := filepath.Join(t.TempDir(), "results.jsonl")
	if err := os.Symlink(full, path); err != nil {
		t.Fatal(err)
	}
	if err := AppendLine(path, []byte("{}")); err == nil || !strings.Contains(err.Error(), "make room, or choose another folder") {
		t.Errorf("error %v", err)
	}
}

func TestDefaultDir(t *testing.T) {
	t.Setenv("ILLM_RECORDS", "")
	t.Setenv("XDG_DATA_HOME", filepath.Join(t.TempDir(), "data"))
	dir, err := DefaultDir()
	if want := filepath.Join(os.Getenv("XDG_DATA_HOME"), "illm", "records"); err != nil || dir != want {
		t.Errorf("%s %v, expected %s", dir, err, want)
	}
	t.Setenv("ILLM_RECORDS", "mine")
	if dir, err := DefaultDir(); err != nil || dir != "mine" {
		t.Errorf("%s %v, expected ILLM_RECORDS", dir, err)
	}
}

func TestEnvironment(t *testing.T) {
	e := Environment()
	if e.CPU == "" || e.Cores < 1 || !strings.HasPrefix(e.Go, "go") && !strings.HasPrefix(e.Go, "devel") || e.OS == "" || e.Arch == "" {
		t.Errorf("%+v, expected every field", e)
	}
}
