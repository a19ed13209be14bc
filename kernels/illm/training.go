package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/illm-go/illm/kernels/illm/internal/place"
	"github.com/illm-go/illm/kernels/illm/internal/readme"
)

// trainingCommand is for whoever ships a model, and hidden from the others.
func (a *app) trainingCommand() *cobra.Command {
	var state, summary, curve string
	run := readme.Run{}
	cmd := &cobra.Command{
		Use:   "training NAME",
		Short: "Write the training record of a model",
		Long: `training writes training.json into data/models/NAME from what the trainer left: a
checkpoint (or its header), the line that it printed at its end, and curve.jsonl.
"illm readme" makes the model's card from it.`,
		Example: `  illm training tiny-llama --state step-00012000.ckpt --summary out.json --curve curve.jsonl --device "NVIDIA H200"`,
		Hidden:  true,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usageError(fmt.Errorf("training takes one model, found %d arguments", len(args)))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			dirs, err := a.dirs()
			if err != nil {
				return err
			}
			for _, f := range []struct {
				path string
				to   *[]byte
			}{{state, &run.State}, {summary, &run.Summary}, {curve, &run.Curve}} {
				if *f.to, err = os.ReadFile(f.path); err != nil {
					return usageError(err)
				}
			}
			run.Model = args[0]
			raw, err := readme.Assemble(run)
			if err != nil {
				return err
			}
			path := filepath.Join(dirs.Root, "data", "models", args[0], readme.TrainingFile)
			if _, err := readme.ParseTraining(raw); err != nil {
				return err
			}
			if err := place.WriteFile(path, append(raw, '\n'), 0o644); err != nil {
				return err
			}
			a.printf("%s\n", path)
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVar(&state, "state", "", "checkpoint `file`, or its header as JSON")
	f.StringVar(&summary, "summary", "", "`file` with the line that the trainer printed")
	f.StringVar(&curve, "curve", "", "curve.jsonl of the run")
	f.StringVar(&run.Device, "device", "", "name of the machine")
	f.Float64Var(&run.Share, "share", 0, "share of its bf16 peak that was used, 0 to 1")
	for _, name := range []string{"state", "summary", "curve", "device"} {
		if err := cmd.MarkFlagRequired(name); err != nil {
			panic(err)
		}
	}
	return cmd
}
