package pretrain

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"time"

	"github.com/gomlx/gomlx/backends"

	"github.com/illm-go/illm/pkg/model"
)

// Options of a run. The zero value of a field means the default named beside it.
type Options struct {
	Backend       backends.Backend
	Config        model.Config
	Train, Valid  Tokens // no Valid: no validation
	TokenizerJSON []byte // identifies the vocabulary and is exported with the model

	Out         string        // folder of the exported model; "": none
	Dtype       string        // of the export; "F16"
	Checkpoints string        // folder of checkpoints and of the curve; "": none, no resuming
	Keep        int           // newest checkpoints that stay; 2
	Every       time.Duration // between checkpoints; 3 minutes

	Batch  int // windows of a step; 64
	Window int // tokens of a window; MaxContext

	// Steps is the length of the run. With Minutes in its place the length follows from the speed of the first steps,
	// so that training takes that long in all, over all its interruptions. The learning rate follows its whole schedule
	// in both cases.
	Steps   int
	Minutes float64

	Rate       float64 // peak learning rate; 0.001
	Floor      float64 // last learning rate as a share of the peak; 0.1
	Warmup     int     // steps; 200
	Decay      float64 // weight decay; 0.1, negative: none
	EmbedDecay bool    // for embeddings too
	Clip       float64 // largest norm of the gradient; 1, negative: none
	Dropout    float64 // of the outputs of attention and MLP; 0
	Average    float64 // decay of a moving average of the weights, which is then validated and exported; 0: none
	Seed       uint64
	Precision  string // of the matrix products: "bf16" or "f32"; "bf16"

	// AttentionChunks is the number of parts that queries are cut into; 1. More parts compute less of the upper half of
	// the scores, in smaller products.
	AttentionChunks int

	ValidEvery   int // steps between validations; 500
	ValidWindows int // windows of a validation while training, all at the end; 64·8
	LogEvery     int // steps between lines of the curve; 10

	PeakTFLOPS float64                          // of the machine, for the share of it that is used; 0: not told
	Log        func(format string, args ...any) // progress; nil: silent
}

// Line is a point of the training curve, one JSON object a line in curve.jsonl of the checkpoint folder.
type Line struct {
	Step    int      `json:"step"`
	Epoch   float64  `json:"epoch"`
	Tokens  int64    `json:"tokens"`
	Rate    float64  `json:"lr"`
	Loss    float64  `json:"loss"`      // mean over the steps since the line before
	Norm    float64  `json:"grad_norm"` // of the last step, before clipping
	Valid   *float64 `json:"valid"`     // mean −log p per token, null where not measured
	Seconds float64  `json:"seconds"`   // of training so far, over all sessions
	Speed   float64  `json:"tokens_per_second"`
}

// Result of a run.
type Result struct {
	Steps   int
	Tokens  int64
	Loss    float64 // of the last line
	Valid   float64 // over the whole validation stream; NaN without one
	Seconds float64
}

// Paused says that a run stopped before its end with everything saved: the same call goes on from there.
var Paused = errors.New("pretrain: paused, a checkpoint is saved")

func (o Options) defaults() Options {
	def := func(v *int, d int) {
		if *v == 0 {
			*v = d
		}
	}
	deff := func(v *float64, d float64) {
		if *v == 0 {
			*v = d
		}
	}
	def(&o.Keep, 2)
	def(&o.Batch, 64)
	def(&o.Window, o.Config.MaxContext)
	def(&o.Warmup, 200)
	def(&o.AttentionChunks, 1)
	def(&o.ValidEvery, 500)
	def(&o.ValidWindows, 512)
	def(&o.LogEvery, 10)
	deff(&o.Rate, 1e-3)
	deff(&o.Floor, 0.1)
	deff(&o.Decay, 0.1)
	deff(&o.Clip, 1)
	o.Decay, o.Clip = max(0, o.Decay), max(0, o.Clip)
	if o.Every == 0 {
		o.Every = 3 * time.Minute
	}
	if o.Dtype == "" {
		o.Dtype = "F16"
	}
	if o.Precision == "" {
		o.Precision = "bf16"
	}
	if o.Log == nil {
		o.Log = func(string, ...any) {}
	}
	return o
}

func (o Options) check() error {
	bad := func(field string, value any, want string) error {
		return fmt.Errorf("pretrain: options: %s: expected %s, found %v", field, want, value)
	}
	if o.Backend == nil {
		return bad("Backend", nil, "one")
	}
	if err := Check(o.Config); err != nil {
		return err
	}
	switch {
	case o.Batch < 1:
		return bad("Batch", o.Batch, "at least 1")
	case o.Window < 1 || o.Window > o.Config.MaxContext:
		return bad("Window", o.Window, fmt.Sprintf("1–%d, the context of the model", o.Config.MaxContext))
	case o.AttentionChunks < 1 || o.Window%o.AttentionChunks != 0:
		return bad("AttentionChunks", o.AttentionChunks, fmt.Sprintf("a divisor of the window %d", o.Window))
	case len(o.Train.IDs) < o.Window+1:
		return bad("Train", len(o.Train.IDs), fmt.Sprintf("at least a window and one token, %d", o.Window+1))
	case len(o.Valid.IDs) > 0 && len(o.Valid.IDs) < o.Window+1:
		return bad("Valid", len(o.Valid.IDs), fmt.Sprintf("none, or at least a window and one token, %d", o.Window+1))
	case (o.Steps > 0) == (o.Minutes > 0) || o.Steps < 0 || o.Minutes < 0:
		return bad("Steps, Minutes", fmt.Sprintf("%d, %v", o.Steps, o.Minutes), "one of the two")
	case o.Precision != "bf16" && o.Precision != "f32":
		return bad("Precision", o.Precision, "bf16 or f32")
	case !(o.Dropout >= 0 && o.Dropout < 1):
		return bad("Dropout", o.Dropout, "0 up to 1")
	case !(o.Average >= 0 && o.Average < 1):
		return bad("Average", o.Average, "0 up to 1")
	case !(o.Rate > 0) || math.IsInf(o.Rate, 0):
		return bad("Rate", o.Rate, "a positive number")
	case !(o.Floor > 0 && o.Floor <= 1):
		return bad("Floor", o.Floor, "above 0, at most 1")
	case o.Warmup < 1:
		return bad("Warmup", o.Warmup, "at least 1")
	}
	if err := o.Train.check(o.Config.Vocab); err != nil {
		return fmt.Errorf("pretrain: training stream: %w", err)
	}
	if err := o.Valid.check(o.Config.Vocab); err != nil {
		return fmt.Errorf("pretrain: validation stream: %w", err)
	}
	return nil
}

func (o Options) recipe() Recipe {
	return Recipe{
		Config: o.Config, Tokenizer: hashBytes(o.TokenizerJSON), Train: hashTokens(o.Train),
		Backend: o.Backend.Name(), Precision: o.Precision,
		Batch: o.Batch, Window: o.Window, AttentionChunks: o.AttentionChunks, Seed: o.Seed,
		Rate: o.Rate, Floor: o.Floor, Warmup: o.Warmup, Steps: o.Steps, Minutes: o.Minutes,
		Decay: o.Decay, EmbedDecay: o.EmbedDecay, Clip: o.Clip, Dropout: o.Dropout, Average: o.Average,
	}
}

func (o Options) shape() shape {
	s := shape{batch: o.Batch, window: o.Window, chunks: o.AttentionChunks, compute: bf16, dropout: o.Dropout}
	if o.Precision == "f32" {
		s.compute = f32
	}
	return s
}

// Train trains a model and exports it. Where o.Checkpoints holds a checkpoint of the same recipe it goes on from there.
//
// When ctx ends it saves a checkpoint and returns Paused, with the cause of ctx. A loss that is not finite ends it with
// an error that names the step.
func Train(ctx context.Context, o Options) (Result, error) {
	o = o.defaults()
	if err := o.check(); err != nil {
		return Result{}, err
	}
	r := &run{o: o, device: device{o.Backend}, tensors: Tensors(o.Config)}
	defer r.close()
	if err := r.open(); err != nil {
		return Result{}, err
	}
	if err := r.compile(); err != nil {
		return Result{}, err
	}
	if err := r.loop(ctx); err != nil {
		return r.result(), err
	}
	return r.finish(ctx)
}

// run is a training in progress.
type run struct {
	o       Options
	device  device
	tensors []Tensor
	state   state

	step, eval backends.Executable
	buffers    []backends.Buffer // w, m, v and the average of every tensor, on the device
	evalBatch  int

	curve    *os.File
	began    time.Time // of this session's first step
	before   float64   // seconds of earlier sessions
	stats    []backends.Buffer
	line     Line
	marked   time.Time // when the last line was written
	valid    float64
	overhead time.Duration // of validations and checkpoints since the last line
	saved    time.Time
}

func (r *run) groups() int {
	if r.o.Average > 0 {
		return 4
	}
	return 3
}

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
			b, err := r.device.put(values, f32, r.tensors[i].Dims...)
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
		if err := r.device.get(r.buffers[g*len(r.tensors)+i], out[i]); err != nil {
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
		beta1: 0.9, beta2: 0.95, eps: 1e-8, decay: o.Decay, clip: o.Clip, embedDecay: o.EmbedDecay, average: o.Average > 0,
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
	r.device.free(r.buffers...)
	r.device.free(r.stats...)
	for _, e := range []backends.Executable{r.step, r.eval} {
		if e != nil {
			e.Finalize()
		}
	}
	if r.curve != nil {
		r.curve.Close()
	}
}

// seconds is the time spent training, over all sessions.
func (r *run) seconds() float64 { return r.before + time.Since(r.began).Seconds() }

// Steps at the start of a session that are not timed, and those that are, to plan the length of a run by its minutes.
const (
	settle  = 5
	measure = 25
)

// loop does the steps that are left.
func (r *run) loop(ctx context.Context) error {
	o := r.o
	tokens := make([]int32, o.Batch*(o.Window+1))
	r.began, r.saved, r.marked = time.Now(), time.Now(), time.Now()
	var timed time.Time
	first := r.state.Step
	for r.state.Total == 0 || r.state.Step < r.state.Total {
		if ctx.Err() != nil {
			return r.pause(ctx)
		}
		r.state.Cursor.fill(tokens)
		rate := r.rate()
		if err := r.one(tokens, rate); err != nil {
			return err
		}
		r.state.Step++
		switch done := r.state.Step - first; {
		case done == settle:
			timed = time.Now()
		case done == settle+measure && r.state.Total == 0:
			r.plan(time.Since(timed).Seconds() / measure)
		}
		last := r.state.Step == r.state.Total
		if r.state.Step%o.LogEvery == 0 || last {
			if err := r.mark(rate, r.eval != nil && !last && r.state.Step%o.ValidEvery < o.LogEvery && r.state.Step >= o.ValidEvery); err != nil {
				return err
			}
			if o.Checkpoints != "" && !last && time.Since(r.saved) > o.Every {
				if err := r.save(); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// rate is the learning rate of the next step. Before the length of the run is known it is that of the warm-up, or the
// peak.
func (r *run) rate() float64 {
	o := r.o
	total := r.state.Total
	if total == 0 {
		total = math.MaxInt32
	}
	return rateAt(r.state.Step, o.Warmup, total, o.Rate, o.Floor)
}

// plan fixes the length of a run by its minutes, given the seconds of a step: 3 % are left for validations, checkpoints
// and the export.
func (r *run) plan(step float64) {
	left := 0.97*60*r.o.Minutes - r.seconds()
	r.state.Total = r.state.Step + max(1, int(left/step))
	perStep := float64(r.o.Batch * r.o.Window)
	r.o.Log("%.1f ms a step, %.0f tokens/s: %d steps in %.1f minutes, %.0f M tokens, %.2f epochs",
		1e3*step, perStep/step, r.state.Total, r.o.Minutes, perStep*float64(r.state.Total)/1e6,
		perStep*float64(r.state.Total)/float64(len(r.o.Train.IDs)))
}

// one does a step.
func (r *run) one(tokens []int32, rate float64) error {
	o := r.o
	t := float64(r.state.Step + 1)
	scalars := make([]float32, numScalars)
	scalars[scalarRate] = float32(rate)
	scalars[scalarFirst] = float32(1 / (1 - math.Pow(0.9, t)))
	scalars[scalarSecond] = float32(1 / (1 - math.Pow(0.95, t)))
	scalars[scalarDecay] = float32(min(o.Average, (1+t)/(10+t))) // short memory at first
	var extra []backends.Buffer
	defer func() { r.device.free(extra...) }()
	put := func(b backends.Buffer, err error) error {
		extra = append(extra, b)
		return err
	}
	err := errors.Join(
		put(r.device.put(tokens, i32, o.Batch, o.Window+1)),
		put(r.device.put(scalars, f32, numScalars)))
	if o.Dropout > 0 {
		seed := []uint32{uint32(splitmix(o.Seed ^ splitmix(uint64(r.state.Step))))}
		err = errors.Join(err, put(r.device.put(seed, u32, 1)))
	}
	if err != nil {
		return err
	}
	outs, err := r.step.Execute(append(append([]backends.Buffer{}, r.buffers...), extra...), nil, 0)
	if err != nil {
		return fmt.Errorf("pretrain: step %d: %w", r.state.Step+1, err)
	}
	r.device.free(r.buffers...)
	n := len(outs) - 1
	r.buffers = outs[:n:n]
	r.stats = append(r.stats, outs[n])
	return nil
}

// splitmix is a bijection of 64 bits that mixes them well (Steele et al., "Fast splittable pseudorandom number
// generators", figure 17).
func splitmix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// mark reads the losses of the last steps and writes a line of the curve.
func (r *run) mark(rate float64, validate bool) error {
	if len(r.stats) == 0 {
		return nil
	}
	o := r.o
	var sum, norm float64
	for i, b := range r.stats {
		var v [2]float32
		if err := r.device.get(b, v[:]); err != nil {
			return err
		}
		loss := float64(v[0])
		norm = float64(v[1])
		if math.IsNaN(loss) || math.IsInf(loss, 0) || math.IsNaN(norm) || math.IsInf(norm, 0) {
			return fmt.Errorf("pretrain: step %d: expected a finite loss and gradient, found %v and %v: lower the learning rate (%g) and go on from the last checkpoint in another folder",
				r.state.Step-len(r.stats)+i+1, loss, norm, rate)
		}
		sum += loss
	}
	steps := len(r.stats)
	r.device.free(r.stats...)
	r.stats = r.stats[:0]
	perStep := int64(o.Batch * o.Window)
	l := Line{
		Step: r.state.Step, Tokens: int64(r.state.Step) * perStep,
		Epoch: float64(r.state.Cursor.Epoch) + float64(r.state.Cursor.Next)/float64(len(r.state.Cursor.order.starts)),
		Rate:  rate, Loss: sum / float64(steps), Norm: norm, Seconds: r.seconds(),
		Speed: float64(int64(steps)*perStep) / (time.Since(r.marked) - r.overhead).Seconds(),
	}
	if validate {
		v, err := r.validate(o.ValidWindows)
		if err != nil {
			return err
		}
		r.valid, l.Valid = v, &v
	}
	r.line, r.marked, r.overhead = l, time.Now(), 0
	r.report(l)
	return r.writeLine(l)
}

func (r *run) report(l Line) {
	valid, peak := "", ""
	if l.Valid != nil {
		valid = fmt.Sprintf("  valid %.4f", *l.Valid)
	}
	if r.o.PeakTFLOPS > 0 {
		peak = fmt.Sprintf("  %.1f %% of peak", 100*l.Speed*CostOf(r.o.Config, r.o.Window).FLOPs/(1e12*r.o.PeakTFLOPS))
	}
	total := "?"
	if r.state.Total > 0 {
		total = fmt.Sprint(r.state.Total)
	}
	r.o.Log("step %d/%s  epoch %.3f  loss %.4f%s  |g| %.2f  lr %.2e  %.0f tok/s%s  %.0f s", l.Step, total, l.Epoch, l.Loss, valid, l.Norm, l.Rate, l.Speed, peak, l.Seconds)
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
		in, err := r.device.put(tokens, i32, r.evalBatch, o.Window+1)
		if err != nil {
			return 0, err
		}
		outs, err := r.eval.Execute(append(append([]backends.Buffer{}, weights...), in), nil, 0)
		r.device.free(in)
		if err != nil {
			return 0, fmt.Errorf("pretrain: validation: %w", err)
		}
		err = r.device.get(outs[0], sums)
		r.device.free(outs...)
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
	if err := r.mark(r.line.Rate, false); err != nil {
		return err
	}
	if err := r.save(); err != nil {
		return err
	}
	return fmt.Errorf("%w: step %d: %w", Paused, r.state.Step, cause)
}

// openCurve opens the curve for appending, without the lines after the step that the run goes on from.
func (r *run) openCurve() error {
	if r.o.Checkpoints == "" {
		return nil
	}
	path := filepath.Join(r.o.Checkpoints, "curve.jsonl")
	lines, err := ReadCurve(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if r.curve, err = os.Create(path); err != nil {
		return fmt.Errorf("pretrain: curve: %w", err)
	}
	for _, l := range lines {
		if l.Step <= r.state.Step {
			if err := r.writeLine(l); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *run) writeLine(l Line) error {
	if r.curve == nil {
		return nil
	}
	if err := json.NewEncoder(r.curve).Encode(l); err != nil {
		return fmt.Errorf("pretrain: curve: %w", err)
	}
	return nil
}

func (r *run) result() Result {
	return Result{Steps: r.state.Step, Tokens: int64(r.state.Step) * int64(r.o.Batch*r.o.Window), Loss: r.line.Loss, Valid: r.valid, Seconds: r.seconds()}
}

// finish saves, validates on the whole stream and exports.
func (r *run) finish(ctx context.Context) (Result, error) {
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
		r.valid, r.line.Valid = v, &v
		if err := r.writeLine(r.line); err != nil {
			return r.result(), err
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

// ReadCurve reads the lines of a curve. A cut last line, of a process that was killed, is left out.
func ReadCurve(path string) ([]Line, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("pretrain: curve: %w", err)
	}
	defer f.Close()
	var lines []Line
	for dec := json.NewDecoder(f); ; {
		var l Line
		if dec.Decode(&l) != nil {
			return lines, nil
		}
		lines = append(lines, l)
	}
}
