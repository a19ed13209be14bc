//go:build unix

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/illm-go/illm/pkg/bench"
	"github.com/illm-go/illm/pkg/record"
)

// TestMain is the command itself where the tests start this program once more.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == "bench" && os.Args[2] == "--peers-memory" {
		a := &app{stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr}
		os.Exit(a.main(context.Background(), os.Args[1:]))
	}
	os.Exit(m.Run())
}

// answers is a rival in shell: it greets, then answers every request; a request for FAKE_HANG rows is never answered.
const answers = `printf '{"ready": true, "version": "0.1"}\n'
i=0
while read -r line; do
	i=$((i + 1))
	case "$line" in *"\"m\":$FAKE_HANG,"*) sleep 600;; esac
	printf '{"id": %d, "seconds": 0.5}\n' $i
done`

// fakePeers puts a Python on the PATH whose environments install what pip (a shell script that sees its arguments in $*)
// lets through, and whose rivals are those above.
func fakePeers(t *testing.T, pip string) measured {
	t.Helper()
	m := newMeasured(t)
	dir := t.TempDir()
	inner := filepath.Join(dir, "inner")
	for path, script := range map[string]string{
		inner: "case \"$1\" in -u) " + answers + "; exit;; -c) exit 0;; esac\n" + pip,
		filepath.Join(dir, "python3"): `case "$*" in
*"print('%d.%d'"*) echo 3.12;;
*"-m venv"*) mkdir -p "$3/bin" "$3/lib"; cp '` + inner + `' "$3/bin/python";;
*) echo 3 12;;
esac`,
	} {
		if err := os.WriteFile(path, []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
	t.Setenv("ILLM_PYTHON", "")
	t.Setenv("FAKE_HANG", "none")
	return m
}

// The rivals that can be had are measured beside us and filed, the others are named with the reason.
func TestBenchPeers(t *testing.T) {
	m := fakePeers(t, `case "$*" in *requirements-onednn*) echo "ERROR: No matching distribution found for onednn" >&2; exit 1;; esac`)
	args := []string{"bench", "--peers", "mkl", "onednn", "openblas", "--rows", "1", "--shapes", "smollm2 k", "--runs", "2", "--threads", "2", "--records", m.records}
	code, out, stderr := command(t, args...)
	if code != exitOK {
		t.Fatalf("code %d: %s", code, stderr)
	}
	for _, want := range []string{"mkl 0.1", "illm int8", "illm int4", "illm float32", "read bandwidth", "× [", "goals", "by the best of mkl, onednn and openblas", "onednn: install onednn: no such package for this platform"} {
		if !strings.Contains(out, want) {
			t.Errorf("the table does not say %q:\n%s", want, out)
		}
	}
	for _, want := range []string{"installing mkl", "onednn is missing", "1/2  gemm", "2/2  sgemm", "illm: missing: onednn"} {
		if !strings.Contains(stderr, want) {
			t.Errorf("stderr does not say %q:\n%s", want, stderr)
		}
	}
	code, out, stderr = command(t, append(args, "--cases", "sgemm", "--json")...)
	if code != exitOK {
		t.Fatalf("code %d: %s", code, stderr)
	}
	subjects := map[string]*record.Record{}
	for _, line := range strings.Split(strings.TrimSpace(out), "\n") {
		r := new(record.Record)
		if err := json.Unmarshal([]byte(line), r); err != nil {
			t.Fatalf("line %q is no record: %v", line, err)
		}
		if old := subjects[r.Axes["subject"]]; old == nil || len(r.Metrics) > len(old.Metrics) { // the better form has the ratios
			subjects[r.Axes["subject"]] = r
		}
	}
	r := subjects["mkl"]
	if r == nil || subjects["illm float32"] == nil || subjects["illm int8"] != nil || subjects["onednn"] != nil {
		t.Fatalf("records of %d subjects", len(subjects))
	}
	if ratio, ok := r.Metric("ratio_illm float32"); r.Kind != record.Timing || r.Config["version"] != "0.1" || r.Env.Threads != 2 || r.Env.CPU == "" || !ok || !(ratio.Value > 1) {
		t.Errorf("record %+v", r)
	}
	if _, ok := r.Metric("busy_others"); !ok && exists("/proc/stat") {
		t.Error("the record does not say how busy the machine was")
	}
}

// A model that is no GGUF file leaves the matrix products, and that is said.
func TestBenchPeersModel(t *testing.T) {
	m := fakePeers(t, "")
	code, out, stderr := command(t, "bench", "--peers", "-m", m.model, "--rows", "1", "--shapes", "smollm2 k", "--runs", "1", "--records", m.records)
	if code != exitOK || strings.Contains(stderr, "llama.cpp is missing") || strings.Contains(out, "prefill") {
		t.Fatalf("code %d: %s%s", code, out, stderr)
	}
	if !strings.Contains(out, "is no GGUF file") || !strings.Contains(stderr, "matrix products only") {
		t.Errorf("nobody says why llama.cpp is not there: %s%s", out, stderr)
	}
}

func TestBenchPeersNone(t *testing.T) {
	m := fakePeers(t, "echo no network >&2; exit 1")
	args := []string{"bench", "--peers", "mkl", "onednn", "--rows", "1", "--shapes", "smollm2 k", "--records", m.records}
	if code, _, stderr := command(t, args...); code != exitSetup || !strings.Contains(stderr, "no rival could be run") {
		t.Errorf("code %d, %s; want %d", code, stderr, exitSetup)
	}
	m = fakePeers(t, `case "$*" in *requirements-base*) ;; *) echo "Connection refused" >&2; exit 1;; esac`)
	args[len(args)-1] = m.records
	if code, _, stderr := command(t, args...); code != exitSetup || !strings.Contains(stderr, "mkl: install mkl: no network") || !strings.Contains(stderr, "onednn: install onednn: no network") {
		t.Errorf("code %d, %s; want %d and both named", code, stderr, exitSetup)
	}
	t.Setenv("PATH", t.TempDir())
	if code, _, stderr := command(t, args...); code != exitSetup || !strings.Contains(stderr, "find Python") {
		t.Errorf("without Python: code %d, %s; want %d", code, stderr, exitSetup)
	}
}

// An interrupt ends a rival that does not answer, and files nothing.
func TestBenchPeersInterrupted(t *testing.T) {
	m := fakePeers(t, "")
	t.Setenv("FAKE_HANG", "3")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var out bytes.Buffer
	talk := &watched{want: "2/2", found: func() { time.AfterFunc(500*time.Millisecond, cancel) }}
	a := &app{stdin: strings.NewReader(""), stdout: &out, stderr: talk}
	start := time.Now()
	code := a.main(ctx, []string{"bench", "--peers", "openblas", "--rows", "1,3", "--shapes", "smollm2 k", "--runs", "1", "--records", m.records})
	if code != exitInterrupted || time.Since(start) > 30*time.Second {
		t.Errorf("code %d after %v, want %d: %s", code, time.Since(start), exitInterrupted, talk.text.String())
	}
	if !strings.Contains(out.String(), "sgemm 1×") {
		t.Errorf("what was measured is not shown: %s", &out)
	}
	if list, _ := filepath.Glob(filepath.Join(m.records, "*.jsonl")); len(list) > 0 {
		t.Errorf("records were filed: %v", list)
	}
}

// watched calls found when want is written.
type watched struct {
	text  bytes.Buffer
	want  string
	found func()
}

func (w *watched) Write(p []byte) (int, error) {
	if w.want != "" && bytes.Contains(p, []byte(w.want)) {
		w.want = ""
		w.found()
	}
	return w.text.Write(p)
}

// A fresh process tells its largest resident set.
func TestFreshMemory(t *testing.T) {
	if !exists("/proc/self/status") {
		t.Skip("this system does not tell")
	}
	m := newMeasured(t)
	a := &app{}
	n, err := a.freshMemory(t.Context(), bench.Loaded{Path: m.model, Recipe: "w8a8", Threads: 1}, []int32{1, 2, 3})
	if err != nil || n < 1<<20 || n > 1<<30 {
		t.Errorf("%d bytes, %v", n, err)
	}
	if _, err := a.freshMemory(t.Context(), bench.Loaded{Path: "no-such-model", Recipe: "w8a8"}, []int32{1}); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("a model that is not there: %v", err)
	}
}

func TestUsageOfPeers(t *testing.T) {
	m := fakePeers(t, "exit 1")
	for _, c := range []struct {
		want string
		args []string
	}{
		{`rival "lama.cpp": expected all, llama.cpp`, []string{"--peers", "lama.cpp"}},
		{`rival "tvm"`, []string{"--peers=tvm"}},
		{"takes no arguments", []string{"mkl"}},
		{"--gemm goes with --peers", []string{"--gemm"}},
		{"--rows goes with --peers", []string{"--rows", "4"}},
		{"--prefill does not go with --peers", []string{"--peers", "--prefill", "64"}},
		{"--gemm or --cases", []string{"--peers", "--gemm", "--cases", "first"}},
		{`case "train"`, []string{"--peers", "--cases", "train"}},
		{"--rows 0", []string{"--peers", "--rows", "0"}},
		{"smollm2 down", []string{"--peers", "--shapes", "gpt"}},
		{"expected at least 1", []string{"--peers", "--runs", "0"}},
		{`did you mean "w8a8"`, []string{"--peers", "--recipe", "w8a9"}},
		{"smollm2", []string{"--peers", "--model", "smolm"}},
		{"nothing to measure with llama.cpp", []string{"--peers", "llama.cpp", "--model", m.model}},
		{"nothing to measure with llama.cpp", []string{"--peers", "llama.cpp", "--gemm"}},
		{"nothing to measure with mkl", []string{"--peers", "mkl", "--cases", "prefill,decode"}},
	} {
		if code, _, stderr := command(t, append([]string{"bench"}, c.args...)...); code != exitUsage || !strings.Contains(stderr, c.want) {
			t.Errorf("illm bench %s: code %d, %q; want %d and %q", strings.Join(c.args, " "), code, stderr, exitUsage, c.want)
		}
	}
}
