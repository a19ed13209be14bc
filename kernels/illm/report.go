package main

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/illm-go/illm/data"
	"github.com/illm-go/illm/kernels/illm/internal/place"
	"github.com/illm-go/illm/kernels/illm/internal/report"
	"github.com/illm-go/illm/pkg/record"
)

func (a *app) reportCommand() *cobra.Command {
	var s settings
	var out string
	cmd := &cobra.Command{
		Use:   "report",
		Short: "Write every table and chart as one web page",
		Long: `report writes one HTML page with every study: its question, table and charts, what
the repository claims, what has no record yet, and which records stand behind it.
It computes nothing and needs no network; the page needs none either.`,
		Example: "  illm report\n  illm report --out report.html --records DIR",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if out == "" {
				dirs, err := a.dirs()
				if err != nil {
					return err
				}
				out = filepath.Join(dirs.Data, "reproduce", reportFile)
			}
			return a.writeReport(cmd.Context(), s.records, out)
		},
	}
	cmd.Flags().StringVarP(&out, "out", "o", "", "`file` to write (default: reproduce/"+reportFile+" in the user's data folder)")
	cmd.Flags().StringVar(&s.records, "records", "", "folder with your records (default: illm/records in the user's data folder)")
	return cmd
}

// reportFile is the page's name beside the notebooks' pages.
const reportFile = "report.html"

// writeReport writes the page and prints where it is.
func (a *app) writeReport(ctx context.Context, records, out string) error {
	store, err := record.Open(record.Options{Shipped: data.Records(), Dir: records})
	if err != nil {
		return err
	}
	for _, w := range store.Warnings() {
		a.logf("illm: warning: %s", w)
	}
	page, err := report.Page(ctx, store)
	if err != nil {
		return err
	}
	if out, err = filepath.Abs(out); err != nil {
		return usageError(fmt.Errorf("--out: %w", err))
	}
	if err := place.WriteFile(out, []byte(page), 0o644); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	a.printf("report    %s\n", out)
	return a.record(map[string]any{"kind": "report", "html": out, "bytes": len(page)})
}
