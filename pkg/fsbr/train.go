package fsbr

import (
	"context"
	"fmt"
	"maps"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/gomlx/gomlx/backends"

	"github.com/illm-go/illm/pkg/smooth"
)

// Train finds the factors of every block, one block after the other: the target is the output of the float block on
// the float blocks' outputs, the input what the quantised blocks before it gave.
//
// When ctx ends, or a step fails, the blocks that are done are in o.State, and the same call goes on from there;
// the error then is ErrPaused with the cause of ctx. A loss that is not finite, or a hundred times the initial one, is
// an error that names block, epoch and step.
func Train(ctx context.Context, o Options) (*smooth.Factors, error) {
	r, err := newRun(o)
	if err != nil {
		return nil, err
	}
	defer r.close()
	return r.all(ctx)
}

func newRun(o Options) (*run, error) {
	o = o.defaults()
	if err := o.check(); err != nil {
		return nil, err
	}
	on, err := o.kinds()
	if err != nil {
		return nil, err
	}
	r := &run{o: o, dev: newDevice(o.Backend), l: newLayout(o.Config, func(k string) bool { return on[k] })}
	if offline := o.offline(); offline.Any() {
		a, err := smooth.Apply(o.Config, o.Source, &smooth.Factors{Rotation: offline})
		if err != nil {
			return nil, err
		}
		r.o.Source = a
	}
	n := widthsOf(o.Recipe)
	if o.Scores {
		n.score, n.clip = o.Recipe.Score, o.Clip
	}
	r.s = shape{c: o.Config, n: n, l: r.l, loss: o.Loss, batch: o.Batch, window: o.window(), chunks: o.Chunks, split: o.Split, online: o.Rotation}
	r.trains = o.trains() && r.l.size > 0
	r.asked = r.meta()
	return r, nil
}

// offline is what of the rotation goes into the weights before anything else.
func (o Options) offline() smooth.Rotation {
	r := o.Rotation
	qk, _, _ := r.Online(o.Config)
	return smooth.Rotation{Residual: r.Residual, ValueOut: r.ValueOut, QueryKey: r.QueryKey && !qk, Seed: r.Seed}
}

// run is a calibration in progress.
type run struct {
	o      Options
	dev    *device
	l      layout
	s      shape
	p      programs
	trains bool
	asked  map[string]string // Meta without results
	state  saved
	curve  *os.File

	// Inputs of the block at hand for all windows: of the float and of the quantised network.
	float, quantised *table
	disk             bool // tables are files
	weights          []backends.Buffer
	host             map[string][]float32

	rawRow []byte    // a row of a table as it stands in a file
	batch  []float32 // rows of a batch
}

func (r *run) close() {
	r.drop(r.float, r.quantised)
	r.dev.Free(r.weights...)
	r.p.close()
	if r.curve != nil {
		r.curve.Close()
	}
}

// meta says what is asked for.
func (r *run) meta() map[string]string {
	o := r.o
	num := func(x float64) string { return strconv.FormatFloat(x, 'g', -1, 64) }
	var alphas []string
	for _, a := range o.Alpha {
		alphas = append(alphas, num(a))
	}
	loss := "token"
	if o.Loss.Plain {
		loss = "mse"
	}
	if o.Loss.Aug {
		loss += "+aug"
	}
	if o.Loss.Std {
		loss += "+std"
	}
	m := map[string]string{
		smooth.MetaMethod: o.Method, smooth.MetaRecipe: o.Recipe.Name, smooth.MetaSource: o.Hash,
		smooth.MetaCalibration: hash(Encode(o.Windows)),
		"text":                 o.Text, "windows": strconv.Itoa(len(o.Windows)), "window": strconv.Itoa(o.window()),
		"kinds": o.kindList(r.l), "alpha": strings.Join(alphas, " "), "loss": loss, "backend": backendName(o.Backend),
		"float_input": strconv.FormatBool(o.FloatInput), "as_published": strconv.FormatBool(o.AsPublished),
		"scores": strconv.FormatBool(o.Scores), "split": strconv.FormatBool(o.Split), "deterministic": strconv.FormatBool(o.Deterministic),
	}
	if o.Rotation.Any() {
		m["rotated"] = fmt.Sprintf("%+v", o.Rotation) // asked for; the file has it in its own form too
	}
	if o.Scores {
		m["clip"] = num(o.Clip)
	}
	if !o.Loss.Plain && o.Loss.Floor != 0 {
		m["loss_floor"] = num(o.Loss.Floor)
	}
	if r.trains {
		maps.Copy(m, map[string]string{
			"seed": strconv.FormatUint(o.Seed, 10), "epochs": strconv.Itoa(o.Epochs), "batch": strconv.Itoa(o.Batch),
			"lr": num(o.Rate), "lr_clip": num(o.ClipRate), "lr_batch_power": num(o.RatePower), "cosine": strconv.FormatBool(o.Cosine),
		})
	}
	return m
}

// backendName is the backend with its platform, "xla:cuda", or "go": what GOMLX_BACKEND calls it. Of a plugin that was opened
// by its path only the platform stays.
func backendName(b backends.Backend) string {
	if full, _, _ := strings.Cut(b.Description(), " "); strings.HasPrefix(full, b.Name()+":") {
		return platform(full)
	}
	if b.Name() == "SimpleGo (go)" {
		return "go"
	}
	return b.Name()
}

// platform turns "xla:/folder/pjrt_c_api_cpu_plugin.so" into "xla:cpu".
func platform(name string) string {
	kind, path, _ := strings.Cut(name, ":")
	if !strings.ContainsAny(path, `/\`) {
		return name
	}
	base := path[strings.LastIndexAny(path, `/\`)+1:]
	base, _, _ = strings.Cut(strings.TrimPrefix(base, "pjrt_c_api_"), "_plugin")
	return kind + ":" + base
}

func (r *run) all(ctx context.Context) (*smooth.Factors, error) {
	o := r.o
	var err error
	if r.state, err = r.load(); err != nil {
		return nil, err
	}
	done := len(r.state.Blocks)
	if err := r.openCurve(done); err != nil {
		return nil, err
	}
	o.Log("%s %s on %s: %d blocks, %d windows of %d, %d parameters a block (%s)", o.Method, o.Recipe.Name, backendName(o.Backend),
		o.Config.Layers, len(o.Windows), o.window(), r.l.size, o.kindList(r.l))
	at := time.Now()
	if r.p, err = r.s.compile(o.Backend, r.trains); err != nil {
		return nil, fmt.Errorf("fsbr: %w", err)
	}
	if err := r.place(); err != nil {
		return nil, err
	}
	if !r.disk {
		if err := r.s.compileTables(&r.p, o.Backend, len(o.Windows)); err != nil {
			return nil, fmt.Errorf("fsbr: %w", err)
		}
	}
	o.Log("compiled in %.1f s", time.Since(at).Seconds())
	if err := r.embed(ctx); err != nil {
		if ctx.Err() != nil {
			return nil, r.paused(ctx, 0)
		}
		return nil, err
	}
	if done > 0 {
		o.Log("resume from %s: %d blocks are done", o.State, done)
	}
	for n := range o.Config.Layers {
		if ctx.Err() != nil {
			return nil, r.paused(ctx, n)
		}
		if err := r.block(ctx, n); err != nil {
			if ctx.Err() != nil {
				return nil, r.paused(ctx, n)
			}
			return nil, fmt.Errorf("fsbr: block %d: %w", n, err)
		}
	}
	return r.factors(), nil
}

func (r *run) paused(ctx context.Context, block int) error {
	kept := "nothing is saved"
	if r.o.State != "" {
		kept = fmt.Sprintf("%d blocks are saved in %s: the same command with --resume goes on from them (\"illm calibrate\" adds it)", len(r.state.Blocks), r.o.State)
	}
	return fmt.Errorf("%w in block %d: %s: %w", ErrPaused, block, kept, context.Cause(ctx))
}

// factors puts the result together.
func (r *run) factors() *smooth.Factors {
	f := &smooth.Factors{Blocks: r.state.Blocks, Rotation: r.o.Rotation, Meta: maps.Clone(r.asked)}
	ranges := map[string][]int32{}
	for _, block := range r.state.Ranges {
		for site, x := range block {
			ranges[site] = append(ranges[site], x)
		}
	}
	if len(ranges) > 0 {
		f.SetRatios(ranges)
	}
	list := func(of func(Line) string) string {
		var s []string
		for _, l := range r.state.Done {
			s = append(s, of(l))
		}
		return strings.Join(s, " ")
	}
	f.Meta["initial_loss"] = list(func(l Line) string { return fmt.Sprintf("%.4g", l.Initial) })
	f.Meta["final_loss"] = list(func(l Line) string { return fmt.Sprintf("%.4g", l.Loss) })
	if len(r.o.Alpha) > 1 {
		f.Meta["block_alpha"] = list(func(l Line) string { return strconv.FormatFloat(l.Alpha, 'g', -1, 64) })
	}
	f.Meta["best_epoch"] = list(func(l Line) string { return strconv.Itoa(l.Best) })
	return f
}

// block finds the factors of block n, or takes them from the state, and moves both streams behind it.
func (r *run) block(ctx context.Context, n int) error {
	began := time.Now()
	if err := r.loadBlock(n); err != nil {
		return err
	}
	st := newStats()
	target, err := r.teach(ctx, r.float, st)
	if err != nil {
		return fmt.Errorf("float block: %w", err)
	}
	r.drop(r.float)
	r.float = target
	targets := []*table{target}
	if r.s.loss.Aug {
		second, err := r.teach(ctx, r.quantised, nil)
		if err != nil {
			return fmt.Errorf("float block on quantised inputs: %w", err)
		}
		defer r.drop(second)
		targets = append(targets, second)
	}
	if n < len(r.state.Blocks) {
		_, err := r.advance(ctx, r.l.flat(&r.state.Blocks[n], r.state.Ranges[n]), targets, true)
		return err
	}

	done := Line{Block: n}
	p, err := r.start(ctx, st, targets, &done)
	if err != nil {
		return err
	}
	values := r.l.values(p)
	if r.trains {
		if p, done.Best, err = r.train(ctx, n, p, targets, done.Initial); err != nil {
			return err
		}
		trained := r.l.values(p)
		loss, err := r.advance(ctx, trained, targets, false)
		if err != nil {
			return err
		}
		if loss < done.Initial {
			values = trained
		} else {
			done.Best = 0
		}
	}
	if done.Loss, err = r.advance(ctx, values, targets, true); err != nil {
		return err
	}
	if !r.trains {
		done.Initial = done.Loss
	}
	done.Seconds = time.Since(began).Seconds()
	done.Windows, done.Tokens, done.Batch = len(r.o.Windows), r.o.window(), r.o.Batch
	done.Backend, done.Device, done.Host = backendName(r.o.Backend), r.dev.peak, hostPeak()
	r.state.Blocks = append(r.state.Blocks, r.l.block(values))
	r.state.Ranges = append(r.state.Ranges, r.l.ranges(values))
	r.state.Done = append(r.state.Done, done)
	r.o.Log("block %d: loss %.4g → %.4g (epoch %d), %.1f s", n, done.Initial, done.Loss, done.Best, done.Seconds)
	if err := r.line(done); err != nil {
		return err
	}
	return r.save()
}

// start returns the initial parameters of a block: of several exponents those with the lowest loss.
func (r *run) start(ctx context.Context, st *stats, targets []*table, done *Line) (best []float32, err error) {
	for _, alpha := range r.o.Alpha {
		p := initial(r.l, st, r.host, alpha, r.o.AsPublished)
		if len(r.o.Alpha) == 1 && !r.trains {
			done.Alpha = alpha
			return p, nil
		}
		loss, err := r.advance(ctx, r.l.values(p), targets, false)
		if err != nil {
			return nil, err
		}
		if best == nil || loss < done.Initial {
			best, done.Initial, done.Alpha = p, loss, alpha
		}
	}
	return best, nil
}
