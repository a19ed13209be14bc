// Command illm sets up the project's Jupyter kernel, runs its notebooks and
// measures models in integer and float arithmetic.
//
//	go run ./kernels/illm reproduce   set up, run the notebooks, print their tables
//	go run ./kernels/illm lab         open the notebooks in JupyterLab
//	go run ./kernels/illm --help      everything else
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// The first interrupt ends the work in good order; a second one finds the
	// default behaviour again and ends the process at once.
	context.AfterFunc(ctx, stop)
	a := &app{stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr}
	os.Exit(a.main(ctx, os.Args[1:]))
}
