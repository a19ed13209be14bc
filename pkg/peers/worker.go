package peers

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"
)

// maxLine is the longest answer that is read; a worker that prints more is broken.
const maxLine = 1 << 20

// program is how a worker is started.
type program struct {
	name   string // of the rival
	python string
	script string   // source text
	env    []string // added to the cleaned environment
	start  time.Duration
}

// answer is a line of a worker.
type answer struct {
	Ready   bool    `json:"ready"`
	Version string  `json:"version"`
	Detail  string  `json:"detail"`
	ID      int     `json:"id"`
	Error   string  `json:"error"`
	Seconds float64 `json:"seconds"`
	Bytes   int64   `json:"bytes"`
	Base    int64   `json:"base"`
	Check   string  `json:"check"`
}

// A worker is a rival's process. Calls come one at a time. After a failure that
// leaves the protocol in doubt (death, hang, rubbish) the process is ended and
// every further call returns the same error.
type worker struct {
	name   string
	hello  answer
	cmd    *exec.Cmd
	in     io.WriteCloser
	lines  chan []byte // closed at the end of output
	broken error       // why, if not by the worker's end; set before lines closes
	stderr tail
	exited chan struct{}
	done   chan struct{} // nobody reads lines any more
	status error
	id     int
	dead   error
	close  sync.Once
}

// errAnswered is wrapped by errors that the worker itself reported: it is alive.
var errAnswered = errors.New("the rival reports an error")

// startWorker runs a worker until its hello. ctx is its whole life.
func startWorker(ctx context.Context, p program) (*worker, error) {
	w := &worker{name: p.name, lines: make(chan []byte, 1), exited: make(chan struct{}), done: make(chan struct{})}
	w.cmd = exec.CommandContext(ctx, p.python, "-u", "-c", p.script)
	ownGroup(w.cmd)
	w.cmd.Env = append(cleanEnv(os.Environ()), p.env...)
	w.cmd.Stderr = &w.stderr
	w.cmd.WaitDelay = 5 * time.Second
	in, err := w.cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("peers: start %s: %w", p.name, err)
	}
	// A pipe of our own: Wait closes the one of StdoutPipe while it is being read.
	out, stdout, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("peers: start %s: %w", p.name, err)
	}
	w.in, w.cmd.Stdout = in, stdout
	err = w.cmd.Start()
	stdout.Close()
	if err != nil {
		out.Close()
		return nil, fmt.Errorf("peers: start %s: %w", p.name, err)
	}
	go w.read(out)
	go func() { w.status = w.cmd.Wait(); close(w.exited) }()
	if w.hello, err = w.next(ctx, p.start); err == nil && !w.hello.Ready {
		err = w.fail(fmt.Errorf("expected a hello, found an answer"))
	}
	if err != nil {
		w.Close()
		return nil, fmt.Errorf("peers: start %s: %w", p.name, err)
	}
	return w, nil
}

// read sends the lines of the worker's output.
func (w *worker) read(out *os.File) {
	defer out.Close()
	defer close(w.lines)
	s := bufio.NewScanner(out)
	s.Buffer(make([]byte, 4096), maxLine)
	for s.Scan() {
		select {
		case w.lines <- append([]byte(nil), s.Bytes()...):
		case <-w.done:
			return
		}
	}
	if err := s.Err(); err != nil {
		w.broken = fmt.Errorf("read its answer: %w", err)
	}
}

// call sends a request and waits for its answer.
func (w *worker) call(ctx context.Context, request map[string]any, limit time.Duration) (answer, error) {
	if w.dead != nil {
		return answer{}, w.dead
	}
	w.id++
	request = maps.Clone(request)
	request["id"] = w.id
	line, err := json.Marshal(request)
	if err != nil {
		return answer{}, fmt.Errorf("peers: %s: %w", w.name, err)
	}
	// Written beside the wait: a worker that does not read would block us.
	go func() { _, _ = w.in.Write(append(line, '\n')) }()
	a, err := w.next(ctx, limit)
	if err == nil && a.ID != w.id {
		err = w.fail(fmt.Errorf("expected the answer to request %d, found one to %d", w.id, a.ID))
	}
	if err != nil {
		return answer{}, fmt.Errorf("peers: %s: %w", w.name, err)
	}
	return a, nil
}

// next waits for a line and decodes it.
func (w *worker) next(ctx context.Context, limit time.Duration) (answer, error) {
	clock := time.NewTimer(limit)
	defer clock.Stop()
	select {
	case line, ok := <-w.lines:
		if !ok {
			return answer{}, w.died(ctx)
		}
		var a answer
		if err := json.Unmarshal(line, &a); err != nil {
			return answer{}, w.fail(fmt.Errorf("expected a line of JSON, found %.60q", line))
		}
		if a.Error != "" {
			return a, fmt.Errorf("%w: %s", errAnswered, a.Error)
		}
		return a, nil
	case <-clock.C:
		return answer{}, w.fail(fmt.Errorf("no answer within %v", limit))
	case <-ctx.Done():
		return answer{}, w.fail(ctx.Err())
	}
}

// fail ends a process whose next answer could not be trusted.
func (w *worker) fail(err error) error {
	w.dead = err
	_ = killGroup(w.cmd) // it may be gone already
	return err
}

// died says why the output ended.
func (w *worker) died(ctx context.Context) error {
	if w.broken != nil {
		return w.fail(w.broken)
	}
	select {
	case <-w.exited:
	case <-time.After(2 * time.Second): // closed its output and lives on
	}
	if ctx.Err() != nil {
		return w.fail(ctx.Err())
	}
	reason := "its output ended"
	var exit *exec.ExitError
	select {
	case <-w.exited:
		reason = "the process ended"
		if errors.As(w.status, &exit) {
			reason = "the process ended with " + exit.String()
			if signal := crashed(exit); signal != "" {
				reason = signal
			}
		}
	default:
	}
	if last := w.stderr.last(); last != "" {
		reason += ": " + last
	}
	return w.fail(errors.New(reason))
}

// Close ends the process: politely, by the end of its input, then by force.
func (w *worker) Close() {
	w.close.Do(func() {
		close(w.done)
		w.in.Close()
		select {
		case <-w.exited:
		case <-time.After(time.Second):
			_ = killGroup(w.cmd)
			<-w.exited
		}
		if w.dead == nil {
			w.dead = errors.New("the worker is closed")
		}
	})
}

// tail keeps the end of what is written to it.
type tail struct {
	mu   sync.Mutex
	text []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, p...)
	if over := len(t.text) - 16<<10; over > 0 {
		t.text = append(t.text[:0], t.text[over:]...)
	}
	return len(p), nil
}

// last returns the last line that is not blank.
func (t *tail) last() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	text := strings.TrimSpace(string(t.text))
	return strings.TrimSpace(text[strings.LastIndexByte(text, '\n')+1:])
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.text)
}

// cleanEnv drops the variables that would make Python load modules, or pip
// write, outside the environment, and those that would set a rival's threads.
func cleanEnv(env []string) []string {
	clean := make([]string, 0, len(env)+1)
	for _, kv := range env {
		name, _, _ := strings.Cut(kv, "=")
		switch name {
		case "PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "PYTHONUSERBASE", "VIRTUAL_ENV", "__PYVENV_LAUNCHER__",
			"PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_REQUIRE_VIRTUALENV", "PIP_NO_BINARY", "PIP_ONLY_BINARY", "PIP_PYTHON",
			"CMAKE_ARGS", "LLAMA_CPP_LIB_PATH", "GOMP_CPU_AFFINITY":
			continue
		}
		if strings.HasPrefix(name, "OMP_") || strings.HasPrefix(name, "KMP_") || strings.HasPrefix(name, "MKL_") ||
			strings.HasPrefix(name, "OPENBLAS_") || strings.HasPrefix(name, "DNNL_") || strings.HasPrefix(name, "SKBUILD_") {
			continue
		}
		clean = append(clean, kv)
	}
	return append(clean, "PYTHONNOUSERSITE=1")
}
