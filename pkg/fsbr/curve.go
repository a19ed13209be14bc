package fsbr

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
)

// Line is a line of the training curve: an epoch of a block, or (Epoch 0) the block when it is done.
type Line struct {
	Block   int     `json:"block"`
	Epoch   int     `json:"epoch"`             // from 1; 0: the block is done
	Loss    float64 `json:"loss"`              // mean over the steps of the epoch; of the block as it is kept
	Initial float64 `json:"initial,omitempty"` // done: loss with the initial factors
	Best    int     `json:"best,omitempty"`    // done: epoch whose factors are kept; 0: the initial ones
	Alpha   float64 `json:"alpha,omitempty"`   // done: exponent of the initial factors
	Rate    float64 `json:"lr,omitempty"`      // of s and δ
	Seconds float64 `json:"seconds"`           // of the epoch; of the whole block

	// Of a block that is done, how much it was trained, where, and what it took.
	Windows int    `json:"windows,omitempty"`
	Tokens  int    `json:"window,omitempty"` // of a window
	Batch   int    `json:"batch,omitempty"`
	Backend string `json:"backend,omitempty"`
	Device  int64  `json:"device_bytes,omitempty"` // most that was on the device so far: buffers, and a program's scratch where its compiler tells
	Host    int64  `json:"host_bytes,omitempty"`   // largest resident set of the process so far; on Linux
}

// ReadCurve reads the lines of a curve. A cut last line, of a process that was killed, is left out.
func ReadCurve(path string) ([]Line, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("fsbr: curve: %w", err)
	}
	var lines []Line
	for dec := json.NewDecoder(bytes.NewReader(raw)); ; {
		var l Line
		if dec.Decode(&l) != nil {
			return lines, nil
		}
		lines = append(lines, l)
	}
}

// openCurve opens the file for appending; only lines of the blocks that are done stay.
func (r *run) openCurve(done int) error {
	if r.o.Curve == "" {
		return nil
	}
	lines, err := ReadCurve(r.o.Curve)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	var kept []byte
	for _, l := range lines {
		if l.Block >= done {
			continue
		}
		raw, err := json.Marshal(l)
		if err != nil {
			return fmt.Errorf("fsbr: curve: %w", err)
		}
		kept = append(append(kept, raw...), '\n')
	}
	if err := replace(r.o.Curve, kept); err != nil {
		return fmt.Errorf("fsbr: curve: %w", err)
	}
	r.curve, err = os.OpenFile(r.o.Curve, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return fmt.Errorf("fsbr: curve: %w", err)
	}
	return nil
}

func (r *run) line(l Line) error {
	if r.curve == nil {
		return nil
	}
	if err := json.NewEncoder(r.curve).Encode(l); err != nil {
		return fmt.Errorf("fsbr: curve: %w: make room; the blocks before stay in the state file, and --resume goes on from them", err)
	}
	return nil
}

// replace writes a file that appears under its name when it is complete.
func replace(path string, b []byte) (err error) {
	f, err := os.Create(path + ".tmp")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.Remove(f.Name())
		}
	}()
	_, err = f.Write(b)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
