//go:build amd64 || arm64

package engine

import (
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// allowed is what the kernel says of the processors that this thread may run on.
func allowed(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile("/proc/thread-self/status")
	if err != nil {
		t.Skip(err)
	}
	for line := range strings.Lines(string(data)) {
		if list, ok := strings.CutPrefix(line, "Cpus_allowed_list:"); ok {
			return strings.TrimSpace(list)
		}
	}
	t.Fatal("no Cpus_allowed_list in /proc/thread-self/status")
	return ""
}

// processor is where this thread runs, from the 39th field of its statistics.
func processor(t *testing.T) int32 {
	t.Helper()
	data, err := os.ReadFile("/proc/thread-self/stat")
	if err != nil {
		t.Skip(err)
	}
	_, rest, _ := strings.Cut(string(data), ") ") // a name may hold spaces
	fields := strings.Fields(rest)
	if len(fields) < 37 {
		t.Fatalf("/proc/thread-self/stat: %d fields behind the name, expected at least 37", len(fields))
	}
	n, err := strconv.Atoi(fields[36])
	if err != nil {
		t.Fatal(err)
	}
	return int32(n)
}

// A worker leaves the processor of another, and may run afterwards where it could before.
func TestSpread(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	before := allowed(t)
	if !strings.ContainsAny(before, ",-") {
		t.Skipf("this thread may use processor %s alone", before)
	}
	arrived := 0
	for range 50 {
		p := newPlaces(3) // worker 2 sleeps
		here := processor(t)
		p[0].Store(here + 1)
		p.spread(1)
		there := processor(t)
		if p[1].Load() == p[0].Load() || p[1].Load() < 1 {
			t.Fatalf("worker 1 is at %d, worker 0 at %d", p[1].Load()-1, here)
		}
		if there != here && there == p[1].Load()-1 {
			arrived++
		}
		if now := allowed(t); now != before {
			t.Fatalf("may run on %s, expected %s as before", now, before)
		}
		if p[2].Load() != 0 {
			t.Fatal("a sleeper got a place")
		}
	}
	if arrived == 0 { // the system may move a thread whenever it likes, but hardly each time
		t.Error("the thread was never on another processor afterwards")
	}
}

// Who may use one processor stays there, and goes on.
func TestSpreadNowhere(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var all, one cpuSet
	if !all.call(syscall.SYS_SCHED_GETAFFINITY) {
		t.Fatal("the system does not tell where a thread may run")
	}
	here := processor(t)
	one[here/64] = 1 << (here % 64)
	if !one.call(syscall.SYS_SCHED_SETAFFINITY) {
		t.Skip("the system does not let a thread choose")
	}
	defer all.call(syscall.SYS_SCHED_SETAFFINITY)
	p := newPlaces(2)
	p[0].Store(here + 1)
	p.spread(1)
	if got := allowed(t); got != strconv.Itoa(int(here)) || p[1].Load() != here+1 {
		t.Errorf("at %d, allowed on %s, expected both to be %d", p[1].Load()-1, got, here)
	}
	if p.leave(1); p[1].Load() != 0 {
		t.Error("left, but still there")
	}
}
