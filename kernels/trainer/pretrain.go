package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/illm-go/illm/pkg/model"
	"github.com/illm-go/illm/pkg/pretrain"
)

// deterministicFlags make XLA's CUDA backend give the same bits in every process: no atomic additions, and no choice of
// kernels by timing them. Measured on an H200: 10–15 % slower, and a resumed run ends in the same weights; without them
// two processes already differ in their first steps.
const deterministicFlags = "--xla_gpu_deterministic_ops=true --xla_gpu_autotune_level=0"

// makeDeterministic sets deterministicFlags where the CUDA backend will read them.
func makeDeterministic() error {
	if !strings.HasPrefix(os.Getenv(backendVariable), "xla:cuda") {
		return nil // the other backends are deterministic as they are
	}
	return os.Setenv("XLA_FLAGS", strings.TrimSpace(os.Getenv("XLA_FLAGS")+" "+deterministicFlags))
}

// pretrainCmd trains a model.
func pretrainCmd() *cobra.Command {
	var (
		o                             pretrain.Options
		name, train, valid, tokenizer string
		pause                         time.Duration
	)
	cmd := &cobra.Command{
		Use:   "pretrain",
		Short: "Train a model on token files",
		Long: `Trains a model on train.bin (see "trainer prepare") and exports it in the layout of
the Hugging Face hub. The learning rate rises linearly and falls by a cosine over
--steps, or over as many steps as fit into --minutes at the speed of the first ones.

With --checkpoint an interrupted run goes on where it was, to the same bits unless
--deterministic=false: run the same command again. curve.jsonl in that folder has the training curve.

` + backendVariable + ` chooses the backend: "xla:cuda", "xla:cpu" or "go".

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 paused by --pause-after, 130 interrupted.`,
		Example: `  trainer pretrain --model tiny-llama --tokens train.bin --valid valid.bin \
          --tokenizer tokenizer.json --out tiny-llama --checkpoint run --minutes 25`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			if train == "" {
				return fmt.Errorf("%w: expected --tokens, a file that \"trainer prepare\" makes", errUsage)
			}
			if (o.Steps > 0) == (o.Minutes > 0) {
				return fmt.Errorf("%w: expected one of --steps and --minutes, found %d and %g", errUsage, o.Steps, o.Minutes)
			}
			var err error
			if o.Config, err = configOf(name); err != nil {
				return err
			}
			if o.Train, err = pretrain.ReadTokens(train, o.Config.Vocab); err != nil {
				return err
			}
			if valid != "" {
				if o.Valid, err = pretrain.ReadTokens(valid, o.Config.Vocab); err != nil {
					return err
				}
			}
			if tokenizer != "" {
				if o.TokenizerJSON, err = os.ReadFile(tokenizer); err != nil {
					return fmt.Errorf("tokenizer: %w", err)
				}
			}
			if o.Deterministic {
				if err := makeDeterministic(); err != nil {
					return err
				}
			}
			if o.Backend, err = openBackend(); err != nil {
				return err
			}
			defer o.Backend.Finalize()
			o.Log = logger(cmd.ErrOrStderr())
			if pause > 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeoutCause(ctx, pause, errors.New("--pause-after is over"))
				defer cancel()
			}
			res, err := pretrain.Train(ctx, o)
			if err != nil {
				return err
			}
			return json.NewEncoder(cmd.OutOrStdout()).Encode(summary(res))
		},
	}
	f := cmd.Flags()
	f.StringVar(&name, "model", "tiny-llama", strings.Join(pretrain.Presets(), ", ")+" or a file with a model.Config in JSON")
	f.StringVar(&train, "tokens", "", "training tokens, uint16")
	f.StringVar(&valid, "valid", "", "validation tokens, uint16")
	f.StringVar(&tokenizer, "tokenizer", "", "tokenizer.json of the tokens, exported with the model")
	f.StringVar(&o.Out, "out", "", "folder of the finished model")
	f.StringVar(&o.Dtype, "dtype", "F16", "type of the finished weights: F16, BF16, F32")
	f.StringVar(&o.Checkpoints, "checkpoint", "", "folder of checkpoints and of the training curve")
	f.DurationVar(&o.Every, "checkpoint-every", 3*time.Minute, "time between checkpoints")
	f.IntVar(&o.Keep, "keep", 2, "checkpoints to keep")
	f.IntVar(&o.Batch, "batch", 64, "windows of a step")
	f.IntVar(&o.Window, "window", 0, "tokens of a window (0: the context of the model)")
	f.IntVar(&o.Steps, "steps", 0, "length of the run in steps")
	f.Float64Var(&o.Minutes, "minutes", 0, "length of the run in minutes of training")
	f.DurationVar(&pause, "pause-after", 0, "save a checkpoint and stop after this time; the same command goes on")
	f.Float64Var(&o.Rate, "lr", 1e-3, "peak learning rate")
	f.Float64Var(&o.Floor, "lr-floor", 0.1, "last learning rate as a share of the peak")
	f.IntVar(&o.Warmup, "warmup", 200, "steps of linear warm-up")
	f.Float64Var(&o.Decay, "weight-decay", 0.1, "decay of matrices (negative: none)")
	f.BoolVar(&o.EmbedDecay, "decay-embeddings", false, "decay embeddings too")
	f.Float64Var(&o.Clip, "clip", 1, "largest norm of the gradient (negative: no limit)")
	f.Float64Var(&o.Dropout, "dropout", 0, "share of the outputs of attention and MLP to drop")
	f.Float64Var(&o.Average, "average", 0, "decay of a moving average of the weights, which is validated and exported (0: none)")
	f.StringVar(&o.Precision, "precision", "bf16", "of matrix products: bf16 or f32")
	f.Uint64Var(&o.Seed, "seed", 1, "seed of weights, order and dropout")
	f.BoolVar(&o.Deterministic, "deterministic", true, "the same bits in every run on the same backend; false is 10–15 % faster on CUDA")
	f.IntVar(&o.AttentionChunks, "attention-chunks", 1, "parts that queries are cut into: fewer scores, smaller products")
	f.IntVar(&o.ValidEvery, "valid-every", 500, "steps between validations")
	f.IntVar(&o.ValidWindows, "valid-windows", 512, "windows of a validation on the way")
	f.IntVar(&o.LogEvery, "log-every", 10, "steps between lines of the curve")
	f.Float64Var(&o.PeakTFLOPS, "peak-tflops", 0, "of the machine, to show the share that is used")
	return cmd
}

// configOf returns a preset or reads a file.
func configOf(name string) (model.Config, error) {
	if c, ok := pretrain.Preset(name); ok {
		return c, nil
	}
	raw, err := os.ReadFile(name)
	if errors.Is(err, os.ErrNotExist) {
		return model.Config{}, fmt.Errorf("%w: model %q: expected a file or one of %s", errUsage, name, strings.Join(pretrain.Presets(), ", "))
	}
	if err != nil {
		return model.Config{}, fmt.Errorf("model: %w", err)
	}
	c := model.Config{BOS: -1, EOS: -1}
	dec := json.NewDecoder(strings.NewReader(string(raw)))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&c); err != nil {
		return model.Config{}, fmt.Errorf("model %s: expected the fields of model.Config: %w", name, err)
	}
	return c, nil
}

// logger writes lines with the time since its start.
func logger(w io.Writer) func(format string, args ...any) {
	return func(format string, args ...any) {
		fmt.Fprintf(w, "%s "+format+"\n", append([]any{time.Now().Format("15:04:05")}, args...)...)
	}
}

// summary is what the command prints at the end.
func summary(r pretrain.Result) any {
	return struct {
		Steps   int      `json:"steps"`
		Tokens  int64    `json:"tokens"`
		Loss    float64  `json:"loss"`
		Valid   *float64 `json:"valid"`
		Seconds float64  `json:"seconds"`
	}{r.Steps, r.Tokens, r.Loss, finite(r.Valid), r.Seconds}
}

func finite(x float64) *float64 {
	if x != x {
		return nil
	}
	return &x
}
