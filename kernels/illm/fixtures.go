package main

import (
	"bytes"
	"context"
	_ "embed"
	"fmt"
	"go/format"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/illm-go/illm/kernels/illm/internal/place"
	"github.com/illm-go/illm/kernels/illm/internal/proc"
	"github.com/illm-go/illm/kernels/illm/internal/pyenv"
	"github.com/illm-go/illm/pkg/corpus"
	"github.com/illm-go/illm/pkg/hub"
	"github.com/illm-go/illm/pkg/suggest"
)

// fixtureRequirements pins the reference libraries that the generators call.
//
//go:embed fixtures.txt
var fixtureRequirements string

// generator is a script that writes test data beside itself from the reference
// libraries. Arguments may hold {opticks}, {smollm2} and {data}.
type generator struct {
	name   string
	script string // below the clone
	args   []string
	output string // file that takes what the script prints, Go source; "": it writes its files itself
}

var generators = []generator{
	{"gguf", "pkg/model/gguf/testdata/quants.py", nil, ""},
	{"classes", "pkg/model/tokenizer/testdata/classes.py", nil, "pkg/model/tokenizer/classes_table.go"},
	{"tokenizer", "pkg/model/tokenizer/testdata/reference.py", []string{"tiny", "{opticks}"}, ""},
	{"tokenizer-smollm2", "pkg/model/tokenizer/testdata/reference.py", []string{"smollm2", "{smollm2}", "{opticks}", "{data}"}, ""},
	{"floatref", "pkg/floatref/testdata/fixtures.py", []string{"--opticks", "{opticks}"}, ""},
	{"pretrain", "pkg/pretrain/testdata/gradients.py", nil, ""},
	{"zeroshot", "pkg/eval/testdata/harness.py", []string{"{data}"}, ""},
	{"floatref-smollm2", "pkg/floatref/testdata/fixtures.py", []string{"--gguf", "{smollm2}", "--data", "{data}", "--opticks", "{opticks}"}, ""},
}

// fixturesCommand is for whoever changes a generator, and hidden from the others.
func (a *app) fixturesCommand() *cobra.Command {
	var python string
	var names []string
	for _, g := range generators {
		names = append(names, g.name)
	}
	cmd := &cobra.Command{
		Use:   "fixtures [NAME…]",
		Short: "Write the tests' reference data again",
		Long: `fixtures runs the scripts in pkg/*/testdata that write what the tests compare with, from
the reference libraries (transformers, tokenizers, gguf, lm-eval) at pinned versions, in a
virtual environment of its own in the cache folder (several GB). The same versions
give the same files. What needs SmolLM2 or the folder ILLM_DATA is left out without them.

NAME is one of ` + strings.Join(names, ", ") + `; without one, all are run.`,
		Example: "  illm fixtures\n  illm fixtures gguf tokenizer --python /path/of/a/python/with/the/libraries",
		Hidden:  true,
		RunE: func(cmd *cobra.Command, args []string) error {
			for _, name := range args {
				if !slices.Contains(names, name) {
					return usageError(fmt.Errorf("fixtures: no generator %q: expected one of %s %s", name, strings.Join(names, ", "), suggest.Hint(name, names)))
				}
			}
			return a.fixtures(cmd.Context(), args, python)
		},
	}
	cmd.Flags().StringVar(&python, "python", "", "Python that has the libraries already")
	return cmd
}

func (a *app) fixtures(ctx context.Context, names []string, python string) error {
	dirs, err := a.dirs()
	if err != nil {
		return err
	}
	if python == "" {
		if python, err = a.fixturePython(ctx, dirs); err != nil {
			return withCode(exitSetup, err)
		}
	}
	text, err := corpus.Load(ctx, corpus.Opticks)
	if err != nil {
		return err
	}
	values := map[string]string{"{opticks}": text.Source, "{data}": os.Getenv("ILLM_DATA")}
	values["{smollm2}"], _ = (&hub.Client{Cache: dirs.Cache}).Cached(hub.SmolLM2)
	for _, g := range generators {
		if len(names) > 0 && !slices.Contains(names, g.name) {
			continue
		}
		if err := a.generate(ctx, dirs, python, g, values); err != nil {
			return fmt.Errorf("fixtures: %s: %w", g.name, err)
		}
	}
	return nil
}

// generate runs one script.
func (a *app) generate(ctx context.Context, dirs place.Dirs, python string, g generator, values map[string]string) error {
	args := []string{filepath.Join(dirs.Root, filepath.FromSlash(g.script))}
	for _, arg := range g.args {
		if v, ok := values[arg]; ok {
			if arg = v; v == "" {
				a.logf("%s is left out: it needs %s", g.name, map[string]string{"{data}": "ILLM_DATA", "{smollm2}": "SmolLM2 (illm fetch smollm2)"}[arg])
				return nil
			}
		}
		args = append(args, arg)
	}
	a.logf("%s: %s", g.name, g.script)
	cmd := proc.Command(ctx, python, args...)
	cmd.Dir, cmd.Stderr = filepath.Dir(args[0]), a.stderr
	if g.output == "" {
		cmd.Stdout = a.stderr
		return cmd.Run()
	}
	var text bytes.Buffer
	cmd.Stdout = &text
	if err := cmd.Run(); err != nil {
		return err
	}
	source, err := format.Source(text.Bytes())
	if err != nil {
		return err
	}
	return place.WriteFile(filepath.Join(dirs.Root, filepath.FromSlash(g.output)), source, 0o644)
}

// fixturePython makes the virtual environment unless it is there.
func (a *app) fixturePython(ctx context.Context, dirs place.Dirs) (string, error) {
	dir := filepath.Join(dirs.Cache, "fixtures")
	python, stamp := filepath.Join(dir, "bin", "python"), filepath.Join(dir, "requirements.txt")
	if have, err := os.ReadFile(stamp); err == nil && string(have) == fixtureRequirements {
		return python, nil
	}
	py, err := pyenv.FindPython(ctx)
	if err != nil {
		return "", err
	}
	if err := os.RemoveAll(dir); err != nil {
		return "", err
	}
	a.logf("installing the reference libraries into %s …", dir)
	wanted := filepath.Join(dir, "wanted.txt")
	for _, step := range []func() error{
		func() error {
			_, err := proc.Output(ctx, proc.Command(ctx, py.Path, "-m", "venv", dir))
			return err
		},
		func() error { return os.WriteFile(wanted, []byte(fixtureRequirements), 0o644) },
		func() error {
			_, err := proc.Output(ctx, proc.Command(ctx, python, "-m", "pip", "install", "--disable-pip-version-check", "-r", wanted))
			return err
		},
		func() error { return os.Rename(wanted, stamp) },
	} {
		if err := step(); err != nil {
			return "", fmt.Errorf("install the reference libraries: %w", err)
		}
	}
	return python, nil
}
