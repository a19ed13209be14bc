//go:build unix

package peers

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestInterrupt: the end of the context ends a worker and what it started.
func TestInterrupt(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	w, err := fake(t, ctx)
	if err != nil {
		t.Fatal(err)
	}
	a, err := w.call(ctx, map[string]any{"op": "child"}, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(100*time.Millisecond, cancel)
	if _, err := w.call(ctx, map[string]any{"op": "hang"}, time.Minute); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	w.Close()
	for range 100 {
		// An orphan that nobody reaps yet is a zombie, which signals still reach: look at the group's leader.
		if syscall.Kill(w.cmd.Process.Pid, 0) != nil && !runs(int(a.Bytes)) {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Error("the worker or its child is still there")
}

// runs tells whether a process exists and is not a zombie.
func runs(pid int) bool {
	if syscall.Kill(pid, 0) != nil {
		return false
	}
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return true // no such file system: the signal's word
	}
	_, rest, _ := strings.Cut(string(b), ") ")
	return !strings.HasPrefix(rest, "Z")
}
