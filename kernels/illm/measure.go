package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/illm-go/illm/data"
	"github.com/illm-go/illm/pkg/ablation"
	"github.com/illm-go/illm/pkg/bench"
	"github.com/illm-go/illm/pkg/catalog"
	"github.com/illm-go/illm/pkg/eval/tasks"
	"github.com/illm-go/illm/pkg/quant"
	"github.com/illm-go/illm/pkg/record"
)

// settings are the flags that eval, bench, quantize, generate and hash share.
type settings struct {
	model, recipe, clip, mode string
	operators, arithmetic     string
	threads                   int
	records                   string
	recalibrate               bool
}

func (s *settings) flags(cmd *cobra.Command, recipe string) {
	f := cmd.Flags()
	f.StringVarP(&s.model, "model", "m", catalog.Default, strings.Join(catalog.Names(), ", ")+", hf:ORG/NAME, a GGUF file, a safetensors folder or an artefact; +outliers behind a float model")
	f.StringVarP(&s.recipe, "recipe", "r", recipe, "w8a8, w6a6, w4a8, w4a4 with suffixes kvN, emb16 or -METHOD (see calibrate), a JSON file, or fp32")
	f.StringVar(&s.clip, "clip", "15", "clip value c of DI-ClippedSoftmax, or none; recipes with clips by layer (calibrate --clips) take no other than 15")
	f.StringVar(&s.mode, "mode", "illm", "illm, precise, or published: the paper's literal operators")
	f.IntVar(&s.threads, "threads", 0, "workers; 0: every core")
}

func (s *settings) recordFlag(cmd *cobra.Command) {
	cmd.Flags().StringVar(&s.records, "records", "", "folder that takes new records (default: illm/records in the user's data folder)")
}

// spec parses recipe, clip and mode; a mistake in one of them is the user's.
func (s *settings) spec(recipe string) (quant.Spec, error) {
	spec, err := quant.NewSpec(recipe, s.clip, s.mode)
	return spec, usageError(err)
}

// list splits a flag that takes several names.
func list(s string) []string {
	var out []string
	for _, f := range strings.Split(s, ",") {
		if f = strings.TrimSpace(f); f != "" {
			out = append(out, f)
		}
	}
	return out
}

// runner opens the records and prepares measurements that report to stderr.
func (a *app) runner(s *settings) (*bench.Runner, error) {
	store, err := record.Open(record.Options{Shipped: data.Records(), Dir: s.records})
	if err != nil {
		return nil, err
	}
	for _, w := range store.Warnings() {
		a.logf("illm: warning: %s", w)
	}
	return &bench.Runner{Store: store, Threads: s.threads, Progress: a.step}, nil
}

// step writes one line of progress.
func (a *app) step(p bench.Progress) {
	switch {
	case p.MeanNLL > 0 && p.Took > 0:
		a.logf("  %d/%d  window %d, %s: mean NLL %.4f, %.1f s%s", p.Done, p.Total, p.Window, p.What, p.MeanNLL, p.Took.Seconds(), timeLeft(p))
	case p.MeanNLL > 0:
	case p.Total > 0 && (p.Done == p.Total || p.Done%32 == 0 || p.What == "calibrate" || p.What == "clips" || strings.HasPrefix(p.What, "bench")):
		a.logf("  %s %d/%d%s", p.What, p.Done, p.Total, timeLeft(p))
	}
}

// timeLeft is the estimate behind a line of progress, if there is one.
func timeLeft(p bench.Progress) string {
	if p.Left <= 0 {
		return ""
	}
	return ", about " + p.Left.Round(time.Second).String() + " left"
}

// entry opens a model; a name that does not exist is the user's mistake.
func (a *app) entry(ctx context.Context, s *settings) (*catalog.Entry, error) {
	e, err := catalog.Open(ctx, s.model, catalog.Options{Threads: s.threads, Recalibrate: s.recalibrate, Progress: func(what string, done, total int) {
		a.step(bench.Progress{What: what, Done: done, Total: total})
	}})
	if errors.Is(err, catalog.ErrUnknown) {
		err = usageError(err)
	}
	return e, err
}

func (a *app) evalCommand() *cobra.Command {
	var s settings
	var req bench.QualityRequest
	var corpora string
	var force bool
	var z zeroShot
	cmd := &cobra.Command{
		Use:   "eval",
		Short: "Perplexity and divergence from the float model",
		Long: `eval scores recipes on a text by the protocol of the paper's tables: whole
windows, each from an empty cache; perplexity is the exponential of the mean over
windows of the mean negative log-likelihood. The float model runs on the same
windows (unless --no-kl), and every recipe is compared with it.

NAME+outliers is the model with channels as uneven as a large one's, its function
unchanged; +outliers=STRENGTH:SEED says how. Perplexity per token depends on the
vocabulary: compare models by ppl_word or bits_per_byte.

A text is wikitext2, c4, opticks, a plain file, or a .jsonl or .jsonl.gz file with
a field "text". Finished windows are kept: an interrupted run goes on where it
stopped, and a result that has a record is not computed again.
` + zeroShotLong + strings.Join(tasks.Names(), ", ") + ".",
		Example: `  illm eval --recipe w8a8 --corpus opticks --windows 4
  illm eval --recipe fp32,w8a8,w6a6 --corpus wikitext2,c4 --windows 16
  illm eval --model tiny-opt --recipe fp32,w8a8 --windows 16
  illm eval --model tiny-llama+outliers --recipe w6a6 --windows 16
  illm eval --model smollm2 --recipe w4a4 --clip 10 --corpus my.txt --window 1024 --json
  illm eval --tasks all --items 500 --recipe fp32,w8a8,w4a4`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := z.check(cmd); err != nil {
				return err
			}
			if z.tasks != "" {
				z.force = force
				return a.zeroShot(cmd.Context(), &s, &z)
			}
			for _, recipe := range list(s.recipe) {
				if !quant.IsFloat(recipe) {
					if _, err := s.spec(recipe); err != nil {
						return err
					}
				}
				req.Variants = append(req.Variants, bench.Variant{Recipe: recipe, Clip: s.clip, Mode: s.mode, Operators: s.operators, Arithmetic: s.arithmetic})
			}
			r, err := a.runner(&s)
			if err != nil {
				return err
			}
			defer r.Close()
			r.Force = force
			req.Model = s.model
			var all []*record.Record
			for _, c := range list(corpora) {
				req.Corpus = c
				recs, err := r.Quality(cmd.Context(), req)
				if err != nil {
					return asUsage(err)
				}
				all = append(all, recs...)
			}
			return a.show(all, []string{"model", "recipe", "clip", "corpus", "windows", "window"},
				[]string{"ppl", "ppl_word", "bits_per_byte", "ln_ppl_ratio", "kld_mean", "kld_median", "kld_p99", "same_top"})
		},
	}
	s.flags(cmd, "w8a8")
	s.recordFlag(cmd)
	z.flags(cmd)
	f := cmd.Flags()
	f.StringVarP(&corpora, "corpus", "c", "wikitext2", "texts, separated by commas")
	f.IntVar(&req.Window, "window", 0, "tokens in a window (default 2048, or the model's context: 1024 for the tiny ones)")
	f.IntVar(&req.First, "first", 0, "number of the first window")
	f.IntVar(&req.Windows, "windows", 0, "windows to score; 0: all")
	f.BoolVar(&req.NoKL, "no-kl", false, "leave the float model out")
	f.BoolVar(&force, "force", false, "compute even what has a record")
	f.StringVar(&s.operators, "operators", "", "non-linear operators in place of the integer ones: half, float32 (with :softmax, activation or norm) or exp:NAME")
	f.StringVar(&s.arithmetic, "arithmetic", "", "integer, the engine (default), or simulated: its quantisers in float")
	return cmd
}

func (a *app) benchCommand() *cobra.Command {
	var s settings
	var req bench.SpeedRequest
	var rivals versus
	var studies speedStudies
	cmd := &cobra.Command{
		Use:   "bench [--study NAMES | --peers [RIVAL…]]",
		Short: "Prefill and decode speed, memory; rivals beside us",
		Long: `bench times a prompt (head for its last token only) and single tokens after it.
Several recipes take turns in one process. Give medians of a quiet machine; the
quartiles tell how quiet it was. peak_rss_bytes is the process's largest resident
set and appears where one recipe runs alone.
` + studyLong + "\n" + peersLong,
		Example: `  illm bench --recipe w8a8,fp32 --prefill 512 --decode 128
  illm bench --recipe w4a4 --runs 20 --json
  illm bench --study operators
  illm bench --study scaling,context --model smollm2 --threads 2
  illm bench --goals
  illm bench --peers
  illm bench --peers llama.cpp --cases prefill,decode --recipe w8a8,w4a8
  illm bench --peers mkl onednn --rows 1,512 --shapes smollm2`,
		Args: rivals.args,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := studies.check(cmd, &rivals); err != nil {
				return err
			}
			switch {
			case rivals.memory:
				return a.memoryOf(cmd.Context())
			case studies.goals:
				return a.targets(cmd, &s)
			case studies.names != "":
				return a.studies(cmd, &s, &studies, req)
			case rivals.names != "":
				return a.peers(cmd, &s, &rivals, req.Runs)
			}
			req.Recipes, req.Model, req.Clip, req.Mode = list(s.recipe), s.model, s.clip, s.mode
			for _, recipe := range req.Recipes {
				if !quant.IsFloat(recipe) {
					if _, err := s.spec(recipe); err != nil {
						return err
					}
				}
			}
			r, err := a.runner(&s)
			if err != nil {
				return err
			}
			defer r.Close()
			recs, err := r.Speed(cmd.Context(), req)
			if err != nil {
				return asUsage(err)
			}
			return a.show(recs, []string{"model", "recipe", "prefill", "decode"},
				[]string{"prefill_tok_s", "prefill_tok_s_q1", "prefill_tok_s_q3", "decode_tok_s", "decode_tok_s_q1", "decode_tok_s_q3", "eval_tok_s", "weight_bytes", "kv_bytes", "peak_rss_bytes"})
		},
	}
	s.flags(cmd, "w8a8")
	s.recordFlag(cmd)
	rivals.flags(cmd)
	studies.flags(cmd)
	f := cmd.Flags()
	f.IntVar(&req.Prefill, "prefill", 512, "tokens of the prompt")
	f.IntVar(&req.Decode, "decode", 128, "tokens after it")
	f.IntVar(&req.Runs, "runs", 10, "counted runs of each recipe")
	f.IntVar(&req.Warmup, "warmup", 1, "runs before them that do not count")
	return cmd
}

// asUsage marks the errors that a flag's value caused.
func asUsage(err error) error {
	if errors.Is(err, catalog.ErrUnknown) || errors.Is(err, fs.ErrNotExist) {
		return usageError(err)
	}
	return err
}

// show prints records as a table, or as lines of JSON.
func (a *app) show(recs []*record.Record, axes, metrics []string) error {
	for _, r := range recs {
		if err := a.record(r); err != nil {
			return err
		}
	}
	if a.json {
		return nil
	}
	w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	var shown []string
	for _, m := range metrics {
		for _, r := range recs {
			if _, ok := r.Metric(m); ok {
				shown = append(shown, m)
				break
			}
		}
	}
	fmt.Fprintln(w, strings.Join(append(append([]string{}, axes...), shown...), "\t")+"\t")
	for _, r := range recs {
		var f []string
		for _, x := range axes {
			v := r.Axes[x]
			if set, ok := r.Config[x]; ok && v == "" && x != "clip" {
				v = fmt.Sprint(set)
			}
			if x == "clip" {
				v = ablation.ClipOf(r)
			}
			f = append(f, v)
		}
		for _, name := range shown {
			m, ok := r.Metric(name)
			if !ok {
				f = append(f, "–")
				continue
			}
			f = append(f, number(m))
		}
		fmt.Fprintln(w, strings.Join(f, "\t")+"\t")
	}
	return w.Flush()
}

// number formats a metric with its standard error.
func number(m record.Metric) string {
	switch {
	case m.Unit == "bytes":
		return fmt.Sprintf("%.1f MB", m.Value/1e6)
	case m.Value >= 1000:
		return fmt.Sprintf("%.0f", m.Value)
	case m.Stderr > 0:
		return fmt.Sprintf("%.4g ±%.2g", m.Value, m.Stderr)
	}
	return fmt.Sprintf("%.4g", m.Value)
}

// exists tells whether something is at path already.
func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}
