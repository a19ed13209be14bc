package pretrain

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"time"

	"github.com/gomlx/gomlx/backends"

	"github.com/illm-go/illm/pkg/intmath"
	"github.com/illm-go/illm/pkg/tape"
)

// Result of a run.
type Result struct {
	Steps   int
	Tokens  int64
	Loss    float64 // of the last line
	Valid   float64 // over the whole validation stream; NaN without one
	Seconds float64
}

// ErrPaused says that a run stopped before its end with everything saved: the same call goes on from there.
var ErrPaused = errors.New("pretrain: paused, a checkpoint is saved")

// Train trains a model and exports it. Where o.Checkpoints holds a checkpoint of the same recipe it goes on from there.
//
// When ctx ends it saves a checkpoint and returns ErrPaused, with the cause of ctx. A loss that is not finite ends it with
// an error that names the step.
func Train(ctx context.Context, o Options) (Result, error) {
	o = o.defaults()
	if err := o.check(); err != nil {
		return Result{}, err
	}
	r := &run{o: o, device: tape.Device{Backend: o.Backend}, tensors: Tensors(o.Config)}
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
	return r.finish()
}

// run is a training in progress.
type run struct {
	o       Options
	device  tape.Device
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
	lastRate float64
}

func (r *run) groups() int {
	if r.o.Average > 0 {
		return 4
	}
	return 3
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
		r.lastRate = rate
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
			if err := r.mark(r.eval != nil && !last && r.state.Step%o.ValidEvery < o.LogEvery && r.state.Step >= o.ValidEvery); err != nil {
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
	defer func() { r.device.Free(extra...) }()
	put := func(b backends.Buffer, err error) error {
		extra = append(extra, b)
		return err
	}
	err := errors.Join(
		put(r.device.Put(tokens, tape.I32, o.Batch, o.Window+1)),
		put(r.device.Put(scalars, tape.F32, numScalars)))
	if o.Dropout > 0 {
		seed := []uint32{uint32(splitmix(o.Seed ^ splitmix(uint64(r.state.Step))))}
		err = errors.Join(err, put(r.device.Put(seed, tape.U32, 1)))
	}
	if err != nil {
		return err
	}
	outs, err := r.step.Execute(append(append([]backends.Buffer{}, r.buffers...), extra...), nil, 0)
	if err != nil {
		return fmt.Errorf("pretrain: step %d: %w", r.state.Step+1, err)
	}
	r.device.Free(r.buffers...)
	n := len(outs) - 1
	r.buffers = outs[:n:n]
	r.stats = append(r.stats, outs[n])
	return nil
}

// splitmix is a bijection of 64 bits that mixes them well.
func splitmix(x uint64) uint64 {
	return intmath.SplitMix64(&x)
}

func (r *run) result() Result {
	return Result{Steps: r.state.Step, Tokens: int64(r.state.Step) * int64(r.o.Batch*r.o.Window), Loss: r.line.Loss, Valid: r.valid, Seconds: r.seconds()}
}
