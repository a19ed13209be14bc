package bench_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gofrs/flock"

	"github.com/illm-go/illm/pkg/bench"
	"github.com/illm-go/illm/pkg/model/modeltest"
	"github.com/illm-go/illm/pkg/record"
)

// Runs of the same question at the same time compute it once: the others wait and find the records.
func TestParallelRunsComputeOnce(t *testing.T) {
	t.Setenv("ILLM_CACHE", t.TempDir())
	t.Setenv("ILLM_DATA", t.TempDir())
	dir := t.TempDir()
	req := bench.QualityRequest{Model: modeltest.Tiny(t), Corpus: text(t), Window: 64, Variants: []bench.Variant{{Recipe: "fp32"}, {Recipe: "w8a8"}, {Recipe: "w4a4"}}}
	other := req
	other.Variants = []bench.Variant{{Recipe: "w4a4"}, {Recipe: "w8a8"}}
	var scored atomic.Int64
	var group sync.WaitGroup
	keys := make([][]*record.Record, 3)
	for i, q := range []bench.QualityRequest{req, other, req} {
		r := runner(t, dir) // its own store, as a process has it
		r.Progress = func(p bench.Progress) {
			if p.Took > 0 && p.Window >= 0 && p.What != "calibrate" && p.What != "quantise" {
				scored.Add(1)
			}
		}
		group.Go(func() {
			got, err := r.Quality(ctx, q)
			if err != nil {
				t.Error(err)
			}
			keys[i] = got
		})
	}
	group.Wait()
	if t.Failed() {
		return
	}
	store, err := record.Open(record.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	all := store.Filter(func(*record.Record) bool { return true })
	seen := map[string]bool{}
	for _, r := range all {
		if seen[r.Key] {
			t.Errorf("%v is filed twice", r.Axes)
		}
		seen[r.Key] = true
	}
	if len(all) != 3 {
		t.Errorf("%d records, want 3", len(all))
	}
	// 4 windows of each variant, the float model's among them; whoever came second may have run the float model for others.
	if n := scored.Load(); n > 3*4+4 {
		t.Errorf("%d windows were scored, want each once", n)
	}
	for i, got := range keys {
		for _, r := range got {
			if r == nil || !seen[r.Key] {
				t.Errorf("run %d lacks a record", i)
			}
		}
	}
}

// claimHelper makes this test binary hold a lock until it is killed.
const claimHelper = "ILLM_TEST_HOLD"

func TestMain(m *testing.M) {
	if path := os.Getenv(claimHelper); path != "" {
		if ok, err := flock.New(path).TryLock(); !ok || err != nil {
			os.Exit(3)
		}
		os.Stdout.WriteString("held\n")
		time.Sleep(time.Minute)
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// A run waits for the process that holds its claim, ends its wait with its context, and is free once the other is killed.
func TestClaimOfAKilledProcess(t *testing.T) {
	t.Setenv("ILLM_CACHE", t.TempDir())
	t.Setenv("ILLM_DATA", t.TempDir())
	dir := t.TempDir()
	req := bench.QualityRequest{Model: modeltest.Tiny(t), Corpus: text(t), Window: 64, Windows: 1, NoKL: true, Variants: []bench.Variant{{Recipe: "w8a8"}}}
	// The key of the claim is that of the record, which another folder tells.
	probe, err := runner(t, t.TempDir()).Quality(ctx, req)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "journal", probe[0].Key+".claim")
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	holder := exec.Command(os.Args[0])
	holder.Env = append(os.Environ(), claimHelper+"="+path)
	out, err := holder.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := holder.Start(); err != nil {
		t.Fatal(err)
	}
	defer holder.Process.Kill()
	if n, err := out.Read(make([]byte, 5)); n != 5 || err != nil {
		t.Fatalf("the holder said %d bytes: %v", n, err)
	}
	r := runner(t, dir)
	waits := make(chan bool, 100)
	r.Progress = func(p bench.Progress) {
		if p.What == "waiting for another process that computes the same" {
			waits <- true
		}
	}
	short, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
	defer cancel()
	if _, err := r.Quality(short, req); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("held by another: %v, want the end of the context", err)
	}
	<-waits
	done := make(chan error, 1)
	go func() { _, err := r.Quality(ctx, req); done <- err }()
	<-waits
	if err := holder.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = holder.Wait()
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(time.Minute):
		t.Error("a killed process still holds its claim")
	}
}
