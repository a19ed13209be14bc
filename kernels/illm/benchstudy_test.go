package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/illm-go/illm/pkg/record"
)

func TestBenchStudy(t *testing.T) {
	m := newMeasured(t)
	args := []string{"bench", "--study", "scaling,context", "--model", m.model, "--runs", "1", "--prefill", "32", "--lengths", "16,32,64", "--samples", "1", "--threads", "2", "--records", m.records}
	code, stdout, stderr := command(t, args...)
	if code != exitOK {
		t.Fatalf("exit code %d: %s", code, stderr)
	}
	for _, want := range []string{"scaling", "threads", "context", "tokens", "goal"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("the report has no %q:\n%s", want, stdout)
		}
	}
	code, stdout, stderr = command(t, append(args, "--json")...)
	if code != exitOK {
		t.Fatalf("exit code %d: %s", code, stderr)
	}
	lines := strings.Split(strings.TrimSpace(stdout), "\n")
	for _, line := range lines {
		var r record.Record
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatalf("line %q is no record: %v", line, err)
		}
		if r.Kind != record.Timing || r.Axes["study"] == "" || len(r.Metrics) == 0 {
			t.Errorf("record of kind %q, axes %v, %d metrics", r.Kind, r.Axes, len(r.Metrics))
		}
	}
	if len(lines) != 2+3 {
		t.Errorf("%d records, want 2 of scaling and 3 of context", len(lines))
	}
}

func TestBenchStudyRefuses(t *testing.T) {
	m := newMeasured(t)
	for want, args := range map[string][]string{
		"expected all, operators":    {"--study", "operatorz"},
		"goes with --study":          {"--lengths", "5"},
		"--goals reads records":      {"--goals", "--study", "parts"},
		"--study or --peers":         {"--study", "parts", "--peers"},
		"does not go with --study":   {"--study", "parts", "--decode", "5"},
		"takes one recipe":           {"--study", "parts", "--recipe", "w8a8,w4a4"},
		"expected 1 to":              {"--study", "context", "--lengths", "0"},
		"expected a positive number": {"--study", "parts", "--samples", "-1"},
		"expected positive numbers":  {"--study", "parts", "--runs", "0"},
		"recipe \"w8\"":              {"--study", "parts", "--recipe", "w8"},
	} {
		code, _, stderr := command(t, append([]string{"bench", "--model", m.model}, args...)...)
		if code != exitUsage || !strings.Contains(stderr, want) {
			t.Errorf("%v: exit code %d, %q; want %d, %q", args, code, stderr, exitUsage, want)
		}
	}
}

// Every target has a line, and one without a record says so.
func TestBenchGoals(t *testing.T) {
	m := newMeasured(t)
	code, stdout, stderr := command(t, "bench", "--goals", "--model", m.model, "--records", m.records)
	if code != exitOK {
		t.Fatalf("exit code %d: %s", code, stderr)
	}
	for _, want := range []string{"llama.cpp Q8_0", "arithmetic peak", "no record", "TestDecodeAllocates"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("the table has no %q:\n%s", want, stdout)
		}
	}
	code, stdout, stderr = command(t, "bench", "--goals", "--json", "--model", m.model, "--records", m.records)
	if code != exitOK {
		t.Fatalf("exit code %d: %s", code, stderr)
	}
	for _, line := range strings.Split(strings.TrimSpace(stdout), "\n") {
		var target struct{ What string }
		if err := json.Unmarshal([]byte(line), &target); err != nil || target.What == "" {
			t.Errorf("line %q: %v", line, err)
		}
	}
}
