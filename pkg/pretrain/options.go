package pretrain

import (
	"fmt"
	"math"
	"time"

	"github.com/gomlx/gomlx/backends"
	"github.com/illm-go/illm/pkg/model"
	"github.com/illm-go/illm/pkg/tape"
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

	// Deterministic says that the backend was opened so that equal programs give equal bits in every process. The caller
	// sees to that; here it only keeps runs of both kinds apart.
	Deterministic bool

	// AttentionChunks is the number of parts that queries are cut into; 1. More parts compute less of the upper half of
	// the scores, in smaller products.
	AttentionChunks int

	ValidEvery   int // steps between validations; 500
	ValidWindows int // windows of a validation while training, all at the end; 64·8
	LogEvery     int // steps between lines of the curve; 10

	PeakTFLOPS float64                          // of the machine, for the share of it that is used; 0: not told
	Log        func(format string, args ...any) // progress; nil: silent
}

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
	for _, f := range []struct {
		name  string
		value float64
	}{{"Minutes", o.Minutes}, {"Decay", o.Decay}, {"Clip", o.Clip}} {
		if math.IsNaN(f.value) || math.IsInf(f.value, 0) {
			return bad(f.name, f.value, "a finite number")
		}
	}
	if o.Out != "" { // not when hours are spent
		if err := model.CheckSave(o.Out, o.Config, o.TokenizerJSON, o.Dtype); err != nil {
			return fmt.Errorf("pretrain: export: %w", err)
		}
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
		Deterministic: o.Deterministic,
	}
}

func (o Options) shape() shape {
	s := shape{batch: o.Batch, window: o.Window, chunks: o.AttentionChunks, compute: tape.BF16, dropout: o.Dropout}
	if o.Precision == "f32" {
		s.compute = tape.F32
	}
	return s
}
