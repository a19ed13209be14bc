package main

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/illm-go/illm/kernels/illm/internal/headless"
	"github.com/illm-go/illm/kernels/illm/internal/notebook"
)

// patience is how long a cell may run before its output is shown live, and how
// often a silent one is mentioned.
const (
	patience = 3 * time.Second
	reminder = 30 * time.Second
)

// progress shows how a notebook gets on: a line a cell, and under a long one
// what it prints.
type progress struct {
	app   *app
	name  string
	nb    *notebook.Notebook
	total int
	tty   bool
	stop  chan struct{}

	mu      sync.Mutex
	cell    int
	began   time.Time
	last    time.Time // when something was last shown
	partial string    // an unfinished line of the cell
	open    bool      // the cursor is behind a cell's line that can be redrawn
}

func newProgress(a *app, name string, nb *notebook.Notebook) *progress {
	p := &progress{app: a, name: name, nb: nb, total: len(nb.Executable()), tty: a.terminal(), stop: make(chan struct{})}
	go p.remind()
	return p
}

func (p *progress) close() {
	close(p.stop)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.open {
		p.open = false
		fmt.Fprintln(p.app.stderr)
	}
}

func (p *progress) event(e headless.Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch e.Kind {
	case "start":
		p.cell, p.began, p.last, p.partial = e.Cell, time.Now(), time.Now(), ""
		if p.tty {
			fmt.Fprintf(p.app.stderr, "%s …", p.line())
			p.open = true
		}
	case "stream":
		p.stream(e.Text)
	case "done":
		p.say(fmt.Sprintf("%s  %.1f s", p.line(), e.Took.Seconds()))
	}
}

// line names the current cell.
func (p *progress) line() string {
	width := len(fmt.Sprint(p.total))
	label := []rune(p.nb.Label(p.cell - 1))
	if len(label) > 50 {
		label = append(label[:49], '…')
	}
	return fmt.Sprintf("%s [%*d/%d] %-50s", p.name, width, p.cell, p.total, string(label))
}

// say writes a line in place of one that is still open.
func (p *progress) say(line string) {
	if p.open {
		p.open = false
		line = "\r\x1b[K" + line
	}
	fmt.Fprintln(p.app.stderr, line)
	p.last = time.Now()
}

// stream shows whole lines of a cell that has been running for a while.
func (p *progress) stream(text string) {
	p.partial += text
	for {
		line, rest, ok := strings.Cut(p.partial, "\n")
		if !ok {
			return
		}
		p.partial = rest
		// Of a line that was redrawn, the last state.
		if i := strings.LastIndexByte(strings.TrimRight(line, "\r"), '\r'); i >= 0 {
			line = line[i+1:]
		}
		if line = strings.TrimRight(line, " \r"); line != "" && time.Since(p.began) > patience {
			p.say("    │ " + line)
		}
	}
}

// remind says of a silent cell that it is still running.
func (p *progress) remind() {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-p.stop:
			return
		case <-tick.C:
		}
		p.mu.Lock()
		if p.cell > 0 && time.Since(p.last) > reminder {
			p.say(fmt.Sprintf("%s  still running (%.0f s)", p.line(), time.Since(p.began).Seconds()))
		}
		p.mu.Unlock()
	}
}
