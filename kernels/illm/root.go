package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/illm-go/illm/kernels/illm/internal/place"
	"github.com/illm-go/illm/kernels/illm/internal/setup"
	"github.com/illm-go/illm/pkg/suggest"
)

// app is what the subcommands share.
type app struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	json           bool // --json: records on stdout, one a line, and nothing else
}

// commands lists the subcommands in the order of the help.
func (a *app) commands() []*cobra.Command {
	return []*cobra.Command{
		a.reproduceCommand(),
		a.labCommand(),
		a.installCommand(),
		a.doctorCommand(),
		a.fetchCommand(),
		a.evalCommand(),
		a.studyCommand(),
		a.generateCommand(),
		a.quantizeCommand(),
		a.calibrateCommand(),
		a.verifyCommands(),
		a.reportCommand(),
		a.benchCommand(),
		a.hashCommand(),
		a.trainCommand(),
		a.trainingCommand(),
		a.readmeCommand(),
		a.fixturesCommand(),
	}
}

// root returns the command line.
func (a *app) root() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "illm",
		Short: "Integer-only LLM inference: notebooks, measurements, tools",
		Long: `illm runs large language models with integer arithmetic alone and shows, in
notebooks, what that costs and why it works.

Results go to stdout, progress and talk to stderr.

` + exitHelp,
		Example: `  illm reproduce                  set up, run the default notebooks, print their tables
  illm reproduce clip -p windows=8
  illm lab                        open the notebooks in JupyterLab
  illm doctor                     what is there, what is missing, what to do`,
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cmd.Help()
			}
			return unknownCommand(cmd, args[0])
		},
	}
	cmd.PersistentFlags().BoolVar(&a.json, "json", false, "print records on stdout, one JSON object a line")
	cmd.SetOut(a.stdout)
	cmd.SetErr(a.stderr)
	cmd.SetIn(a.stdin)
	cmd.CompletionOptions.HiddenDefaultCmd = true
	cmd.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usageError(fmt.Errorf("%w: \"%s --help\" lists the flags", err, cmd.CommandPath()))
	})
	cmd.AddCommand(a.commands()...)
	return cmd
}

func unknownCommand(cmd *cobra.Command, name string) error {
	var names []string
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() {
			names = append(names, c.Name())
		}
	}
	hint := suggest.Hint(name, names)
	if hint == "" {
		hint = "the commands are " + strings.Join(names, ", ")
	}
	return usageError(fmt.Errorf("unknown command %q: %s", name, hint))
}

// main runs the command line and returns the exit code.
func (a *app) main(ctx context.Context, args []string) int {
	cmd := a.root()
	cmd.SetArgs(args)
	err := cmd.ExecuteContext(ctx)
	if err != nil && ctx.Err() != nil {
		err = context.Canceled
	}
	switch code := exitCode(err); code {
	case exitOK:
		return code
	case exitInterrupted:
		a.logf("illm: interrupted")
		return code
	default:
		a.logf("illm: %v", err)
		return code
	}
}

// noArgs refuses arguments as a usage error.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usageError(fmt.Errorf("%s takes no arguments, found %q", cmd.CommandPath(), args))
	}
	return nil
}

// logf writes a line of talk to stderr.
func (a *app) logf(format string, args ...any) {
	fmt.Fprintf(a.stderr, strings.TrimRight(format, "\n")+"\n", args...)
}

// printf writes to stdout, unless that is reserved for records.
func (a *app) printf(format string, args ...any) {
	if !a.json {
		fmt.Fprintf(a.stdout, format, args...)
	}
}

// record writes v as one line of JSON to stdout if --json is given.
func (a *app) record(v any) error {
	if !a.json {
		return nil
	}
	enc := json.NewEncoder(a.stdout)
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// terminal reports whether stderr is a terminal, where a line can be redrawn.
func (a *app) terminal() bool {
	f, ok := a.stderr.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// dirs returns the folders of this clone and user.
func (a *app) dirs() (place.Dirs, error) {
	wd, err := os.Getwd()
	if err != nil {
		return place.Dirs{}, fmt.Errorf("find the clone: %w", err)
	}
	return place.Find(wd)
}

// ensure installs what the notebooks need.
func (a *app) ensure(ctx context.Context) (setup.Installed, error) {
	dirs, err := a.dirs()
	if err != nil {
		return setup.Installed{}, err
	}
	in, err := setup.Ensure(ctx, dirs, a.logf)
	if err != nil && !errors.Is(err, context.Canceled) {
		err = withCode(exitSetup, err)
	}
	return in, err
}
