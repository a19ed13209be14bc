// Command trainer does what an accelerator is for: it cuts the training text, learns a vocabulary and trains from random
// weights, trains smoothing factors, and computes the float rows of studies.
//
//	trainer pretrain --model tiny-llama --tokens train.bin --valid valid.bin --tokenizer tokenizer.json \
//	        --checkpoint run --out model --minutes 30
//
// It is a program of its own because it alone links an array compiler (GoMLX's XLA backend, through cgo). The backend is
// chosen by GOMLX_BACKEND: "xla:cuda", "xla:cpu" or "go"; built with CGO_ENABLED=0 it has "go" alone.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/illm-go/illm/pkg/pretrain"
)

// Exit codes.
const (
	exitOK          = 0
	exitFailure     = 1
	exitUsage       = 2   // unknown command, flag or value
	exitPaused      = 3   // --pause-after: a checkpoint is saved, the same command goes on
	exitMissing     = 4   // study: some configurations have no record
	exitInterrupted = 130 // Ctrl-C or SIGTERM
)

// errUsage marks an error as the user's input to the command line.
var errUsage = errors.New("usage")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// The first interrupt ends the work in good order; a second one ends the process at once.
	context.AfterFunc(ctx, stop)
	cmd := rootCmd()
	err := cmd.ExecuteContext(ctx)
	switch {
	case err == nil:
		os.Exit(exitOK)
	case errors.Is(err, pretrain.ErrPaused) && ctx.Err() == nil:
		fmt.Fprintln(os.Stderr, "trainer:", err)
		os.Exit(exitPaused)
	case ctx.Err() != nil:
		fmt.Fprintln(os.Stderr, "trainer:", err)
		os.Exit(exitInterrupted)
	case errors.Is(err, errHoles):
		fmt.Fprintln(os.Stderr, "trainer:", err)
		os.Exit(exitMissing)
	}
	text := err.Error()
	if errors.Is(err, errUsage) {
		fmt.Fprintln(os.Stderr, "trainer:", strings.TrimPrefix(text, errUsage.Error()+": "))
		os.Exit(exitUsage)
	}
	fmt.Fprintln(os.Stderr, "trainer:", text)
	os.Exit(exitFailure)
}

// rootCmd returns the command line.
func rootCmd() *cobra.Command {
	root := &cobra.Command{
		Use:           "trainer",
		Short:         "Train small language models and smoothing factors, and compute float rows of studies",
		SilenceUsage:  true,
		SilenceErrors: true,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return fmt.Errorf("%w: unknown command %q: \"trainer --help\" lists them", errUsage, args[0])
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.CompletionOptions.HiddenDefaultCmd = true
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return fmt.Errorf("%w: %w: \"%s --help\" lists the flags", errUsage, err, cmd.CommandPath())
	})
	root.AddCommand(pretrainCmd())
	root.AddCommand(prepareCmd(), tokensCmd(), fsbrCmd(), studyCmd(), pluginCmd())
	return root
}
