package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/illm-go/illm/pkg/artifact"
	"github.com/illm-go/illm/pkg/catalog"
	"github.com/illm-go/illm/pkg/corpus"
	"github.com/illm-go/illm/pkg/quant"
	"github.com/illm-go/illm/pkg/smooth"
	"github.com/illm-go/illm/pkg/suggest"
)

// trained lists the methods that the trainer makes.
var trained = []string{"fsbr", "omniquant"}

// trainedWindows is the paper's number of windows, mostWindows what the methods bear.
const (
	trainedWindows = 128
	mostWindows    = 4096
)

// trainedState is what the trainer appends to the name of the file for its state.
const trainedState = ".state"

// backendVariable is what the trainer reads its backend from.
const backendVariable = "GOMLX_BACKEND"

// calibrating holds the flags of calibrate.
type calibrating struct {
	settings
	method, out, from, text, alpha, backend string
	windows, window                         int
	seed                                    uint64
	force, clips                            bool
}

func (a *app) calibrateCommand() *cobra.Command {
	var c calibrating
	cmd := &cobra.Command{
		Use:   "calibrate [-- TRAINER ARGUMENTS…]",
		Short: "Make the factors behind recipes such as w4a4-fsbr",
		Long: `calibrate prepares the float weights of a model for a recipe and writes what it found,
never weights, into a small file. Without --out the file goes to the cache and the integer
artefact is made at once: then every command takes the recipe RECIPE-METHOD.

  rtn          nothing: round to nearest
  smoothquant  norm → linear factors from the maxima of activations; --alpha 0.5, or grid
  gptq         codes chosen by GPTQ on the windows
  rotate       Hadamard rotations at every site that the model can have
  best         rotation (or the factors of --from), clipping and range ratios searched, GPTQ
  omniquant    factors, shifts and clipping trained block by block
  fsbr         the paper's: all smoothing pairs and clipping trained block by block

The first five run here. rtn, gptq and smoothquant with a number for --alpha give the same file on
every machine; so do rotate and best, but for the last digits of max_abs, which depend on the
instruction set, and --alpha grid may choose another exponent there. The last two run the trainer
("illm train fsbr --help") from the clone, on the backend of --backend; what stands behind
-- goes to it. An interrupted training goes on without --force, with it training begins anew.
--from takes a file that was trained elsewhere.

--clips leaves factors and codes as they are and looks for the clip value of the integer softmax in
each layer, in place of 15 in all: the list with the least divergence of the engine from the float
model on windows of the calibration text (8 of 512 tokens; --windows, --window). It starts from the
recipe's own factors, or those of --from, and makes the variant RECIPE-METHOD@clips, a row of its
own. A recipe with such a list takes no other --clip.`,
		Example: `  illm calibrate --model tiny-llama --recipe w4a4 --method smoothquant
  illm calibrate --model smollm2 --recipe w4a4 --method fsbr --backend xla:cuda --out smollm2-w4a4-fsbr.safetensors
  illm calibrate --model tiny-llama --recipe w4a4 --method fsbr --backend go -- --epochs 2
  illm calibrate --model tiny-llama --recipe w4a4 --method best --clips
  illm eval --model tiny-llama --recipe w4a4,w4a4-smoothquant`,
		Args: func(cmd *cobra.Command, args []string) error {
			if at := cmd.ArgsLenAtDash(); len(args) > 0 && at != 0 {
				return usageError(fmt.Errorf("calibrate takes arguments only behind --, for the trainer; found %q", args))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return a.calibrate(cmd.Context(), &c, args) },
	}
	c.settings.flags(cmd, "w4a4")
	f := cmd.Flags()
	f.StringVar(&c.method, "method", "", strings.Join(quant.Methods(), ", "))
	f.StringVarP(&c.out, "out", "o", "", "file to write (default: in the cache)")
	f.BoolVar(&c.force, "force", false, "replace an existing file, and the state of an interrupted training")
	f.BoolVar(&c.clips, "clips", false, "search the softmax's clip value layer by layer, on factors that are there")
	f.StringVar(&c.text, "text", corpus.Calibration, "calibration text: a name or a path")
	f.IntVar(&c.windows, "windows", 0, "windows of the text; 0: 16, or 128 for training")
	f.IntVar(&c.window, "window", 0, "tokens in a window; 0: 2048, or the model's context")
	f.StringVar(&c.alpha, "alpha", "0.5", "smoothquant: exponent of the activations, a multiple of 1/16, or grid")
	f.StringVar(&c.from, "from", "", "factor `file` to begin with: best puts rounding on it, fsbr and omniquant take it instead of training, --clips looks for clips on it")
	f.Uint64Var(&c.seed, "seed", 2, "rotate, best: of the rotation's random signs (0: none); fsbr, omniquant: of which windows are drawn and their order")
	f.StringVar(&c.backend, "backend", "", "of training: go, xla:cpu or xla:cuda (default: that of "+backendVariable+", else go)")
	return cmd
}

func (a *app) calibrate(ctx context.Context, c *calibrating, extra []string) error {
	spec, err := c.target()
	if err != nil {
		return err
	}
	method := spec.Recipe.MethodName()
	if len(extra) > 0 && !slices.Contains(trained, method) {
		return usageError(fmt.Errorf("calibrate: the method %s has no trainer, found arguments for it: %q", method, extra))
	}
	if err := c.check(method); err != nil {
		return usageError(err)
	}
	e, err := a.entry(ctx, &c.settings)
	if err != nil {
		return err
	}
	defer e.Close()
	if c.window > e.MaxContext() {
		return usageError(fmt.Errorf("calibrate: --window %d: expected 1 to %d tokens, the context of %s", c.window, e.MaxContext(), c.model))
	}
	path, cached := c.out, c.out == ""
	if method != quant.RTN {
		if cached {
			if path, err = e.FactorsPath(spec.Recipe); err != nil {
				return err
			}
		} else if exists(path) && !c.force && !c.interrupted(method, path) {
			return usageError(fmt.Errorf("calibrate: %s exists: expected a new file, or --force to replace it", path))
		}
		if c.clips {
			err = c.searchClips(ctx, a, e, spec, path)
		} else if slices.Contains(trained, method) {
			if c.from == "" {
				err = a.trainFactors(ctx, c, spec, path, extra)
			}
			if err == nil {
				err = c.adopt(ctx, e, spec, path)
			}
		} else {
			err = c.makeFactors(ctx, e, spec, path)
		}
		if err != nil {
			return err
		}
	}
	return a.report(ctx, c, e, spec, path, cached)
}

// check refuses values of flags that no model could take, before anything long begins.
func (c *calibrating) check(method string) error {
	switch {
	case c.windows < 0 || c.windows > mostWindows:
		return fmt.Errorf("calibrate: --windows %d: expected 1 to %d, or 0 for the method's own number", c.windows, mostWindows)
	case c.clips && c.backend != "":
		return fmt.Errorf("calibrate: --backend goes with training, found --clips")
	case c.window < 0:
		return fmt.Errorf("calibrate: --window %d: expected at least 1 token, or 0 for 2048 or the model's context", c.window)
	case c.backend != "" && !slices.Contains(trained, method):
		return fmt.Errorf("calibrate: --backend goes with the methods %s, found %s", strings.Join(trained, ", "), method)
	case c.backend != "" && c.backend != "go" && !strings.HasPrefix(c.backend, "xla:"):
		return fmt.Errorf("calibrate: --backend %q: expected go, xla:cpu or xla:cuda", c.backend)
	}
	if c.out == "" {
		return nil
	}
	dir := filepath.Dir(c.out)
	if st, err := os.Stat(dir); err != nil || !st.IsDir() {
		return fmt.Errorf("calibrate: --out %s: expected a file in a folder that is there, found no folder %s: make it first", c.out, dir)
	}
	if st, err := os.Stat(c.out); err == nil && st.IsDir() {
		return fmt.Errorf("calibrate: --out %s: expected a file, found a folder: name a file in it", c.out)
	}
	return nil
}

// target is the recipe with its method, from --recipe and --method.
func (c *calibrating) target() (quant.Spec, error) {
	spec, err := c.spec(c.recipe)
	if err != nil {
		return spec, err
	}
	method := c.method
	switch {
	case method == "":
		method = spec.Recipe.Method
	case spec.Recipe.Method != "" && spec.Recipe.Method != method:
		return spec, usageError(fmt.Errorf("calibrate: the recipe %s names a method, --method another: %s", spec.Recipe.Name, method))
	}
	if method == "" {
		return spec, usageError(fmt.Errorf("calibrate: --method is missing: expected one of %s", strings.Join(quant.Methods(), ", ")))
	}
	if !slices.Contains(quant.Methods(), method) {
		hint := suggest.Hint(method, quant.Methods())
		if hint == "" {
			hint = "expected one of " + strings.Join(quant.Methods(), ", ")
		}
		return spec, usageError(fmt.Errorf("calibrate: unknown method %q: %s", method, hint))
	}
	if method == quant.RTN && c.out != "" {
		return spec, usageError(fmt.Errorf("calibrate: the method rtn has no factors to write: \"illm quantize --out\" writes its artefact"))
	}
	if c.from != "" && !c.clips && method != "best" && !slices.Contains(trained, method) {
		return spec, usageError(fmt.Errorf("calibrate: --from goes with the methods best, %s, found %s", strings.Join(trained, ", "), method))
	}
	spec.Recipe, err = spec.Recipe.WithMethod(method)
	if err == nil && c.clips {
		spec, err = c.clipTarget(spec)
	}
	return spec, usageError(err)
}

// makeFactors runs the methods that need no trainer.
func (c *calibrating) makeFactors(ctx context.Context, e *catalog.Entry, spec quant.Spec, path string) error {
	how := catalog.Calibrating{Text: c.text, Windows: c.windows, Window: c.window, Seed: c.seed, Grid: c.alpha == "grid"}
	if !how.Grid {
		v, err := strconv.ParseFloat(c.alpha, 64)
		how.Alpha = int(16 * v)
		if err != nil || !(v > 0 && v <= 1) || float64(how.Alpha) != 16*v {
			return usageError(fmt.Errorf("calibrate: --alpha %q: expected a multiple of 1/16 above 0 and at most 1 such as 0.5 or 0.625, or grid", c.alpha))
		}
	}
	if c.from != "" {
		var err error
		if how.From, err = smooth.Read(c.from); err != nil {
			return usageError(err)
		}
	}
	f, err := e.MakeFactors(ctx, spec, how)
	if err != nil {
		return c.blame(err)
	}
	return f.Write(path)
}

// interrupted says that a training of the file stopped halfway, so that whoever began it agreed to replace the file then.
func (c *calibrating) interrupted(method, path string) bool {
	return c.from == "" && !c.clips && slices.Contains(trained, method) && exists(path+trainedState)
}

// trainFactors draws the windows and runs the trainer. Its state beside the file lets an interrupted run go on; --force
// drops it.
func (a *app) trainFactors(ctx context.Context, c *calibrating, spec quant.Spec, path string, extra []string) error {
	out, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	temp, err := os.MkdirTemp("", "illm-calibrate-")
	if err != nil {
		return fmt.Errorf("calibrate: %w: set TMPDIR to a writable folder", err)
	}
	defer os.RemoveAll(temp)
	tokens := filepath.Join(temp, "tokens.u32")
	name := absolute(c.model)
	windows := c.windows
	if windows == 0 {
		windows = trainedWindows
	}
	if c.backend != "" {
		if err := os.Setenv(backendVariable, c.backend); err != nil {
			return err
		}
	}
	draw := []string{"tokens", "--model", name, "--text", absolute(c.text), "--out", tokens, "--windows", strconv.Itoa(windows),
		"--window", strconv.Itoa(c.window), "--seed", strconv.FormatUint(c.seed, 10)}
	if err := a.train(ctx, draw); err != nil {
		return err
	}
	method := spec.Recipe.Method
	args := []string{"fsbr", "--model", name, "--tokens", tokens, "--text", c.text, "--out", out, "--recipe", spec.Recipe.Widths(),
		"--method", method, "--window", strconv.Itoa(c.window), "--seed", strconv.FormatUint(c.seed, 10)}
	switch {
	case c.force:
		args = append(args, "--force")
	case exists(out + trainedState):
		a.logf("calibrate: going on from %s%s; --force begins anew", out, trainedState)
		args = append(args, "--resume")
	}
	return a.train(ctx, append(args, extra...))
}

// adopt checks what the trainer left, here or elsewhere (--from), and completes it.
func (c *calibrating) adopt(ctx context.Context, e *catalog.Entry, spec quant.Spec, path string) error {
	from := path
	if c.from != "" {
		from = c.from
	}
	f, err := smooth.Read(from)
	if err != nil {
		if c.from != "" {
			return usageError(err)
		}
		return err // the trainer's own file
	}
	if err := e.Adopt(ctx, f, spec.Recipe); err != nil {
		return c.blame(err)
	}
	return f.Write(path)
}

// blame marks an error that the value of a flag caused: a text or model that is not there, or a file of --from that was
// made for something else.
func (c *calibrating) blame(err error) error {
	if c.from != "" && errors.Is(err, catalog.ErrFactors) {
		return usageError(err)
	}
	return asUsage(err)
}

// absolute is the path of a file that is there, and any other name as it is: the trainer runs in the clone.
func absolute(name string) string {
	base, variant := name, ""
	if at := strings.LastIndexByte(name, '+'); at > 0 {
		base, variant = name[:at], name[at:]
	}
	if exists(base) {
		if p, err := filepath.Abs(base); err == nil {
			return p + variant
		}
	}
	return name
}

// report reads the file back, makes the artefact where recipes will find the file, and says what to do with it.
func (a *app) report(ctx context.Context, c *calibrating, e *catalog.Entry, spec quant.Spec, path string, cached bool) error {
	record := map[string]any{"kind": "calibrate", "model": c.model, "recipe": spec.Recipe.Name, "method": spec.Recipe.MethodName()}
	if spec.Recipe.Method != "" {
		f, err := smooth.Read(path)
		if err != nil {
			return err
		}
		hash, err := f.Hash()
		if err != nil {
			return err
		}
		st, err := os.Stat(path)
		if err != nil {
			return err
		}
		name, err := e.FactorsName(spec.Recipe)
		if err != nil {
			return err
		}
		record["path"], record["sha256"], record["bytes"] = path, hash, st.Size()
		a.printf("%s  %s\n  %d bytes; to ship it: data/factors/%s\n", hash, path, st.Size(), name)
		if !cached {
			if filepath.Base(path) == name {
				a.printf("  to use it: %s=%s illm eval --model %s --recipe %s\n", catalog.FactorsVariable, filepath.Dir(path), c.model, spec.Recipe.Name)
			}
			return a.record(record)
		}
		_, where, err := e.Factors(spec.Recipe)
		if err != nil {
			return err
		}
		if where != path {
			a.logf("illm: warning: the recipe %s takes %s, which goes before the cache: to use the new file, put it into a folder named by %s", spec.Recipe.Name, where, catalog.FactorsVariable)
			return a.record(record)
		}
	}
	file, err := e.Artifact(ctx, spec)
	if err != nil {
		return err
	}
	art, err := artifact.Open(file)
	if err != nil {
		return err
	}
	err = errors.Join(art.Verify(), art.Close())
	record["artefact"] = art.ID
	a.printf("artefact %s  %s\n  to use it: illm eval --model %s --recipe %s\n", art.ID, file, c.model, spec.Recipe.Name)
	return errors.Join(err, a.record(record))
}
