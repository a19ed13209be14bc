package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/illm-go/illm/pkg/ablation"
	"github.com/illm-go/illm/pkg/bench"
	"github.com/illm-go/illm/pkg/catalog"
	"github.com/illm-go/illm/pkg/eval"
	"github.com/illm-go/illm/pkg/nb"
	"github.com/illm-go/illm/pkg/suggest"
)

// studyFlags are the flags of run and show.
type studyFlags struct {
	settings
	set     []string
	columns string
	shard   string
	noBase  bool
}

func (a *app) studyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "study",
		Short: "Ablation studies: axes × levels, answered by records",
		Long: `study runs the questions behind the notebooks. A study is a set of axes with levels;
each combination is one configuration, answered by a record where there is one and
computed where there is none. What is finished survives Ctrl-C.

--set AXIS=LEVEL[,LEVEL…] chooses levels, or another value of a fixed setting.
--shard I/N computes the I-th of N parts (configurations × ranges of windows) and
leaves the finished windows in the records folder; "study merge" brings the parts
together, and a run then has nothing left to compute. Any order gives the same
results.`,
		Example: `  illm study list
  illm study run widths --set recipe=w8a8,w4a4 --set windows=4
  illm study run methods --set model=tiny-opt --set windows=16 --shard 1/2 --records part1
  illm study merge part1 part2
  illm study show clip --set model=smollm2`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, args []string) error { return cmd.Help() },
	}
	cmd.AddCommand(a.studyListCommand(), a.studyRunCommand(false), a.studyRunCommand(true), a.studyMergeCommand(), a.studyRecordCommand())
	return cmd
}

func (a *app) studyListCommand() *cobra.Command {
	return &cobra.Command{Use: "list", Short: "The studies, their axes and levels", Args: noArgs, RunE: func(*cobra.Command, []string) error {
		for _, s := range ablation.Studies() {
			if err := a.record(s.Name); err != nil {
				return err
			}
			a.printf("%s: %s\n", s.Name, s.Question)
			for _, x := range s.Axes {
				a.printf("  %-10s %s\n", x.Name, strings.Join(x.Levels, ", "))
			}
			var fixed []string
			for _, k := range []string{"model", "clip", "mode", "window", "windows"} {
				if v, ok := s.Fixed[k]; ok {
					fixed = append(fixed, k+"="+v)
				}
			}
			a.printf("  %-10s %s\n", "fixed", strings.Join(fixed, " "))
		}
		return nil
	}}
}

// studyOf finds a study by name.
func studyOf(name string) (ablation.Study, error) {
	if s, ok := ablation.ByName(name); ok {
		return s, nil
	}
	var names []string
	for _, s := range ablation.Studies() {
		names = append(names, s.Name)
	}
	hint := suggest.Hint(name, names)
	if hint == "" {
		hint = "the studies are " + strings.Join(names, ", ")
	}
	return ablation.Study{}, usageError(fmt.Errorf("unknown study %q: %s", name, hint))
}

// options turns the flags into the study's options.
func (f *studyFlags) options() ([]ablation.Option, error) {
	var out []ablation.Option
	if f.model != "" {
		out = append(out, ablation.Set("model", f.model))
	}
	for _, s := range f.set {
		name, levels, ok := strings.Cut(s, "=")
		if !ok || name == "" || levels == "" {
			return nil, usageError(fmt.Errorf("--set %q: expected AXIS=LEVEL[,LEVEL…]", s))
		}
		out = append(out, ablation.Set(name, list(levels)))
	}
	if f.noBase {
		out = append(out, ablation.WithoutBase())
	}
	return out, nil
}

// allowed refuses more windows, tokens or questions than there are, where flags say how many.
func (f *studyFlags) allowed(ctx context.Context, study ablation.Study, r *bench.Runner, options []ablation.Option) error {
	if !slices.ContainsFunc(f.set, func(s string) bool {
		name, _, _ := strings.Cut(s, "=")
		return slices.Contains([]string{"window", "windows", "first", "items"}, name)
	}) {
		return nil
	}
	configs, err := study.Configs(ctx, r.Store, nb.Evaluator(r), options...)
	if err != nil {
		return err
	}
	return nb.Allowed(ctx, r, configs)
}

func (a *app) studyRunCommand(show bool) *cobra.Command {
	var f studyFlags
	use, short := "run NAME", "Compute what has no record, then show the table"
	if show {
		use, short = "show NAME", "The table as records have it; computes nothing"
	}
	cmd := &cobra.Command{Use: use, Short: short, Args: cobra.ExactArgs(1), RunE: func(cmd *cobra.Command, args []string) error {
		study, err := studyOf(args[0])
		if err != nil {
			return err
		}
		options, err := f.options()
		if err != nil {
			return err
		}
		r, err := a.runner(&f.settings)
		if err != nil {
			return err
		}
		defer r.Close()
		if err := f.allowed(cmd.Context(), study, r, options); err != nil {
			return usageError(err)
		}
		if f.shard != "" {
			return a.studyShard(cmd, r, study, f.shard, options)
		}
		ev := nb.Evaluator(r)
		if show {
			options = append(options, ablation.Stored())
		} else {
			options = append(options, ablation.OnProgress(func(p ablation.Progress) {
				a.logf("%d/%d %s, about %s left", p.Done, p.Total, p.Config, p.Left.Round(1e9))
			}))
		}
		runs, err := study.Run(cmd.Context(), r.Store, ev, options...)
		if err != nil {
			return usageError(err)
		}
		if err := a.studyTable(runs, f.columns); err != nil {
			return err
		}
		missing := runs.Count()[ablation.Missing]
		if missing == 0 {
			return nil
		}
		err = fmt.Errorf("%d configurations have no record: %w", missing, runs.Err())
		switch {
		case show:
			a.logf("%v", err)
			return nil
		case errors.Is(err, catalog.ErrUnknown):
			return usageError(err)
		}
		return withCode(exitMissing, err)
	}}
	cmd.Flags().StringVarP(&f.model, "model", "m", "", "model (default: the study's)")
	cmd.Flags().StringArrayVarP(&f.set, "set", "s", nil, "`axis=level,…`; may be repeated")
	cmd.Flags().StringVar(&f.columns, "columns", "", "metrics, separated by commas (default: perplexity and what else there is)")
	cmd.Flags().BoolVar(&f.noBase, "no-base", false, "leave the float model's rows out")
	f.recordFlag(cmd)
	if !show {
		cmd.Flags().IntVar(&f.threads, "threads", 0, "workers; 0: every core")
		cmd.Flags().StringVar(&f.shard, "shard", "", "`i/n`: only this part, its windows kept in the records folder for \"study merge\"")
	}
	return cmd
}

// studyShard finishes the windows of one part.
func (a *app) studyShard(cmd *cobra.Command, r *bench.Runner, study ablation.Study, shard string, options []ablation.Option) error {
	s, err := ablation.ParseShard(shard)
	if err != nil {
		return usageError(err)
	}
	missing, err := study.Missing(cmd.Context(), r.Store, nb.Evaluator(r), options...)
	if err != nil {
		return usageError(err)
	}
	pieces, err := s.Cut(missing)
	if err != nil {
		return usageError(err)
	}
	for i, p := range pieces {
		if err := nb.Finish(cmd.Context(), r, p); err != nil {
			return err
		}
		a.logf("piece %d/%d of shard %s: %d configurations, %s", i+1, len(pieces), shard, len(p), p[0])
	}
	a.printf("shard %s: %d pieces finished in %s\n", shard, len(pieces), r.Store.Dir())
	return nil
}

// studyTable prints the answer: axes, then metrics.
func (a *app) studyTable(runs *ablation.Runs, columns string) error {
	for _, r := range runs.Records() {
		if err := a.record(r); err != nil {
			return err
		}
	}
	if a.json {
		return nil
	}
	var axes []string
	for _, x := range runs.Study.Axes {
		if x.Name != runs.Study.Spread {
			axes = append(axes, x.Name)
		}
	}
	metrics := list(columns)
	if len(metrics) == 0 {
		metrics = defaultColumns(runs)
	}
	for i := range runs.Len() {
		if _, ok := runs.Text(i, "clips"); ok { // rows whose clip is not that of the others say so
			axes = append(axes, "clips")
			break
		}
	}
	w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, strings.Join(append(append([]string{}, axes...), append(metrics, "source")...), "\t")+"\t")
	for i := range runs.Len() {
		var cells []string
		for _, x := range axes {
			v, _ := runs.Text(i, x)
			cells = append(cells, v)
		}
		for _, m := range metrics {
			v, ok := runs.Number(i, m)
			if !ok {
				cells = append(cells, "–")
				continue
			}
			cells = append(cells, v.String())
		}
		source, _ := runs.Text(i, "source")
		fmt.Fprintln(w, strings.Join(append(cells, source), "\t")+"\t")
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if runs.Stale > 0 {
		a.logf("%d records of other code or weights were left out", runs.Stale)
	}
	return nil
}

// defaultColumns are the metrics that any row has, of those that tables show.
func defaultColumns(runs *ablation.Runs) []string {
	var out []string
	for _, level := range []string{"wikitext2", "c4", "enwiki", "opticks", ablation.ZeroShot, ablation.Speed} {
		for _, m := range []string{"ppl", "kld_mean", "zero_shot_mean", "prefill_tok_s", "decode_tok_s", "weight_bytes"} {
			name := m + "_" + level
			for i := range runs.Len() {
				if _, ok := runs.Number(i, name); ok {
					out = append(out, name)
					break
				}
			}
		}
	}
	return out
}

func (a *app) studyMergeCommand() *cobra.Command {
	var s settings
	cmd := &cobra.Command{Use: "merge FOLDER…", Short: "Bring the windows and answers that shards finished together", Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			r, err := a.runner(&s)
			if err != nil {
				return err
			}
			defer r.Close()
			var from []string
			for _, dir := range args {
				from = append(from, filepath.Join(dir, "journal"))
			}
			added, err := eval.MergeJournals(filepath.Join(r.Store.Dir(), "journal"), from...)
			if err != nil {
				return err
			}
			a.printf("%d windows and questions added to %s\n", added, r.Store.Dir())
			return nil
		}}
	s.recordFlag(cmd)
	return cmd
}
