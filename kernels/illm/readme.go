package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/illm-go/illm/data"
	"github.com/illm-go/illm/kernels/illm/internal/readme"
	"github.com/illm-go/illm/pkg/record"
)

// readmeCommand regenerates the README's tables. It is for whoever adds records, and hidden from the others.
func (a *app) readmeCommand() *cobra.Command {
	var check bool
	cmd := &cobra.Command{
		Use:     "readme",
		Short:   "Write the README's tables from the shipped records",
		Example: "  illm readme\n  illm readme --check",
		Hidden:  true,
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			dirs, err := a.dirs()
			if err != nil {
				return err
			}
			path := filepath.Join(dirs.Root, "README.md")
			old, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			text, err := shippedReadme(string(old))
			if err != nil {
				return err
			}
			if check {
				if text != string(old) {
					return withCode(exitMismatch, fmt.Errorf("readme: %s differs from the shipped records: run \"illm readme\"", path))
				}
				return nil
			}
			return os.WriteFile(path, []byte(text), 0o644)
		},
	}
	cmd.Flags().BoolVar(&check, "check", false, "only tell whether the file is up to date")
	return cmd
}

// shippedReadme rewrites text from the shipped records alone: the user's own do not count.
func shippedReadme(text string) (string, error) {
	empty, err := os.MkdirTemp("", "illm-readme")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(empty)
	store, err := record.Open(record.Options{Shipped: data.Records(), Dir: empty})
	if err != nil {
		return "", err
	}
	return readme.Rewrite(text, store)
}
