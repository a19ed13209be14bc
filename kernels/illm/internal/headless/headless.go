// Package headless runs a notebook in real Jupyter without a browser: nbclient
// drives the kernel, nbconvert makes the page, and a small embedded script
// reports to this process line by line.
//
// The script ends, and its kernel with it, when the pipe to it closes. So no
// kernel outlives this process, whichever way it ends.
package headless

import (
	"bufio"
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/illm-go/illm/kernels/illm/internal/kernelspec"
	"github.com/illm-go/illm/kernels/illm/internal/notebook"
	"github.com/illm-go/illm/kernels/illm/internal/proc"
	"github.com/illm-go/illm/kernels/illm/internal/setup"
)

//go:embed run.py
var script string

// Job is one run of one notebook.
type Job struct {
	Notebook *notebook.Notebook // with its parameters set
	Folder   string             // working directory of the cells
	IPYNB    string             // where the executed notebook goes
	HTML     string             // where the page goes
	Env      []string           // further variables, "NAME=value", for the cells

	// OnEvent is called for each event, in order; nil for nobody.
	OnEvent func(Event)
}

// Event is one step of a run.
type Event struct {
	Kind  string // "start", "stream" or "done"
	Cell  int    // 1, 2, … over the cells that are run
	Text  string // of a stream
	Error bool   // the stream is standard error
	Took  time.Duration
}

// CellError is a cell that failed.
type CellError struct {
	Notebook string
	Cell     int    // 1, 2, … over the cells that are run; Jupyter's [n]
	Of       int    // number of such cells
	Label    string // the heading above the cell
	Text     string // what Go says: the compiler's message, or the panic
}

func (e *CellError) Error() string {
	label := ""
	if e.Label != "" {
		label = fmt.Sprintf(" (%s)", e.Label)
	}
	return fmt.Sprintf("notebook %s: cell [%d] of %d%s failed:\n%s", filepath.Base(e.Notebook), e.Cell, e.Of, label, indent(e.Text))
}

// message is a line of the script.
type message struct {
	Event     string   `json:"event"`
	Cell      int      `json:"cell"`
	Name      string   `json:"name"`
	Text      string   `json:"text"`
	Message   string   `json:"message"`
	Traceback []string `json:"traceback"`
	Group     int      `json:"group"`
}

// Run runs the job and returns the executed notebook. On a *CellError the
// files are written too, up to and with the failed cell.
func Run(ctx context.Context, in setup.Installed, job Job) (*notebook.Notebook, error) {
	tmp, err := os.MkdirTemp("", "illm-")
	if err != nil {
		return nil, fmt.Errorf("run %s: %w", job.Notebook.Path, err)
	}
	// Cells are built below TMPDIR; whatever a killed kernel leaves goes too.
	defer os.RemoveAll(tmp)
	input, err := prepare(tmp, in, job)
	if err != nil {
		return nil, fmt.Errorf("run %s: %w", job.Notebook.Path, err)
	}
	cmd := proc.Command(ctx, in.Python.Python(), filepath.Join(tmp, "run.py"))
	cmd.Env = append(append(in.Env(), "JUPYTER_PATH="+filepath.Join(tmp, "jupyter"), "TMPDIR="+tmp), job.Env...)
	r := &run{job: job, total: len(job.Notebook.Executable())}
	if err := r.drive(cmd, input); err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		var cell *CellError
		if errors.As(err, &cell) {
			return nil, err
		}
		return nil, fmt.Errorf("run %s: %w", job.Notebook.Path, err)
	}
	return notebook.Read(job.IPYNB)
}

// prepare writes what the script needs and returns its job line.
func prepare(tmp string, in setup.Installed, job Job) ([]byte, error) {
	data, err := job.Notebook.Marshal()
	if err != nil {
		return nil, err
	}
	source := filepath.Join(tmp, "input.ipynb")
	if err := errors.Join(
		os.WriteFile(source, data, 0o600),
		os.WriteFile(filepath.Join(tmp, "run.py"), []byte(script), 0o600),
		kernelspec.Write(filepath.Join(tmp, "jupyter"), in.Tools, in.Dirs.Root,
			kernelspec.Options{Headless: true, Python: in.Python.Bin()}),
		os.MkdirAll(filepath.Dir(job.IPYNB), 0o755),
		os.MkdirAll(filepath.Dir(job.HTML), 0o755),
	); err != nil {
		return nil, err
	}
	return json.Marshal(map[string]string{
		"notebook": source, "folder": job.Folder, "kernel": kernelspec.Name,
		"ipynb": job.IPYNB, "html": job.HTML, "title": job.Notebook.Title(),
	})
}

// run is the state of a job under way.
type run struct {
	job     Job
	total   int
	began   time.Time // of the current cell
	stderr  strings.Builder
	failure error // what the script reported
	group   int   // process group of the kernel
	written bool
}

// drive starts the script and follows it to its end.
func (r *run) drive(cmd *exec.Cmd, input []byte) error {
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	var log bytes.Buffer
	cmd.Stderr = &log
	// An interrupt closes the pipe: the script then stops its kernel in peace,
	// and WaitDelay bounds how long that may take.
	cmd.Cancel = stdin.Close
	if err := cmd.Start(); err != nil {
		return err
	}
	if _, err := stdin.Write(append(input, '\n')); err != nil {
		r.failure = fmt.Errorf("start Jupyter's client: %w", err)
	}
	r.follow(stdout)
	err = cmd.Wait()
	_ = stdin.Close()
	_ = proc.KillGroup(cmd.Process.Pid)
	_ = proc.KillGroup(r.group)
	if r.failure != nil {
		return r.failure
	}
	if err != nil || !r.written {
		return fmt.Errorf("jupyter's client ended early (%v): %q says what is missing\n%s", err, "illm doctor", proc.Tail(log.String(), 12))
	}
	return nil
}

// follow reads the script's reports until it closes its output.
func (r *run) follow(stdout io.Reader) {
	lines := bufio.NewReader(stdout)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return
		}
		var m message
		// Anything else on that stream is some library's talk.
		if json.Unmarshal(line, &m) == nil {
			r.handle(m)
		}
	}
}

func (r *run) handle(m message) {
	emit := func(e Event) {
		if r.job.OnEvent != nil {
			e.Cell = m.Cell
			r.job.OnEvent(e)
		}
	}
	switch m.Event {
	case "kernel":
		r.group = m.Group
	case "start":
		r.began = time.Now()
		r.stderr.Reset()
		emit(Event{Kind: "start"})
	case "stream":
		if m.Name == "stderr" {
			r.stderr.WriteString(m.Text)
		}
		emit(Event{Kind: "stream", Text: plain(m.Text), Error: m.Name == "stderr"})
	case "done":
		emit(Event{Kind: "done", Took: time.Since(r.began)})
	case "failed":
		text := strings.Join(m.Traceback, "\n")
		if text == "" {
			text = m.Message
		}
		if said := r.stderr.String(); strings.TrimSpace(said) != "" {
			// A cell that ran: its own last words say more than its exit status.
			text = said
		}
		r.failure = r.cellError(m.Cell, text)
	case "died":
		r.failure = r.cellError(m.Cell, "the kernel died: "+m.Message+"\nout of memory is the usual reason")
		if m.Cell == 0 {
			r.failure = fmt.Errorf("the kernel did not start: %s: \"illm doctor\" says what is missing", m.Message)
		}
	case "broken":
		if r.failure == nil {
			r.failure = fmt.Errorf("jupyter's client: %s: \"illm doctor\" says what is missing", m.Message)
		}
	case "written":
		r.written = true
	}
}

func (r *run) cellError(cell int, text string) error {
	return &CellError{
		Notebook: r.job.Notebook.Path, Cell: cell, Of: r.total,
		Label: r.job.Notebook.Label(cell - 1), Text: condense(plain(text)),
	}
}

// condense leaves out blank lines and what GoNB adds: the name of the package
// that it made up and, after a program's own last words, its exit status.
func condense(s string) string {
	var lines []string
	for line := range strings.Lines(s) {
		if line = strings.TrimRight(line, " \t\n"); line != "" && !strings.HasPrefix(line, "# gonb_") {
			lines = append(lines, line)
		}
	}
	if last := len(lines) - 1; last > 0 && strings.HasPrefix(lines[last], "exit status ") {
		lines = lines[:last]
	}
	return strings.Join(lines, "\n")
}

var (
	escapes  = regexp.MustCompile(`\x1b\[[0-9;]*[A-Za-z]`)
	tempPath = regexp.MustCompile(`\S*/gonb_[0-9a-f]+/`)
)

// plain takes colours, and the folder that a cell happened to be built in, out
// of a text.
func plain(s string) string {
	return tempPath.ReplaceAllString(escapes.ReplaceAllString(s, ""), "")
}

func indent(s string) string {
	return "    " + strings.ReplaceAll(s, "\n", "\n    ")
}
