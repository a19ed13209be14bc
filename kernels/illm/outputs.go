package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/illm-go/illm/kernels/illm/internal/notebook"
)

func (a *app) verifyOutputsCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "outputs A B",
		Short: "Compare what two runs of the notebooks show",
		Long: `outputs compares executed notebooks of two runs, on two machines say: A and B are
notebooks, or folders of reproduce with notebooks of the same names. Every output has to
be the same bytes, but for progress and for the cells tagged "` + notebook.TimingTag + `", which show times
or name the machine. Two runs can be compared if both made their notebooks from the same
code, records and texts.`,
		Example: "  illm reproduce start clip --out here\n  illm verify outputs here copied/from/elsewhere",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 2 {
				return usageError(fmt.Errorf("verify outputs: expected two notebooks or folders, found %q", args))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return a.verifyOutputs(args[0], args[1]) },
	}
}

func (a *app) verifyOutputs(one, two string) error {
	pairs, err := notebookPairs(one, two)
	if err != nil {
		return usageError(err)
	}
	different := 0
	for _, p := range pairs {
		x, err := notebook.Read(p[0])
		if err != nil {
			return err
		}
		y, err := notebook.Read(p[1])
		if err != nil {
			return err
		}
		list := notebook.Differences(x, y)
		a.printf("%s: %d cells, %d differences\n", filepath.Base(p[0]), len(x.Executable()), len(list))
		for _, d := range list {
			a.printf("  %s\n", d)
		}
		different += len(list)
		if err := a.record(map[string]any{"kind": "outputs", "a": p[0], "b": p[1], "differences": list}); err != nil {
			return err
		}
	}
	if different > 0 {
		return withCode(exitMismatch, fmt.Errorf("verify outputs: %d outputs differ", different))
	}
	return nil
}

// notebookPairs are the files themselves, or the notebooks that two folders both hold.
func notebookPairs(one, two string) ([][2]string, error) {
	for _, path := range []string{one, two} {
		if _, err := os.Stat(path); err != nil {
			return nil, fmt.Errorf("verify outputs: %w", err)
		}
	}
	list, err := filepath.Glob(filepath.Join(one, "*.ipynb"))
	if err != nil || len(list) == 0 {
		return [][2]string{{one, two}}, err
	}
	var pairs [][2]string
	for _, path := range list {
		if other := filepath.Join(two, filepath.Base(path)); exists(other) {
			pairs = append(pairs, [2]string{path, other})
		}
	}
	if len(pairs) == 0 {
		return nil, errors.New("verify outputs: the folders have no notebook in common: name the --out folders of two runs")
	}
	return pairs, nil
}
