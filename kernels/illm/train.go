package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"time"

	"github.com/spf13/cobra"

	"github.com/illm-go/illm/kernels/illm/internal/gotool"
	"github.com/illm-go/illm/kernels/illm/internal/proc"
)

// trainerFolder is the program that trains. It is one of its own because it brings
// GoMLX and its backends, which nothing else needs.
const trainerFolder = "kernels/trainer"

// checkpointTime is how long an interrupted trainer may take to write its checkpoint.
const checkpointTime = 2 * time.Minute

func (a *app) trainCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "train [ARGUMENTS…]",
		Short: "Train the small models that the repository ships",
		Long: `train builds the trainer from ` + trainerFolder + ` of the clone and runs it there with
the arguments given; "illm train --help" shows the trainer's own. Paths are relative to the clone.
Its input, output and exit code are passed through. An interrupt lets it save
its state: pretrain goes on with the same command, fsbr with --resume added to it.`,
		Example: `  illm train --help
  illm train prepare --out DIR`,
		DisableFlagParsing: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.train(cmd.Context(), args)
		},
	}
}

func (a *app) train(ctx context.Context, args []string) error {
	dirs, err := a.dirs()
	if err != nil {
		return fmt.Errorf("train: %w", err)
	}
	if _, err := os.Stat(filepath.Join(dirs.Root, filepath.FromSlash(trainerFolder), "main.go")); err != nil {
		return fmt.Errorf("train: the clone %s has no %s: update it", dirs.Root, trainerFolder)
	}
	toolchain, err := gotool.FindGo(ctx, dirs.Root)
	if err != nil {
		return fmt.Errorf("train: %w", err)
	}
	temp, err := os.MkdirTemp("", "illm-train-")
	if err != nil {
		return fmt.Errorf("train: %w: set TMPDIR to a writable folder", err)
	}
	defer os.RemoveAll(temp)
	program := filepath.Join(temp, "trainer")
	if runtime.GOOS == "windows" {
		program += ".exe"
	}
	build := proc.Command(ctx, toolchain.Path, "build", "-o", program, "./"+trainerFolder)
	build.Dir = dirs.Root
	if _, err := proc.Output(ctx, build); err != nil {
		return fmt.Errorf("train: build the trainer: %w", err)
	}
	run := proc.Command(ctx, program, args...)
	run.Dir = dirs.Root
	run.Stdin, run.Stdout, run.Stderr = a.stdin, a.stdout, a.stderr
	run.WaitDelay = checkpointTime
	err = run.Run()
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.As(err, &exit) && exit.ExitCode() > 0:
		return withCode(exit.ExitCode(), fmt.Errorf("train: the trainer ended with exit code %d", exit.ExitCode()))
	case err != nil:
		return fmt.Errorf("train: %w", err)
	}
	return nil
}
