package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/illm-go/illm/pkg/model/modeltest"
	"github.com/illm-go/illm/pkg/record"
)

// measured runs the command line on a tiny model with folders of its own.
type measured struct {
	model, text, records string
}

func newMeasured(t *testing.T) measured {
	t.Helper()
	t.Setenv("ILLM_CACHE", t.TempDir())
	t.Setenv("ILLM_DATA", t.TempDir())
	t.Setenv("ILLM_RECORDS", t.TempDir())
	m := measured{model: modeltest.Tiny(t), text: filepath.Join(t.TempDir(), "text.jsonl"), records: t.TempDir()}
	line, err := json.Marshal(map[string]string{"text": strings.Repeat("shifts and adds. ", 20)})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(m.text, append(line, '\n'), 0o600); err != nil {
		t.Fatal(err)
	}
	return m
}

func TestEval(t *testing.T) {
	m := newMeasured(t)
	args := []string{"eval", "--model", m.model, "--recipe", "fp32,w8a8", "--corpus", m.text, "--window", "64", "--windows", "2", "--records", m.records, "--json"}
	code, stdout, stderr := command(t, args...)
	if code != exitOK {
		t.Fatalf("exit code %d: %s", code, stderr)
	}
	var recs []record.Record
	for _, line := range strings.Split(strings.TrimSpace(stdout), "\n") {
		var r record.Record
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatalf("line %q is no record: %v", line, err)
		}
		recs = append(recs, r)
	}
	if len(recs) != 2 || recs[0].Axes["recipe"] != "fp32" || recs[1].Axes["recipe"] != "w8a8" {
		t.Fatalf("records for %d recipes, want fp32 and w8a8", len(recs))
	}
	for _, name := range []string{"ppl", "ppl_word", "bits_per_byte", "kld_mean", "ln_ppl_ratio", "same_top"} {
		if _, ok := recs[1].Metric(name); !ok {
			t.Errorf("the record of w8a8 has no metric %s", name)
		}
	}
	if !strings.Contains(stderr, "window 0") {
		t.Errorf("no progress on stderr: %q", stderr)
	}
	if _, again, talk := command(t, args...); again != stdout || strings.Contains(talk, "window") {
		t.Errorf("a second run computed again: %s", talk)
	}
	if code, table, _ := command(t, args[:len(args)-1]...); code != exitOK || !strings.Contains(table, "kld_mean") || strings.Contains(table, "{") {
		t.Errorf("without --json: code %d, output %q", code, table)
	}
}

// One prompt, one hash; the artefact, the split and the number of threads do not matter.
func TestHashAndArtefact(t *testing.T) {
	m := newMeasured(t)
	path := filepath.Join(t.TempDir(), "tiny.illm")
	if code, out, stderr := command(t, "quantize", "-m", m.model, "-r", "w4a4", "-o", path); code != exitOK || !strings.Contains(out, path) {
		t.Fatalf("quantize: code %d, %s%s", code, out, stderr)
	}
	if code, _, stderr := command(t, "quantize", "-m", m.model, "-r", "w4a4", "-o", path); code != exitUsage || !strings.Contains(stderr, "--force") {
		t.Errorf("quantize over a file: code %d, %s", code, stderr)
	}
	if code, out, stderr := command(t, "verify", path); code != exitOK || !strings.Contains(out, "sound") {
		t.Errorf("verify: code %d, %s%s", code, out, stderr)
	}
	_, want, _ := command(t, "hash", "-m", m.model, "-r", "w4a4", "-p", "one prompt, one hash")
	if len(strings.TrimSpace(want)) != 64 {
		t.Fatalf("hash printed %q", want)
	}
	for _, extra := range [][]string{{"--threads", "1"}, {"--split", "1"}, {"--split", "7", "--threads", "3"}} {
		if _, got, stderr := command(t, append([]string{"hash", "-m", path, "-r", "w4a4", "-p", "one prompt, one hash"}, extra...)...); got != want {
			t.Errorf("%v: hash %s%s, want %s", extra, got, stderr, want)
		}
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	raw[2000] ^= 1
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	if code, _, stderr := command(t, "verify", path); code != exitMismatch || !strings.Contains(stderr, "quantize") {
		t.Errorf("verify of a damaged artefact: code %d, %s", code, stderr)
	}
}

func TestGenerate(t *testing.T) {
	m := newMeasured(t)
	args := []string{"generate", "-m", m.model, "-p", "abc", "-n", "5", "--json"}
	_, greedy, _ := command(t, args...)
	if _, again, _ := command(t, args...); greedy == "" || greedy != again {
		t.Errorf("greedy decoding gave %q, then %q", greedy, again)
	}
	sample := append(args, "--temperature", "1.5", "--seed", "3")
	_, a, _ := command(t, sample...)
	if _, b, _ := command(t, sample...); a != b {
		t.Errorf("one seed gave %q and %q", a, b)
	}
	differs := false
	for _, seed := range []string{"4", "5", "6"} {
		_, b, _ := command(t, append(args, "--temperature", "1.5", "--seed", seed)...)
		differs = differs || a != b
	}
	if !differs {
		t.Error("four seeds gave one text")
	}
	if code, out, stderr := command(t, append(args, "-r", "fp32")...); code != exitOK || !strings.Contains(out, "tokens") {
		t.Errorf("fp32: code %d, %s%s", code, out, stderr)
	}
}

func TestBench(t *testing.T) {
	m := newMeasured(t)
	code, out, stderr := command(t, "bench", "-m", m.model, "-r", "w8a8", "--prefill", "16", "--decode", "4", "--runs", "2", "--records", m.records, "--json")
	if code != exitOK {
		t.Fatalf("code %d: %s", code, stderr)
	}
	var r record.Record
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"prefill_tok_s", "decode_tok_s", "eval_tok_s", "weight_bytes", "kv_bytes"} {
		if v, ok := r.Metric(name); !ok || !(v.Value > 0) {
			t.Errorf("metric %s: %v", name, v.Value)
		}
	}
}

// What the user got wrong is said, with what would be right, and exits with 2.
func TestUsageOfMeasurements(t *testing.T) {
	m := newMeasured(t)
	for _, c := range []struct {
		want string
		args []string
	}{
		{`did you mean "w8a8"`, []string{"eval", "-m", m.model, "-r", "w8a9", "-c", m.text}},
		{"smollm2", []string{"eval", "-m", "smolm", "-c", m.text}},
		{"expected a positive decimal", []string{"eval", "-m", m.model, "-c", m.text, "--clip", "0"}},
		{"expected a positive decimal", []string{"generate", "-m", m.model, "-p", "x", "--clip", "NaN"}},
		{"mode", []string{"hash", "-m", m.model, "-p", "x", "--mode", "exact"}},
		{"prompt is empty", []string{"hash", "-m", m.model}},
		{"--out", []string{"quantize", "-m", m.model}},
		{"at least 1", []string{"generate", "-m", m.model, "-p", "x", "-n", "0"}},
		{"context", []string{"generate", "-m", m.model, "-p", "x", "-n", "9999"}},
		{"temperature", []string{"generate", "-m", m.model, "-p", "x", "--temperature", "hot"}},
		{"greedily", []string{"generate", "-m", m.model, "-p", "x", "-r", "fp32", "--temperature", "1"}},
		{"artefact", []string{"verify"}},
	} {
		if code, _, stderr := command(t, c.args...); code != exitUsage || !strings.Contains(stderr, c.want) {
			t.Errorf("illm %s: code %d, %q; want %d and %q", strings.Join(c.args, " "), code, stderr, exitUsage, c.want)
		}
	}
}
