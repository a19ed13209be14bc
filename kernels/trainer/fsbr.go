package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/illm-go/illm/pkg/catalog"
	"github.com/illm-go/illm/pkg/corpus"
	"github.com/illm-go/illm/pkg/fsbr"
	"github.com/illm-go/illm/pkg/model"
	"github.com/illm-go/illm/pkg/quant"
)

// calibrationWindow is the longest window of calibration.
const calibrationWindow = 2048

// tokensCmd writes the calibration tokens of a model.
func tokensCmd() *cobra.Command {
	var (
		name, text, out string
		windows, window int
		seed            uint64
	)
	cmd := &cobra.Command{
		Use:   "tokens",
		Short: "Draw calibration windows from a text for a model",
		Long: `Draws windows at random offsets from a text and writes their token ids (uint32,
little-endian), which "trainer fsbr" reads on a machine that has neither the text nor
a tokenizer. The sha256 of the file is the calibration's hash.`,
		Example: "  trainer tokens --model smollm2 --out smollm2.u32",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if out == "" {
				return fmt.Errorf("%w: expected --out, a file to write", errUsage)
			}
			e, err := catalog.Open(cmd.Context(), name, catalog.Options{})
			if err != nil {
				return err
			}
			defer e.Close()
			t, err := corpus.Load(cmd.Context(), text)
			if err != nil {
				return err
			}
			ids, err := e.Encode(string(t.Bytes))
			if err != nil {
				return err
			}
			if window == 0 {
				window = min(calibrationWindow, e.MaxContext())
			}
			ws, err := fsbr.DrawWindows(ids, windows, window, seed)
			if err != nil {
				return err
			}
			cmd.Printf("%d windows of %d from %d tokens of %s\n", windows, window, len(ids), text)
			return os.WriteFile(out, fsbr.Encode(ws), 0o666)
		},
	}
	f := cmd.Flags()
	f.StringVar(&name, "model", catalog.Default, "name of a model, folder or GGUF file")
	f.StringVar(&text, "text", corpus.Calibration, "name or path of a text")
	f.StringVar(&out, "out", "", "file to write")
	f.IntVar(&windows, "windows", 128, "number of windows")
	f.IntVar(&window, "window", 0, "tokens of a window (0: 2048, or the context if that is shorter)")
	f.Uint64Var(&seed, "seed", 2, "of the offsets")
	return cmd
}

// fsbrCmd trains smoothing factors.
func fsbrCmd() *cobra.Command {
	var (
		o                            fsbr.Options
		name, tokens, out, recipe    string
		window, windows              int
		clip, rotate                 string
		rotateSeed                   uint64
		memory                       float64
		resume, plain, deterministic bool
		plan, force                  bool
	)
	cmd := &cobra.Command{
		Use:   "fsbr",
		Short: "Train smoothing factors and clipping ratios for a quantised model",
		Long: `Reconstructs one block after the other and writes the factors (safetensors, half
precision), from which "illm calibrate" makes the integer model.

After every block OUT.state holds what is done: with --resume an interrupted run goes on,
with --force it begins anew, without either it is left alone and the command refuses.
OUT.jsonl has the loss of every epoch, and of every block the time and memory it took.

The activations between two blocks, windows × tokens × channels × 4 bytes three or four
times over, stay on the device where --memory allows it; else they go to files in
--scratch, batch by batch, with the same factors to the bit.

` + backendVariable + ` chooses the backend: "xla:cuda", "xla:cpu" or "go".

Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted.`,
		Example: "  trainer fsbr --model smollm2 --tokens smollm2.u32 --recipe w4a4 --out smollm2-w4a4.safetensors --batch 8",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if !plan && (tokens == "" || out == "") {
				return fmt.Errorf("%w: expected --tokens, a file that \"trainer tokens\" makes, and --out", errUsage)
			}
			if resume && force {
				return fmt.Errorf("%w: --resume and --force together: expected one: --resume goes on from %s.state, --force begins anew", errUsage, out)
			}
			if windows < 0 {
				return fmt.Errorf("%w: --windows %d: expected 1 or more, or 0 for all", errUsage, windows)
			}
			if o.Recipe, err = quant.ParseRecipe(recipe); err != nil {
				return fmt.Errorf("%w: %w", errUsage, err)
			}
			if o.Rotation, err = fsbr.ParseRotation(rotate, rotateSeed); err != nil {
				return fmt.Errorf("%w: %w", errUsage, err)
			}
			c, err := quant.ParseClip(clip)
			if err != nil {
				return fmt.Errorf("%w: %w", errUsage, err)
			}
			o.Clip = float64(c) / 1000
			if !(memory > 0 && memory < 1e6) {
				return fmt.Errorf("%w: --memory %g: expected GB, more than 0", errUsage, memory)
			}
			o.Memory = int64(memory * 1e9)
			switch o.Activations {
			case "auto":
				o.Activations = ""
			case fsbr.OnDevice, fsbr.OnDisk:
			default:
				return fmt.Errorf("%w: --activations %q: expected auto, device or disk", errUsage, o.Activations)
			}
			o.Loss.Plain = plain
			o.Split = strings.HasPrefix(os.Getenv(backendVariable), "xla:cuda")
			if plan {
				return printPlan(cmd, o, name, windows, window)
			}
			o.State, o.Curve = out+".state", out+".jsonl"
			if !resume && !force {
				if err := refuseState(o.State); err != nil {
					return err
				}
			}
			m, err := openFloat(cmd, name)
			if err != nil {
				return err
			}
			defer m.Close()
			o.Config, o.Source = m.Config, m
			if o.Hash, err = m.Hash(); err != nil {
				return err
			}
			if window == 0 {
				window = min(calibrationWindow, m.Config.MaxContext)
			}
			if o.Windows, err = fsbr.ReadWindows(tokens, window); err != nil {
				return err
			}
			if windows > 0 && windows < len(o.Windows) {
				o.Windows = o.Windows[:windows]
			}
			if o.Deterministic = deterministic; deterministic {
				if err := makeDeterministic(); err != nil {
					return err
				}
			}
			if o.Backend, err = openBackend(); err != nil {
				return err
			}
			defer o.Backend.Finalize()
			if force { // only now: a backend that does not open costs nothing that was saved
				if err := os.Remove(o.State); err != nil && !errors.Is(err, os.ErrNotExist) {
					return fmt.Errorf("fsbr: begin anew: %w: remove the file, or name another --out", err)
				}
			}
			o.Log = logger(cmd.ErrOrStderr())
			f, err := fsbr.Train(cmd.Context(), o)
			if err != nil {
				return err
			}
			if err := f.Write(out); err != nil {
				return err
			}
			o.Log("wrote %s", out)
			return os.Remove(o.State)
		},
	}
	f := cmd.Flags()
	f.StringVar(&name, "model", catalog.Default, "name of a model, folder or GGUF file; may end in +outliers")
	f.StringVar(&tokens, "tokens", "", "calibration tokens, uint32 (see \"trainer tokens\")")
	f.StringVar(&o.Text, "text", corpus.Calibration, "name of the text of the tokens, for the record")
	f.StringVar(&out, "out", "", "file of the factors")
	f.StringVar(&recipe, "recipe", "w4a4", "widths: "+strings.Join(quant.RecipeNames(), ", ")+" …")
	f.StringVar(&o.Method, "method", fsbr.FSBR, strings.Join(fsbr.Methods(), ", "))
	f.StringVar(&o.Kinds, "kinds", "", "kinds of smoothing beside the method's: all, names, -name; \"all,range\" trains activation ranges too")
	f.StringVar(&rotate, "rotate", "", "Hadamard matrices in front of the factors: residual,value_out,query_key,out_proj,down")
	f.Uint64Var(&rotateSeed, "rotate-seed", 0, "seed of random signs of the residual's (0: none)")
	f.IntVar(&window, "window", 0, "tokens of a window in the file (0: 2048, or the context if that is shorter)")
	f.IntVar(&windows, "windows", 0, "take the first so many windows (0: all)")
	f.IntVar(&o.Epochs, "epochs", 20, "passes over the windows for each block")
	f.IntVar(&o.Batch, "batch", 8, "windows of a step")
	f.Float64Var(&o.Rate, "lr", 5e-3, "learning rate of factors and shifts at a batch of one")
	f.Float64Var(&o.ClipRate, "lr-clip", 1e-2, "learning rate of clipping ratios at a batch of one")
	f.Float64Var(&o.RatePower, "lr-batch-power", 0.5, "rates are multiplied by batch to this power (negative: not at all)")
	f.BoolVar(&o.Cosine, "cosine", false, "rates fall to 0 by half a cosine")
	f.Float64SliceVar(&o.Alpha, "alpha", []float64{0.5}, "exponent of the activations in the initial factors, −1: all factors start at 1; of several, each block takes the best")
	f.Uint64Var(&o.Seed, "seed", 2, "seed of the order of windows")
	f.BoolVar(&plain, "mse", false, "plain mean squared error; default: each token's error relative to its size")
	f.BoolVar(&o.Loss.Aug, "aug-loss", false, "add the error against the float block on quantised inputs")
	f.BoolVar(&o.Loss.Std, "std-norm", false, "divide by the standard deviation of the target's channels")
	f.BoolVar(&o.AsPublished, "as-published", false, "initial factors as in the published code")
	f.BoolVar(&o.FloatInput, "float-embedding", false, "leave the embedding in float")
	f.BoolVar(&o.Scores, "scores", false, "round the softmax's input too")
	f.StringVar(&clip, "clip", "", "clip of the scores (with --scores)")
	f.IntVar(&o.Chunks, "attention-chunks", 0, "parts that queries are cut into (0: chosen by the window)")
	f.StringVar(&o.Activations, "activations", "auto", "where they are between two blocks: device, disk, or auto by --memory")
	f.Float64Var(&memory, "memory", 20, "GB of the device that a run may take with its activations there")
	f.StringVar(&o.Scratch, "scratch", "", "folder for activations in files (empty: that of --out)")
	f.BoolVar(&deterministic, "deterministic", true, "the same bits in every run on the same backend")
	f.BoolVar(&plan, "plan", false, "print the memory that the run would take, and do nothing; --model may be a model.Config in JSON")
	f.BoolVar(&resume, "resume", false, "go on from OUT.state")
	f.BoolVar(&force, "force", false, "drop OUT.state of an earlier run and begin anew")
	return cmd
}

// refuseState keeps a run that says neither --resume nor --force from replacing what an earlier one saved: hours of it.
func refuseState(path string) error {
	switch _, err := os.Stat(path); {
	case err == nil:
		return fmt.Errorf("%w: %s exists: expected no state of an earlier run: add --resume to go on from it, or --force to drop it and begin anew", errUsage, path)
	case !errors.Is(err, os.ErrNotExist):
		return fmt.Errorf("fsbr: look for a state: %w", err)
	}
	return nil
}

// openFloat opens float weights by name or path; a model without a tokenizer will do.
func openFloat(cmd *cobra.Command, name string) (*model.Model, error) {
	base, outliers, err := catalog.Variant(name)
	if err != nil {
		return nil, err
	}
	path := base
	if _, err := os.Stat(base); err != nil {
		// Not a file: a name. The catalogue finds it, unpacks or fetches it.
		e, err := catalog.Open(cmd.Context(), base, catalog.Options{})
		if err != nil {
			return nil, err
		}
		path = e.Path
		if err := e.Close(); err != nil {
			return nil, err
		}
	}
	m, err := model.OpenWeights(path)
	if err != nil || outliers == nil {
		return m, err
	}
	view, err := m.InjectOutliers(outliers.Seed, outliers.Strength)
	if err != nil {
		m.Close()
		return nil, err
	}
	return view, nil // reads through m, which lives as long as the process
}
