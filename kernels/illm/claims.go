package main

import (
	"context"
	"fmt"
	"math"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/illm-go/illm/data"
	"github.com/illm-go/illm/kernels/illm/internal/claims"
	"github.com/illm-go/illm/pkg/record"
)

// verifyCommands is verify with what else can be verified.
func (a *app) verifyCommands() *cobra.Command {
	cmd := a.verifyCommand()
	cmd.Long += "\n\"verify tables\" compares the records with what the repository claims, \"verify outputs\"\nthe notebooks of two runs."
	cmd.AddCommand(a.verifyTablesCommand(), a.verifyOutputsCommand())
	return cmd
}

func (a *app) verifyTablesCommand() *cobra.Command {
	var s settings
	var fresh bool
	cmd := &cobra.Command{
		Use:   "tables",
		Short: "Compare the records with what the repository claims",
		Long: `tables prints, for each claim of data/claims.json, what is expected, what the newest
record says (your own before the shipped one), the difference and the verdict:
holds, differs, no record yet, or stale (records of other weights or of another
version of the arithmetic). It computes nothing.

--fresh leaves the shipped records out, so that only what you computed counts. Times
depend on the machine: they are listed apart and do not change the exit code, which is
` + fmt.Sprintf(`%d where a claim on quality differs, %d where records are missing. A goal that the shipped
records miss too is told and does not count.`, exitMismatch, exitMissing),
		Example: "  illm verify tables\n  illm verify tables --fresh --records DIR",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			opt := record.Options{Shipped: data.Records(), Dir: s.records}
			if fresh {
				opt.Shipped = nil
			}
			store, err := record.Open(opt)
			if err != nil {
				return err
			}
			results, err := claims.Shipped(cmd.Context(), store, !fresh)
			if err != nil {
				return err
			}
			missed, err := missedByShipped(cmd.Context())
			if err != nil {
				return err
			}
			return a.verdicts(results, missed)
		},
	}
	cmd.Flags().StringVar(&s.records, "records", "", "folder with your records (default: illm/records in the user's data folder)")
	cmd.Flags().BoolVar(&fresh, "fresh", false, "only your own records count")
	return cmd
}

// missedByShipped names the claims that the shipped records themselves do not bear out.
func missedByShipped(ctx context.Context) (map[string]bool, error) {
	empty, err := os.MkdirTemp("", "illm-verify")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(empty)
	store, err := record.Open(record.Options{Shipped: data.Records(), Dir: empty})
	if err != nil {
		return nil, err
	}
	results, err := claims.Shipped(ctx, store, true)
	if err != nil {
		return nil, err
	}
	missed := map[string]bool{}
	for _, r := range results {
		missed[r.Claim.ID] = r.Verdict == claims.Differs
	}
	return missed, nil
}

// verdicts prints the results and turns them into an exit code; what is missed already does not count.
func (a *app) verdicts(results []claims.Result, missed map[string]bool) error {
	for _, r := range results {
		line := map[string]any{"kind": "claim", "id": r.Claim.ID, "claim": r.Claim, "verdict": r.Verdict}
		if !math.IsNaN(r.Found) {
			line["found"], line["difference"] = r.Found, r.Off
		}
		if r.Why != "" {
			line["reason"] = r.Why
		}
		if err := a.record(line); err != nil {
			return err
		}
	}
	a.printf("%s\nTimes, which depend on the machine and the load:\n\n%s\n", claims.Grid(results, claims.Quality), claims.Grid(results, claims.Timing))
	var holes, wrong, known []string
	for _, r := range results {
		switch {
		case r.Verdict == claims.None || r.Verdict == claims.Stale:
			a.printf("%s: %s: %s\n  %s\n", r.Claim.ID, r.Verdict, r.Why, r.Claim.Command)
			if r.Claim.Kind == claims.Quality {
				holes = append(holes, r.Claim.ID)
			}
		case r.Verdict == claims.Differs && r.Claim.Kind == claims.Quality && missed[r.Claim.ID]:
			known = append(known, r.Claim.ID)
		case r.Verdict == claims.Differs && r.Claim.Kind == claims.Quality:
			wrong = append(wrong, r.Claim.ID)
		}
	}
	for _, verdict := range []string{claims.Holds, claims.Differs, claims.None, claims.Stale} {
		a.printf("%s: %d on quality, %d on times\n", verdict, claims.Count(results, claims.Quality, verdict), claims.Count(results, claims.Timing, verdict))
	}
	if len(known) > 0 {
		a.printf("missed by the shipped records too: %s\n", strings.Join(known, ", "))
	}
	switch {
	case len(wrong) > 0:
		return withCode(exitMismatch, fmt.Errorf("verify tables: %d claims differ from the records: %s", len(wrong), strings.Join(wrong, ", ")))
	case len(holes) > 0:
		return withCode(exitMissing, fmt.Errorf("verify tables: %d claims have no record: %s", len(holes), strings.Join(holes, ", ")))
	}
	return nil
}
