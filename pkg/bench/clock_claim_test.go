package bench_test

import (
	"bufio"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gofrs/flock"

	"github.com/illm-go/illm/pkg/bench"
	"github.com/illm-go/illm/pkg/model/modeltest"
)

// Whatever is timed waits for a process with the same folder that takes times, says so, and goes on once it has ended.
func TestTimingRunsTakeTurns(t *testing.T) {
	t.Setenv("ILLM_CACHE", t.TempDir())
	t.Setenv("ILLM_DATA", t.TempDir())
	dir := t.TempDir()
	path := filepath.Join(dir, "journal", "clock.claim")
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
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "held\n" {
		t.Fatalf("the holder said %q: %v", line, err)
	}

	model := modeltest.Tiny(t)
	var mu sync.Mutex
	var said []string
	say := func(line string) {
		mu.Lock()
		defer mu.Unlock()
		said = append(said, line)
	}
	waits := func() bool {
		mu.Lock()
		defer mu.Unlock()
		return strings.Contains(strings.Join(said, "\n"), "waiting for another process that takes times")
	}
	exp := bench.ExpRequest{Names: []string{"di-exp"}, Lengths: []int{64}, Runs: 1, Warmup: 1, Sample: time.Microsecond}
	for what, run := range map[string]func(context.Context, *bench.Runner) (int, error){
		"speed": func(ctx context.Context, r *bench.Runner) (int, error) {
			recs, err := r.Speed(ctx, bench.SpeedRequest{Model: model, Recipes: []string{"w8a8"}, Prefill: 8, Decode: 2, Runs: 1})
			return len(recs), err
		},
		"exponentials": func(ctx context.Context, r *bench.Runner) (int, error) {
			recs, err := r.ExpSpeed(ctx, exp)
			return len(recs), err
		},
		"study": func(ctx context.Context, r *bench.Runner) (int, error) {
			recs, err := r.Study(ctx, bench.StudyRequest{Studies: []string{bench.StudyScaling}, Model: model, Runs: 1, Prefill: 32, Say: say})
			return len(recs), err
		},
	} {
		said = nil
		r := runner(t, dir)
		r.Progress = func(p bench.Progress) { say(p.What) }
		short, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
		n, err := run(short, r)
		cancel()
		if n != 0 || !errors.Is(err, context.DeadlineExceeded) || !waits() {
			t.Errorf("%s beside another timing run: %d records, %v, said %q; want none, the end of the context, and why it waits", what, n, err, said)
		}
	}

	// A run of quality takes no times: it does not wait.
	if _, err := runner(t, dir).Quality(ctx, bench.QualityRequest{Model: model, Corpus: text(t), Window: 64, Windows: 1, NoKL: true, Variants: []bench.Variant{{Recipe: "w8a8"}}}); err != nil {
		t.Errorf("quality: %v", err)
	}

	said = nil
	r := runner(t, dir)
	r.Progress = func(p bench.Progress) { say(p.What) }
	done := make(chan error, 1)
	go func() { _, err := r.ExpSpeed(ctx, exp); done <- err }()
	for end := time.Now().Add(time.Minute); !waits(); {
		if time.Now().After(end) {
			t.Fatal("the run does not say that it waits")
		}
		time.Sleep(10 * time.Millisecond)
	}
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
		t.Fatal("a killed process still holds the clock")
	}
	if ok, err := flock.New(path).TryLock(); !ok || err != nil {
		t.Errorf("the clock after the run: free %v, %v", ok, err)
	}
}
