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
	var pdf bool
	cmd := &cobra.Command{
		Use:   "report",
		Short: "Write the tables and charts of every study as one web page",
		Long: `report writes one HTML page with every study: its question, table and charts, what
the repository claims, what has no record yet, and which records stand behind it.
It computes nothing but the smoothness figures and the rule for the clip value, from
the models of the clone, and needs no network; the page needs none either. What takes a
model at hand besides (values by channel, amplitudes, the bytes of an artefact by part)
is in the notebooks. --pdf prints the page into a file beside it, where a Chromium is
installed.`,
		Example: "  illm report\n  illm report --out report.html --records DIR\n  illm report --pdf",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if out == "" {
				dirs, err := a.dirs()
				if err != nil {
					return err
				}
				out = filepath.Join(dirs.Data, "reproduce", reportFile)
			}
			return a.writeReport(cmd.Context(), s.records, out, pdf)
		},
	}
	cmd.Flags().StringVarP(&out, "out", "o", "", "`file` to write (default: reproduce/"+reportFile+" in the user's data folder)")
	cmd.Flags().BoolVar(&pdf, "pdf", false, "print the page as PDF too; needs Chromium")
	cmd.Flags().StringVar(&s.records, "records", "", "folder with your records (default: illm/records in the user's data folder)")
	return cmd
}

// reportFile is the page's name beside the notebooks' pages.
const reportFile = "report.html"

// writeReport writes the page, and its PDF if that is wanted, and prints where they are.
func (a *app) writeReport(ctx context.Context, records, out string, pdf bool) error {
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
	if err := a.record(map[string]any{"kind": "report", "html": out, "bytes": len(page)}); err != nil || !pdf {
		return err
	}
	return a.printPDF(ctx, out)
}
