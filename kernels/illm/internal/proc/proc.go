// Package proc runs helper programs so that an interrupt ends them and all
// their children, and so that a failure carries the end of what they printed.
package proc

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"strings"
	"time"
)

// Grace is how long a program has to end after it was asked to.
const Grace = 10 * time.Second

// Command is exec.CommandContext in a process group of its own. When ctx ends,
// the group gets the signal for a polite end, and the program is killed if it
// is still there after Grace. A terminal's Ctrl-C does not reach the group, so
// there is one place that decides what an interrupt means: the holder of ctx.
func Command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	ownGroup(cmd)
	cmd.WaitDelay = Grace
	return cmd
}

// Output runs cmd and returns what it wrote to its standard output. The error
// of a failed run ends with the last lines of its standard error.
func Output(ctx context.Context, cmd *exec.Cmd) (string, error) {
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		text := stderr.String()
		if strings.TrimSpace(text) == "" {
			text = stdout.String()
		}
		return "", &Error{Name: cmd.Args[0], Args: cmd.Args[1:], Err: err, Text: text}
	}
	return stdout.String(), nil
}

// Error is a failed run of a program.
type Error struct {
	Name string
	Args []string
	Err  error
	Text string // what it printed
}

func (e *Error) Error() string {
	s := fmt.Sprintf("%s %s: %v", e.Name, strings.Join(e.Args, " "), e.Err)
	if tail := Tail(e.Text, 12); tail != "" {
		s += "\n" + tail
	}
	return s
}

func (e *Error) Unwrap() error { return e.Err }

// Tail returns the last n lines of text that are not blank, indented.
func Tail(text string, n int) string {
	var lines []string
	for line := range strings.Lines(text) {
		if line = strings.TrimRight(line, " \r\n"); line != "" {
			lines = append(lines, "    "+line)
		}
	}
	if len(lines) > n {
		lines = lines[len(lines)-n:]
	}
	return strings.Join(lines, "\n")
}
