package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/illm-go/illm/data"
	"github.com/illm-go/illm/pkg/ablation"
	"github.com/illm-go/illm/pkg/accel"
	"github.com/illm-go/illm/pkg/baseline/fakequant"
	"github.com/illm-go/illm/pkg/bench"
	"github.com/illm-go/illm/pkg/eval"
	"github.com/illm-go/illm/pkg/floatref"
	"github.com/illm-go/illm/pkg/model"
	"github.com/illm-go/illm/pkg/nb"
	"github.com/illm-go/illm/pkg/record"
)

// errHoles marks a study with rows that could not be computed here.
var errHoles = errors.New("rows without a record")

// studyCmd runs the float rows of studies.
func studyCmd() *cobra.Command {
	var (
		name, records string
		set           []string
		tokens        int
		threads       int
	)
	cmd := &cobra.Command{
		Use:   "study NAME",
		Short: "Compute the float rows of a study that have no record",
		Long: `Like "illm study run", for rows that are computed in float: the float model and the
simulations (arithmetic=simulated). Integers are computed by "illm study run" alone.
Records name the backend; "illm study show NAME --records FOLDER" prints the table.

` + backendVariable + ` chooses the backend: "xla:cuda", "xla:cpu" or "go".`,
		Example: "  trainer study methods -m smollm2 -s arithmetic=simulated -s windows=32 --records new",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			study, ok := ablation.ByName(args[0])
			if !ok {
				return fmt.Errorf("%w: unknown study %q: \"illm study list\" names them", errUsage, args[0])
			}
			options, err := studyOptions(name, set)
			if err != nil {
				return err
			}
			store, err := record.Open(record.Options{Shipped: data.Records(), Dir: records})
			if err != nil {
				return err
			}
			kind, split, err := floats()
			if err != nil {
				return err
			}
			raw, err := openBackend()
			if err != nil {
				return err
			}
			defer raw.Finalize()
			b, err := accel.New(raw, accel.Options{Split: split, Tokens: tokens, Threads: threads, Name: kind})
			if err != nil {
				return fmt.Errorf("%w: %w", errUsage, err)
			}
			defer b.Close()
			log := logger(cmd.ErrOrStderr())
			r := &bench.Runner{Store: store, Threads: threads, Backend: onDevice{b}, Progress: progress(log)}
			defer r.Close()
			options = append(options, ablation.OnProgress(func(p ablation.Progress) {
				log("%d/%d %s, about %s left", p.Done, p.Total, p.Config, p.Left.Round(time.Second))
			}))
			return runStudy(cmd.Context(), cmd, study, r, options)
		},
	}
	f := cmd.Flags()
	f.StringVarP(&name, "model", "m", "", "model (default: the study's)")
	f.StringArrayVarP(&set, "set", "s", nil, "`axis=level,…`; may be repeated")
	f.StringVar(&records, "records", "", "folder that takes new records (default: illm/records in the user's data folder)")
	f.IntVar(&tokens, "batch-tokens", 0, "tokens of a batch of questions (0: 1024)")
	f.IntVar(&threads, "threads", 0, "workers on this processor; 0: every core")
	return cmd
}

// floats is the backend by its one name in records, and whether its products round float32 operands to TF32 unless they are
// split. Others that GoMLX would open are refused: nothing says how they multiply.
func floats() (kind string, split bool, err error) {
	switch kind = cmp.Or(os.Getenv(backendVariable), "go"); kind {
	case "go", "xla:cpu":
		return kind, false, nil
	case "xla:cuda":
		return kind, true, nil
	}
	return "", false, fmt.Errorf("%w: %s=%s: expected go, xla:cpu or xla:cuda: of others it is not known how they multiply float32", errUsage, backendVariable, kind)
}

// runStudy computes what is missing and says what stays so.
func runStudy(ctx context.Context, cmd *cobra.Command, study ablation.Study, r *bench.Runner, options []ablation.Option) error {
	runs, err := study.Run(ctx, r.Store, nb.Evaluator(r), options...)
	switch {
	case err != nil && ctx.Err() == nil:
		return fmt.Errorf("%w: %w", errUsage, err)
	case err != nil:
		return err
	}
	count := runs.Count()
	cmd.Printf("%s: %d rows computed, %d had a record, %d have none\n", study.Name, count[ablation.Computed], count[ablation.Shipped]+count[ablation.Found], count[ablation.Missing])
	if count[ablation.Missing] > 0 {
		return fmt.Errorf("study %s: %w: %w", study.Name, errHoles, runs.Err())
	}
	return nil
}

// studyOptions turns flags into the study's options.
func studyOptions(model string, set []string) (out []ablation.Option, err error) {
	if model != "" {
		out = append(out, ablation.Set("model", model))
	}
	for _, s := range set {
		name, levels, ok := strings.Cut(s, "=")
		list := slices.DeleteFunc(strings.Split(levels, ","), func(s string) bool { return s == "" })
		if !ok || name == "" || len(list) == 0 {
			return nil, fmt.Errorf("%w: --set %q: expected AXIS=LEVEL[,LEVEL…]", errUsage, s)
		}
		out = append(out, ablation.Set(name, list))
	}
	return out, nil
}

// progress prints a line for a finished step, of questions one in 512.
func progress(log func(format string, args ...any)) func(bench.Progress) {
	return func(p bench.Progress) {
		switch {
		case p.MeanNLL > 0 && p.Took > 0:
			log("  %d/%d  window %d, %s: mean NLL %.4f, %.1f s, about %s left", p.Done, p.Total, p.Window, p.What, p.MeanNLL, p.Took.Seconds(), p.Left.Round(time.Second))
		case p.MeanNLL == 0 && (p.Done == p.Total || p.Done%512 == 0):
			log("  %s %d/%d, about %s left", p.What, p.Done, p.Total, p.Left.Round(time.Second))
		}
	}
}

// onDevice is a bench.Backend.
type onDevice struct{ *accel.Backend }

func (d onDevice) Float(cfg model.Config, w floatref.Source) (eval.LM, func(), error) {
	return lm(d.Backend.Float(cfg, w))
}

func (d onDevice) Simulation(p *fakequant.Plan) (eval.LM, func(), error) {
	return lm(d.Backend.Simulation(p))
}

func lm(m *accel.Model, err error) (eval.LM, func(), error) {
	if err != nil {
		return nil, nil, err
	}
	return m, m.Close, nil
}
