package peers

import (
	"context"
	_ "embed"
	"encoding/hex"
	"errors"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"
)

//go:embed testdata/fake.py
var fakeSource string

// python finds an interpreter, or skips the test.
func python(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"python3", "python"} {
		if path, err := exec.LookPath(name); err == nil && exec.Command(path, "-c", "import sys; sys.exit(sys.version_info < (3, 8))").Run() == nil {
			return path
		}
	}
	t.Skip("no Python")
	return ""
}

func fake(t *testing.T, ctx context.Context, env ...string) (*worker, error) {
	t.Helper()
	w, err := startWorker(ctx, program{name: "fake", python: python(t), script: protocol + "\n" + fakeSource, env: env, start: 20 * time.Second})
	if w != nil {
		t.Cleanup(w.Close)
	}
	return w, err
}

func TestWorker(t *testing.T) {
	w, err := fake(t, t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if w.hello.Version != "1.0" || w.hello.Detail != "fake" {
		t.Errorf("hello %+v", w.hello)
	}
	for n := 1; n <= 3; n++ {
		a, err := w.call(t.Context(), map[string]any{"op": "prefill", "tokens": n}, time.Minute)
		if err != nil || a.Seconds != float64(n)/1000 || a.ID != n {
			t.Errorf("%+v, %v", a, err)
		}
	}
	// An error that the worker reports leaves it alive.
	if _, err := w.call(t.Context(), map[string]any{"op": "raise"}, time.Minute); !errors.Is(err, errAnswered) || !strings.Contains(err.Error(), "KeyError") {
		t.Errorf("error %v", err)
	}
	if _, err := w.call(t.Context(), map[string]any{"op": "prefill", "tokens": 1}, time.Minute); err != nil {
		t.Error(err)
	}
	w.Close()
	if _, err := w.call(t.Context(), map[string]any{"op": "prefill"}, time.Minute); err == nil {
		t.Error("a closed worker answers")
	}
}

// TestOperands: both languages make the same bytes.
func TestOperands(t *testing.T) {
	w, err := fake(t, t.Context())
	if err != nil {
		t.Fatal(err)
	}
	a, err := w.call(t.Context(), map[string]any{"op": "operand"}, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	_, b := Operands(Case{N: 5, K: 1000})
	got := make([]byte, len(b))
	for i, v := range b {
		got[i] = byte(v)
	}
	if want, _ := hex.DecodeString(a.Check); string(want) != string(got) {
		t.Errorf("operands differ: % x …, % x …", got[:8], want[:8])
	}
	if got[4093] != got[0] || got[1] == got[0] {
		t.Error("the period is not 4093")
	}
}

func TestWorkerFails(t *testing.T) {
	for _, c := range []struct{ op, want string }{
		{"die", "last words"},
		{"die", "exit status 7"},
		{"hang", "no answer within"},
		{"rubbish", `found "not json"`},
		{"wrong", "expected the answer to request 1, found one to 0"},
		{"flood", "token too long"},
		{"illegal", "an instruction that this CPU lacks"},
	} {
		t.Run(c.op, func(t *testing.T) {
			if runtime.GOOS == "windows" && c.op != "hang" && c.op != "rubbish" {
				t.Skip("signals and exit codes of Unix")
			}
			w, err := fake(t, t.Context())
			if err != nil {
				t.Fatal(err)
			}
			limit := time.Minute
			if c.op == "hang" {
				limit = 100 * time.Millisecond
			}
			start := time.Now()
			if _, err := w.call(t.Context(), map[string]any{"op": c.op}, limit); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q in it", err, c.want)
			}
			if _, err := w.call(t.Context(), map[string]any{"op": "prefill", "tokens": 1}, time.Minute); err == nil || errors.Is(err, errAnswered) {
				t.Errorf("it answers after that: %v", err)
			}
			w.Close()
			if took := time.Since(start); took > 20*time.Second {
				t.Errorf("took %v", took)
			}
		})
	}
}

func TestStartFails(t *testing.T) {
	for how, want := range map[string]string{"raise": "ImportError: no such library", "exit": "the reason"} {
		if _, err := fake(t, t.Context(), "FAKE_START="+how); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q in it", how, err, want)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	start := time.Now()
	if _, err := fake(t, ctx, "FAKE_START=hang"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v", err)
	}
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("took %v", took)
	}
	if _, err := startWorker(t.Context(), program{name: "none", python: "/no/such/python", start: time.Second}); err == nil {
		t.Error("no error without an interpreter")
	}
}

func TestCleanEnv(t *testing.T) {
	got := strings.Join(cleanEnv([]string{"PATH=/bin", "PYTHONPATH=x", "OMP_NUM_THREADS=64", "MKL_CBWR=1", "PIP_INDEX_URL=mirror", "CMAKE_ARGS=x"}), " ")
	if got != "PATH=/bin PIP_INDEX_URL=mirror PYTHONNOUSERSITE=1" {
		t.Error(got)
	}
}
