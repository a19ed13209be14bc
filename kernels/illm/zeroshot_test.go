package main

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/illm-go/illm/pkg/record"
)

// TestZeroShot scores a random model on a few items, twice: the second time the records answer.
func TestZeroShot(t *testing.T) {
	data := os.Getenv("ILLM_DATA")
	if data == "" {
		t.Skip("set ILLM_DATA to the folder of evaluation data")
	}
	m := newMeasured(t)
	t.Setenv("ILLM_DATA", data)
	args := []string{"eval", "--model", m.model, "--recipe", "fp32,w8a8", "--tasks", "piqa,winogrande", "--items", "3", "--records", m.records}
	code, stdout, stderr := command(t, append(args, "--json")...)
	if code != exitOK {
		t.Fatalf("exit code %d: %s", code, stderr)
	}
	lines := strings.Split(strings.TrimSpace(stdout), "\n")
	if len(lines) != 2 {
		t.Fatalf("%d records, expected one a recipe", len(lines))
	}
	for i, recipe := range []string{"fp32", "w8a8"} {
		var r record.Record
		if err := json.Unmarshal([]byte(lines[i]), &r); err != nil {
			t.Fatalf("line %q is no record: %v", lines[i], err)
		}
		if r.Kind != record.Quality || r.Axes["recipe"] != recipe {
			t.Errorf("record %d: kind %s, axes %v", i, r.Kind, r.Axes)
		}
		for name, want := range map[string]bool{"acc_piqa": true, "acc_norm_piqa": true, "acc_winogrande": true, "acc_norm_winogrande": false,
			"acc_diff_piqa": recipe == "w8a8", "zero_shot_mean": false} {
			if metric, ok := r.Metric(name); ok != want || ok && metric.N != 3 {
				t.Errorf("%s: metric %s: %v, %+v", recipe, name, ok, metric)
			}
		}
	}
	if !strings.Contains(stderr, "w8a8, piqa: 3/3") {
		t.Errorf("no progress on stderr: %q", stderr)
	}
	if _, again, talk := command(t, append(args, "--json")...); again != stdout || strings.Contains(talk, "piqa") {
		t.Errorf("a second run computed again: %s", talk)
	}

	// The float simulation answers for itself: neither's record is the other's.
	code, stdout, stderr = command(t, append(args, "--json", "--arithmetic", "simulated")...)
	var simulated, integer record.Record
	if code != exitOK || !strings.Contains(stderr, "w8a8 simulated, piqa: 3/3") {
		t.Fatalf("simulated: exit code %d: %s", code, stderr)
	}
	if got := strings.Split(strings.TrimSpace(stdout), "\n"); len(got) != 2 || got[0] != lines[0] || json.Unmarshal([]byte(got[1]), &simulated) != nil {
		t.Fatalf("simulated: %s", stdout)
	}
	if err := json.Unmarshal([]byte(lines[1]), &integer); err != nil {
		t.Fatal(err)
	}
	if simulated.Axes["arithmetic"] != "simulated" || integer.Axes["arithmetic"] != "" || simulated.Key == integer.Key || simulated.Artefact == integer.Artefact {
		t.Errorf("simulated: axes %v, key %s; integer: axes %v, key %s", simulated.Axes, simulated.Key, integer.Axes, integer.Key)
	}
	code, _, stderr = command(t, append(args, "--arithmetic", "simulated", "--recipe", "w8a8-static")...)
	if code == exitOK || !strings.Contains(stderr, "the float simulation has dynamic grids") {
		t.Errorf("simulated constant grids: exit code %d: %s", code, stderr)
	}
	code, table, _ := command(t, args...)
	if code != exitOK || !strings.Contains(table, "acc_norm_piqa") || !strings.Contains(table, "guessing") || strings.Contains(table, "{") {
		t.Errorf("without --json: code %d, output %q", code, table)
	}
}

// TestZeroShotUsage: wrong usage is told before any model runs.
func TestZeroShotUsage(t *testing.T) {
	m := newMeasured(t)
	for want, args := range map[string][]string{
		"unknown task \"mmlu\"": {"--tasks", "mmlu"},
		"--corpus belongs":      {"--tasks", "all", "--corpus", "c4"},
		"--window belongs":      {"--tasks", "all", "--window", "64"},
		"--items -1":            {"--tasks", "all", "--items", "-1"},
		"name them with":        {"--items", "5"},
		"w9a9":                  {"--tasks", "all", "--recipe", "w9a9"},
	} {
		code, _, stderr := command(t, append([]string{"eval", "--model", m.model, "--records", m.records}, args...)...)
		if code != exitUsage || !strings.Contains(stderr, want) {
			t.Errorf("%v: code %d, %q, expected %q", args, code, stderr, want)
		}
	}
}
