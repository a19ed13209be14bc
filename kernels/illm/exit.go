package main

import (
	"context"
	"errors"

	"github.com/illm-go/illm/kernels/illm/internal/headless"
	"github.com/illm-go/illm/kernels/illm/internal/notebook"
)

// Exit codes. "go run" itself exits with 1 whatever the program's code is and
// prints the code; build the command to see it: go build ./kernels/illm.
const (
	exitOK          = 0
	exitFailure     = 1   // anything else went wrong; doctor: something is missing
	exitUsage       = 2   // unknown command, flag, notebook, parameter or recipe
	exitMissing     = 3   // what was asked for has no record and no model to compute it with
	exitSetup       = 4   // Python packages, Go tools, the kernel or a model could not be installed
	exitMismatch    = 5   // a check against a known value failed
	exitCell        = 6   // a notebook's cell failed
	exitInterrupted = 130 // Ctrl-C or SIGTERM
)

// exitHelp is the part of the help about them.
const exitHelp = `Exit codes:
  0    done
  1    failed; doctor: something is missing
  2    unknown command, flag, notebook, parameter, recipe or model
  3    rows that were asked for have no record, and no model to compute them with; the others are shown
  4    installing Python packages, Go tools, the kernel or a model failed
  5    a result differs from the value it was checked against
  6    a notebook's cell failed
  130  interrupted
"go run" turns them into 1; "go build ./kernels/illm" makes a program that keeps them.`

// codeError is an error with an exit code of its own.
type codeError struct {
	code int
	err  error
}

func (e *codeError) Error() string { return e.err.Error() }
func (e *codeError) Unwrap() error { return e.err }

// withCode gives err an exit code; nil stays nil.
func withCode(code int, err error) error {
	if err == nil {
		return nil
	}
	return &codeError{code, err}
}

// usageError marks an error as the user's input to the command line.
func usageError(err error) error { return withCode(exitUsage, err) }

// exitCode returns the exit code for what a command returned.
func exitCode(err error) int {
	var coded *codeError
	var cell *headless.CellError
	var unknown *notebook.UnknownError
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, context.Canceled):
		return exitInterrupted
	case errors.As(err, &coded):
		return coded.code
	case errors.As(err, &cell):
		return exitCell
	case errors.As(err, &unknown):
		return exitUsage
	}
	return exitFailure
}
