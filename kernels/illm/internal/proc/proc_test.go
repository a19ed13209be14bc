package proc

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestOutput(t *testing.T) {
	out, err := Output(t.Context(), Command(t.Context(), "sh", "-c", "echo out; echo err >&2"))
	if err != nil || out != "out\n" {
		t.Errorf("%q, %v", out, err)
	}
	_, err = Output(t.Context(), Command(t.Context(), "sh", "-c", "echo out; echo why >&2; exit 3"))
	var run *Error
	if !errors.As(err, &run) || run.Text != "why\n" || !strings.Contains(err.Error(), "exit status 3\n    why") {
		t.Errorf("error %v", err)
	}
	if _, err := Output(t.Context(), Command(t.Context(), "/nowhere/program")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing program: %v", err)
	}
}

// TestInterruptGroup expects an interrupt to reach children of the program too.
func TestInterruptGroup(t *testing.T) {
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	cmd := Command(ctx, "sh", "-c", `(trap 'echo > "$0/child"; exit' TERM; echo > "$0/ready"; while :; do sleep 0.05; done) & wait`, dir)
	done := make(chan error, 1)
	go func() {
		_, err := Output(ctx, cmd)
		done <- err
	}()
	await(t, filepath.Join(dir, "ready"))
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	await(t, filepath.Join(dir, "child"))
}

func await(t *testing.T, path string) {
	t.Helper()
	for range 200 {
		if _, err := os.Stat(path); err == nil {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("%s does not come", filepath.Base(path))
}

func TestTail(t *testing.T) {
	if got, want := Tail("a\n\nb \nc\n", 2), "    b\n    c"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got := Tail("\n \n", 3); got != "" {
		t.Errorf("%q of blank lines", got)
	}
}
