package pretrain

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"time"
)

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

// mark reads the losses of the last steps and writes a line of the curve.
func (r *run) mark(validate bool) error {
	if len(r.stats) == 0 {
		return nil
	}
	o := r.o
	var sum, norm float64
	for i, b := range r.stats {
		var v [2]float32
		if err := r.device.Get(b, v[:]); err != nil {
			return err
		}
		loss := float64(v[0])
		norm = float64(v[1])
		if math.IsNaN(loss) || math.IsInf(loss, 0) || math.IsNaN(norm) || math.IsInf(norm, 0) {
			return fmt.Errorf("pretrain: step %d: expected a finite loss and gradient, found %v and %v: lower the learning rate (%g) and go on from the last checkpoint in another folder",
				r.state.Step-len(r.stats)+i+1, loss, norm, r.lastRate)
		}
		sum += loss
	}
	steps := len(r.stats)
	r.device.Free(r.stats...)
	r.stats = r.stats[:0]
	perStep := int64(o.Batch * o.Window)
	l := Line{
		Step: r.state.Step, Tokens: int64(r.state.Step) * perStep,
		Epoch: float64(r.state.Cursor.Epoch) + float64(r.state.Cursor.Next)/float64(len(r.state.Cursor.order.starts)),
		Rate:  r.lastRate, Loss: sum / float64(steps), Norm: norm, Seconds: r.seconds(),
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
	var kept []byte
	for _, l := range lines {
		if l.Step > r.state.Step {
			continue
		}
		raw, err := json.Marshal(l)
		if err != nil {
			return fmt.Errorf("pretrain: curve: %w", err)
		}
		kept = append(append(kept, raw...), '\n')
		r.line = l
	}
	// Renamed into place, so that a crash here loses no line.
	err = os.WriteFile(path+".tmp", kept, 0o666)
	if err == nil {
		err = os.Rename(path+".tmp", path)
	}
	if err == nil {
		r.curve, err = os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	}
	if err != nil {
		return fmt.Errorf("pretrain: curve: %w", err)
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
