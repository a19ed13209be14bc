package gptq

import (
	"fmt"

	"github.com/illm-go/illm/pkg/floatref"
	"github.com/illm-go/illm/pkg/model"
	"github.com/illm-go/illm/pkg/quant"
)

// Input is a float model and what it is calibrated on.
type Input struct {
	Config  model.Config
	Weights floatref.Source // by canonical names, after any smoothing and offline rotation
	Spec    quant.Spec      // widths and clip of the softmax
	Windows [][]int32       // pinned token ids; each window starts from an empty cache

	// Alpha gives the run-time gain of the gate of a block, σ(g) → σ(α·g); nil, or a nil slice: 1.
	Alpha func(layer int) []float32

	// Online sees q and k behind RoPE, the input of o and the product before they are quantised: the rotations that
	// an artefact carries out at run time. It must not depend on how rows are cut into blocks. nil: none.
	Online floatref.Tap

	// Clip gives the clipping ratios of a linear by its name without ".weight", [out] each in (0, 1]; they win over
	// Options.Clip. nil, or nil slices: none.
	Clip func(name string) (lo, hi []float32)
}

// ClipMode says how the clipping ratios of the weights are chosen.
type ClipMode int

const (
	ClipNone  ClipMode = iota // the whole range of each row
	ClipPlain                 // least Σ(w − ŵ)² of rounding to nearest
	ClipLoss                  // least (w − ŵ)ᵀH(w − ŵ) after GPTQ itself
)

// String is the name as it stands in records.
func (m ClipMode) String() string {
	if m < 0 || int(m) >= len(clipNames) {
		return fmt.Sprintf("gptq.ClipMode(%d)", int(m))
	}
	return clipNames[m]
}

var clipNames = [...]string{"none", "plain", "loss"}

// Options of Calibrate; the zero value is plain GPTQ on quantised inputs without clipping.
type Options struct {
	Threads int // workers; 0: one for each CPU that Go may use. They never change a bit

	Clip   ClipMode
	Ratios bool // search the range ratios of the activations

	// RatioWindows is the number of windows, from the first on, that the range ratios are judged by; 0: as many as
	// hold 2048 tokens.
	RatioWindows int

	FloatActivations bool // inputs, q, k, v, gate and up as floats (embedding too)
	FloatScores      bool // the softmax reads its scores unrounded
	Nearest          bool // round to nearest instead of GPTQ

	Damping float64 // of the mean diagonal of a Hessian; 0: 0.01

	Progress func(done, total int, what string) // one call at a time
}

// maxThreads bounds a number that comes from a command line.
const maxThreads = 1024

// maxWindow bounds the angles of RoPE.
const maxWindow = 1 << 20

func (in *Input) check(opt Options) error {
	c := &in.Config
	if err := c.Validate(); err != nil {
		return fmt.Errorf("gptq: configuration: %w", err)
	}
	if err := in.Spec.Validate(); err != nil {
		return fmt.Errorf("gptq: %w", err)
	}
	if in.Weights == nil {
		return fmt.Errorf("gptq: calibrate: expected a source of weights, found none")
	}
	if opt.Threads < 0 || opt.Threads > maxThreads {
		return fmt.Errorf("gptq: calibrate: expected 0 to %d threads, found %d", maxThreads, opt.Threads)
	}
	if !(opt.Damping >= 0 && opt.Damping <= 1) {
		return fmt.Errorf("gptq: calibrate: damping: expected a share of the mean diagonal between 0 and 1, found %v", opt.Damping)
	}
	if opt.Clip < 0 || int(opt.Clip) >= len(clipNames) {
		return fmt.Errorf("gptq: calibrate: clip mode: expected none, plain or loss, found %v", opt.Clip)
	}
	if len(in.Windows) == 0 {
		return fmt.Errorf("gptq: calibrate: expected at least one window of tokens, found none: is the calibration text shorter than a window?")
	}
	for i, w := range in.Windows {
		if most := min(c.MaxContext, maxWindow); len(w) == 0 || len(w) > most {
			return fmt.Errorf("gptq: calibrate: window %d: expected 1 to %d tokens (the model's context), found %d", i, most, len(w))
		}
		for j, t := range w {
			if t < 0 || int(t) >= c.Vocab {
				return fmt.Errorf("gptq: calibrate: window %d, token %d: expected an id in 0…%d, found %d: was the text encoded with another model's tokenizer?", i, j, c.Vocab-1, t)
			}
		}
	}
	return nil
}
