package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/illm-go/illm/pkg/bench"
	"github.com/illm-go/illm/pkg/hub"
)

// studyLong is the part of bench's help about the studies.
const studyLong = `
--study answers one question about our own speed in one run, with records, a
table and the project's goals:
  operators        integer softmax, norms and SwiGLU beside equally vectorised
                   float32 and half ones, a row at a time
  dynamic          a grid of the row's own beside a constant one, a row at a time
  parts            share of each component in prefill (processor profile)
  float-operators  the engine with integer and with float non-linear operators
  float-parts      share of each component in prefill with each of those
  scaling          one thread and all
  context          cost against the length of the prompt, fitted
  roofline         against arithmetic peak and read bandwidth, measured beside it
  efficiency       weight and running memory, prefill and decode in float32, in
                   integers between float operators and in integers alone, at
                   each width, with the components of prefill
  shapes           one decoder block of LLaMA-7B's, LLaMA-13B's, OPT-6.7B's and
                   OPT-13B's shape with synthetic weights (4 GB of memory)
  all              the ten of them, many minutes
  exponentials     those of ablation B beside DI-Exp, equally vectorised, by row length`

// speedStudies are the flags of bench --study.
type speedStudies struct {
	names   string
	lengths []int
	samples int
	goals   bool
}

func (v *speedStudies) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&v.names, "study", "", "questions about our own speed, separated by commas: all, "+strings.Join(bench.StudyNames(), ", ")+", "+studyExponentials)
	f.IntSliceVar(&v.lengths, "lengths", nil, "with --study context: prompts of so many tokens (default 128,256,512,1024,1536,2048); with operators or exponentials: row lengths of the softmax")
	f.BoolVar(&v.goals, "goals", false, "hold the records of a model (default smollm2) against every number the project set itself; measures nothing")
	f.IntVar(&v.samples, "samples", 0, "with --study parts or context: samples of the profile, 100 a second (default 2000)")
}

// check refuses flags that do not go together.
func (v *speedStudies) check(cmd *cobra.Command, rivals *versus) error {
	if v.goals && (v.names != "" || rivals.names != "") {
		return usageError(errors.New("bench: --goals reads records: expected neither --study nor --peers beside it"))
	}
	if v.names == "" {
		for _, name := range []string{"lengths", "samples"} {
			if cmd.Flags().Changed(name) {
				return usageError(fmt.Errorf("bench: --%s goes with --study", name))
			}
		}
		return nil
	}
	if rivals.names != "" {
		return usageError(errors.New("bench: expected --study or --peers, found both"))
	}
	for _, name := range []string{"decode", "warmup"} {
		if cmd.Flags().Changed(name) {
			return usageError(fmt.Errorf("bench: --%s does not go with --study", name))
		}
	}
	for _, n := range v.lengths {
		if n < 1 || n > longestStudy {
			return usageError(fmt.Errorf("bench: --lengths %d: expected 1 to %d", n, longestStudy))
		}
	}
	if v.samples < 0 {
		return usageError(fmt.Errorf("bench: --samples %d: expected a positive number", v.samples))
	}
	return nil
}

// targets runs bench --goals.
func (a *app) targets(cmd *cobra.Command, s *settings) error {
	model := s.model
	if !cmd.Flags().Changed("model") {
		model = hub.SmolLM2
	}
	r, err := a.runner(s)
	if err != nil {
		return err
	}
	defer r.Close()
	list := bench.TargetsOf(r.Store, model)
	for _, t := range list {
		if err := a.record(t); err != nil {
			return err
		}
	}
	if !a.json {
		fmt.Fprintf(a.stdout, "%s\n%s", bench.TargetGrid(list), bench.IdeaGrid(list))
	}
	return nil
}

// longestStudy is the longest row of scores that the engine takes.
const longestStudy = 65535

// studies runs bench --study.
func (a *app) studies(cmd *cobra.Command, s *settings, v *speedStudies, req bench.SpeedRequest) error {
	recipes := list(s.recipe)
	if len(recipes) != 1 {
		return usageError(fmt.Errorf("bench: --study takes one recipe, found %d", len(recipes)))
	}
	if _, err := s.spec(recipes[0]); err != nil {
		return err
	}
	if req.Runs < 1 || req.Prefill < 1 {
		return usageError(fmt.Errorf("bench: --runs %d, --prefill %d: expected positive numbers", req.Runs, req.Prefill))
	}
	q := bench.StudyRequest{Studies: list(v.names), Model: s.model, Recipe: recipes[0], Clip: s.clip, Mode: s.mode,
		Runs: req.Runs, Prefill: req.Prefill, Samples: v.samples, Memory: a.freshMemory, Say: func(line string) { a.logf("%s", line) }}
	switch {
	case len(v.lengths) == 0:
	case slices.Equal(q.Studies, []string{bench.StudyOperators}):
		q.Rows = v.lengths
	default:
		q.Lengths = v.lengths
	}
	r, err := a.runner(s)
	if err != nil {
		return err
	}
	defer r.Close()
	rest, exponentials := withoutExponentials(q.Studies)
	if exponentials {
		if err := a.exponentials(cmd, r, v.lengths, req.Runs); err != nil || len(rest) == 0 {
			return err
		}
		q.Studies = rest
	}
	recs, err := r.Study(cmd.Context(), q)
	for _, rec := range recs {
		if e := a.record(rec); e != nil {
			return e
		}
	}
	if !a.json {
		for _, name := range bench.StudyNames() {
			if of := recs.Of(name, ""); len(of) > 0 {
				fmt.Fprintf(a.stdout, "\n%s\n%s\n%s\n", name, of.Grid(), of.Sentences())
				if name == bench.StudyEfficient {
					fmt.Fprintf(a.stdout, "\n%s\n%s", of.WeightGrid(), of.PartsGrid())
				}
			}
		}
	}
	var unknown bench.ErrStudy
	if errors.As(err, &unknown) {
		return usageError(err)
	}
	return asUsage(err)
}
