package pretrain

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"time"

	"github.com/gomlx/gomlx/backends"
	"github.com/illm-go/illm/pkg/model"
	"github.com/illm-go/illm/pkg/tape"
)

// open starts from a checkpoint or from new weights.
func (r *run) open() error {
	o := r.o
	r.valid = math.NaN()
	recipe := o.recipe()
	r.state = state{Recipe: recipe, Total: o.Steps, Cursor: cursor{data: o.Train, window: o.Window, seed: o.Seed}}
	if o.Checkpoints != "" {
		if err := os.MkdirAll(o.Checkpoints, 0o777); err != nil {
			return fmt.Errorf("pretrain: checkpoint folder: %w", err)
		}
		path, err := latest(o.Checkpoints)
		if err != nil {
			return err
		}
		if path != "" {
			s, groups, err := loadCheckpoint(path, recipe)
			if err != nil {
				return err
			}
			s.Cursor.data, s.Cursor.window, s.Cursor.seed = o.Train, o.Window, o.Seed
			r.state, r.before = s, s.Seconds
			o.Log("resume from %s: step %d", path, s.Step)
			return errors.Join(r.upload(groups), r.openCurve())
		}
	}
	var w, zero [][]float32
	for i, t := range r.tensors {
		w = append(w, initial(o.Config, t, o.Seed, i))
		zero = append(zero, make([]float32, t.Size()))
	}
	groups := [][][]float32{w, zero, zero}
	if o.Average > 0 {
		groups = append(groups, w)
	}
	return errors.Join(r.upload(groups), r.openCurve())
}

func (r *run) upload(groups [][][]float32) error {
	for _, group := range groups {
		for i, values := range group {
			b, err := r.device.Put(values, tape.F32, r.tensors[i].Dims...)
			if err != nil {
				return err
			}
			r.buffers = append(r.buffers, b)
		}
	}
	return nil
}

// download copies group g to the host.
func (r *run) download(g int) ([][]float32, error) {
	out := make([][]float32, len(r.tensors))
	for i, t := range r.tensors {
		out[i] = make([]float32, t.Size())
		if err := r.device.Get(r.buffers[g*len(r.tensors)+i], out[i]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// best are the buffers of the weights to validate and export.
func (r *run) best() (group int) {
	if r.o.Average > 0 {
		return 3
	}
	return 0
}

func (r *run) compile() (err error) {
	o, sh := r.o, r.o.shape()
	cost := CostOf(o.Config, o.Window)
	o.Log("%s: %.2f M parameters, %.1f MFLOP a token in training; batch %d × %d tokens, %s on %s",
		o.Config.Architecture, float64(cost.Parameters)/1e6, cost.FLOPs/1e6, o.Batch, o.Window, o.Precision, o.Backend.Name())
	at := time.Now()
	r.step, err = buildStep(o.Backend, o.Config, sh, adamw{
		AdamW: tape.AdamW{Beta1: 0.9, Beta2: 0.95, Eps: 1e-8}, decay: o.Decay, clip: o.Clip, embedDecay: o.EmbedDecay, average: o.Average > 0,
	})
	if err != nil {
		return err
	}
	if len(o.Valid.IDs) > 0 {
		r.evalBatch = min(o.Batch, (len(o.Valid.IDs)-1)/o.Window)
		sh.batch = r.evalBatch
		if r.eval, err = buildEval(o.Backend, o.Config, sh); err != nil {
			return err
		}
	}
	o.Log("compiled in %.1f s", time.Since(at).Seconds())
	return nil
}

func (r *run) close() {
	r.device.Free(r.buffers...)
	r.device.Free(r.stats...)
	for _, e := range []backends.Executable{r.step, r.eval} {
		if e != nil {
			e.Finalize()
		}
	}
	if r.curve != nil {
		r.curve.Close()
	}
}

// validate returns the mean of −log p over the first windows of the validation stream, all of them for 0.
func (r *run) validate(windows int) (float64, error) {
	o := r.o
	all := (len(o.Valid.IDs) - 1) / o.Window
	if windows == 0 || windows > all {
		windows = all
	}
	n := len(r.tensors)
	weights := r.buffers[r.best()*n : (r.best()+1)*n]
	tokens := make([]int32, r.evalBatch*(o.Window+1))
	sums := make([]float32, r.evalBatch)
	var sum float64
	for at := 0; at < windows; at += r.evalBatch {
		// The last batch is filled up with its own last window.
		used := min(r.evalBatch, windows-at)
		for i := range r.evalBatch {
			from := (at + min(i, used-1)) * o.Window
			for j := range o.Window + 1 {
				tokens[i*(o.Window+1)+j] = int32(o.Valid.IDs[from+j])
			}
		}
		in, err := r.device.Put(tokens, tape.I32, r.evalBatch, o.Window+1)
		if err != nil {
			return 0, err
		}
		outs, err := r.eval.Execute(append(append([]backends.Buffer{}, weights...), in), nil, 0)
		r.device.Free(in)
		if err != nil {
			return 0, fmt.Errorf("pretrain: validation: %w", err)
		}
		err = r.device.Get(outs[0], sums)
		r.device.Free(outs...)
		if err != nil {
			return 0, err
		}
		for _, s := range sums[:used] {
			sum += float64(s)
		}
	}
	return sum / float64(windows*o.Window), nil
}

// save writes a checkpoint. The losses of all its steps have been looked at.
func (r *run) save() error {
	at := time.Now()
	var groups [][][]float32
	for g := range r.groups() {
		values, err := r.download(g)
		if err != nil {
			return err
		}
		groups = append(groups, values)
	}
	r.state.Seconds = r.seconds()
	path, err := saveCheckpoint(r.o.Checkpoints, r.state, groups, r.o.Keep)
	if err != nil {
		return err
	}
	if err := r.curve.Sync(); err != nil {
		return fmt.Errorf("pretrain: curve: %w", err)
	}
	r.saved = time.Now()
	r.overhead += time.Since(at)
	r.o.Log("saved %s in %.1f s", path, time.Since(at).Seconds())
	return nil
}

// pause saves a checkpoint, if there is a folder for it, and says so.
func (r *run) pause(ctx context.Context) error {
	cause := context.Cause(ctx)
	if r.o.Checkpoints == "" {
		return fmt.Errorf("pretrain: stopped at step %d, nothing saved: %w", r.state.Step, cause)
	}
	if err := r.mark(false); err != nil {
		return err
	}
	if err := r.save(); err != nil {
		return err
	}
	return fmt.Errorf("%w: step %d: %w", ErrPaused, r.state.Step, cause)
}

// finish saves, validates on the whole stream and exports.
func (r *run) finish() (Result, error) {
	o := r.o
	if o.Checkpoints != "" {
		if err := r.save(); err != nil {
			return r.result(), err
		}
	}
	if o.Out != "" {
		values, err := r.download(r.best())
		if err != nil {
			return r.result(), err
		}
		src := source{}
		for i, t := range r.tensors {
			src[t.Name] = values[i]
		}
		if err := model.Save(o.Out, o.Config, src, o.TokenizerJSON, o.Dtype); err != nil {
			return r.result(), err
		}
		o.Log("exported %s", o.Out)
	}
	if r.eval != nil {
		v, err := r.validate(0)
		if err != nil {
			return r.result(), err
		}
		r.valid = v
		if r.line.Valid == nil || *r.line.Valid != v {
			r.line.Valid = &v
			if err := r.writeLine(r.line); err != nil {
				return r.result(), err
			}
		}
		o.Log("validation over the whole stream: %.4f a token, perplexity %.2f", v, math.Exp(v))
	}
	return r.result(), nil
}

// source gives tensors by name to model.Save.
type source map[string][]float32

func (s source) Float32(name string, dst []float32) ([]float32, error) {
	v, ok := s[name]
	if !ok {
		return nil, fmt.Errorf("pretrain: export: no tensor %q", name)
	}
	return append(dst[:0], v...), nil
}
