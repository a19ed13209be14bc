package fsbr

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gomlx/gomlx/backends"

	"github.com/illm-go/illm/pkg/floatref"
	"github.com/illm-go/illm/pkg/model"
	"github.com/illm-go/illm/pkg/quant"
	"github.com/illm-go/illm/pkg/smooth"
)

// Methods.
const (
	FSBR        = "fsbr"        // all kinds
	OmniQuant   = "omniquant"   // norm–linear with shift, v → o, q/k and clipping
	SmoothQuant = "smoothquant" // norm–linear in closed form, nothing is trained
)

// Methods lists them.
func Methods() []string { return []string{FSBR, OmniQuant, SmoothQuant} }

// Options of a run. The zero value of a field means the default named beside it.
type Options struct {
	Backend backends.Backend
	Config  model.Config
	Source  floatref.Source
	Hash    string    // of the float weights, model.Model.Hash
	Windows [][]int32 // calibration windows of one length
	Text    string    // name of their text, for Meta
	Recipe  quant.Recipe
	Method  string // FSBR

	// Rotation puts Hadamard matrices in front of the factors, which then act on rotated channels.
	Rotation smooth.Rotation

	// Kinds switches kinds of smooth.Table and "clip" on or off on top of the method: "all" or a list of names, then
	// names with − in front; "" is what the method says. "all,-qk" leaves q/k out, "clip" trains clipping alone,
	// "all,range" also trains, for each site and block, the part of the rows' dynamic ranges that is kept (ours).
	Kinds string

	Epochs   int     // 20
	Batch    int     // windows of a step; 1
	Rate     float64 // learning rate of s and δ for a batch of one; 0.005
	ClipRate float64 // of the clipping ratios; 0.01
	// RatePower scales both rates by Batch^RatePower, because a larger batch takes fewer steps; 0.5, negative: 0.
	RatePower float64
	Cosine    bool // both rates fall to 0 by half a cosine over the epochs of a block
	// Alpha is the exponent of the activations in the initial s, 0–1; −1 starts every s at 1; 0.5. With several, every
	// block takes the one with the lowest loss.
	Alpha []float64
	Seed  uint64 // of the order of windows
	Loss  Loss

	AsPublished bool // initial factors as the public code takes them (see initial)
	FloatInput  bool // embedding in float for the quantised blocks, as in the public code; else at the recipe's width
	Scores      bool // round the scores too, with Clip
	Clip        float64

	Chunks int // parts that queries are cut into; 4 for windows of 512 and more, else 1

	// Split computes the float blocks with split products (tape.Tape.Precise), for backends that round the operands of
	// float32 products. The quantised blocks multiply codes, which no rounding touches.
	Split bool

	// Activations says where the activations between two blocks are: OnDevice, OnDisk, or "" for the disk where everything
	// on the device would be more than Memory. The bits of the result are the same.
	Activations string
	Memory      int64  // bytes; 20 GB
	Scratch     string // folder of the files; that of State, or the system's for temporary files

	State string // file to resume from; "": none. It is written after every block and left for the caller to remove
	Curve string // file of JSON lines, see Line; "": none

	// Deterministic says that the backend was opened so that equal programs give equal bits in every process. The caller
	// sees to that; here it only goes into Meta.
	Deterministic bool

	Log func(format string, args ...any) // progress; nil: silent
}

func (o Options) defaults() Options {
	if o.Method == "" {
		o.Method = FSBR
	}
	if o.Epochs == 0 {
		o.Epochs = 20
	}
	if o.Batch == 0 {
		o.Batch = 1
	}
	deff := func(v *float64, d float64) {
		if *v == 0 {
			*v = d
		}
	}
	deff(&o.Rate, 5e-3)
	deff(&o.ClipRate, 1e-2)
	deff(&o.RatePower, 0.5)
	o.RatePower = max(0, o.RatePower)
	if len(o.Alpha) == 0 {
		o.Alpha = []float64{0.5}
	}
	if o.Memory == 0 {
		o.Memory = 20e9
	}
	if o.Scratch == "" {
		o.Scratch = os.TempDir()
		if o.State != "" {
			o.Scratch = filepath.Dir(o.State)
		}
	}
	if o.Chunks == 0 {
		o.Chunks = 1
		if w := o.window(); w >= 512 && w%4 == 0 {
			o.Chunks = 4
		}
	}
	if o.Log == nil {
		o.Log = func(string, ...any) {}
	}
	return o
}

func (o Options) window() int {
	if len(o.Windows) == 0 {
		return 0
	}
	return len(o.Windows[0])
}

// trains reports whether anything is learnt.
func (o Options) trains() bool { return o.Method != SmoothQuant }

func (o Options) check() error {
	bad := func(field string, value any, want string) error {
		return fmt.Errorf("fsbr: options: %s: expected %s, found %v", field, want, value)
	}
	if o.Backend == nil || o.Source == nil {
		return bad("Backend, Source", nil, "both")
	}
	if err := o.Config.Validate(); err != nil {
		return fmt.Errorf("fsbr: configuration: %w", err)
	}
	if err := o.Recipe.Validate(); err != nil {
		return fmt.Errorf("fsbr: %w", err)
	}
	if !slices.Contains(Methods(), o.Method) {
		return bad("Method", o.Method, strings.Join(Methods(), ", "))
	}
	if len(o.Windows) == 0 {
		return bad("Windows", 0, "at least one window of calibration tokens")
	}
	t := o.window()
	for i, w := range o.Windows {
		if len(w) != t {
			return bad("Windows", fmt.Sprintf("%d tokens in window %d", len(w), i), fmt.Sprintf("%d in every window", t))
		}
		for j, id := range w {
			if id < 0 || int(id) >= o.Config.Vocab {
				return bad("Windows", fmt.Sprintf("id %d at token %d of window %d", id, j, i), fmt.Sprintf("ids below the vocabulary of %d: the tokens are another tokenizer's", o.Config.Vocab))
			}
		}
	}
	switch {
	case t < 1 || t > o.Config.MaxContext:
		return bad("Windows", t, fmt.Sprintf("windows of 1–%d tokens, the context of the model", o.Config.MaxContext))
	case o.Batch < 1 || len(o.Windows)%o.Batch != 0:
		return bad("Batch", o.Batch, fmt.Sprintf("a divisor of the %d windows", len(o.Windows)))
	case o.Epochs < 1:
		return bad("Epochs", o.Epochs, "at least 1")
	case o.Activations != "" && o.Activations != OnDevice && o.Activations != OnDisk:
		return bad("Activations", o.Activations, "device, disk or nothing")
	case o.Memory < 0:
		return bad("Memory", o.Memory, "a number of bytes")
	case o.Chunks < 1 || t%o.Chunks != 0:
		return bad("Chunks", o.Chunks, fmt.Sprintf("a divisor of the window %d", t))
	}
	for _, f := range []struct {
		name  string
		value float64
	}{{"Rate", o.Rate}, {"ClipRate", o.ClipRate}} {
		if !(f.value > 0) || math.IsInf(f.value, 0) {
			return bad(f.name, f.value, "a positive number")
		}
	}
	for _, a := range o.Alpha {
		if !(a >= 0 && a <= 1) && a != -1 {
			return bad("Alpha", a, "0–1, or −1")
		}
	}
	if err := o.Rotation.Check(o.Config); err != nil {
		return err
	}
	_, err := o.kinds()
	return err
}

// kinds returns the kinds that are on.
func (o Options) kinds() (map[string]bool, error) {
	names := []string{}
	on := map[string]bool{}
	for _, k := range smooth.Table(o.Config) {
		names = append(names, k.Name)
		switch o.Method {
		case FSBR:
			on[k.Name] = true
		case OmniQuant:
			on[k.Name] = k.Name != "gate_up" && k.Name != "up_down"
		case SmoothQuant:
			on[k.Name] = k.Name == "qkv" || k.Name == "mlp"
		}
	}
	names = append(names, clipKind)
	all := slices.Clone(names)
	names = append(names, rangeKind)
	on[clipKind] = o.trains()
	if o.Kinds == "" {
		return on, nil
	}
	for i, word := range strings.Split(o.Kinds, ",") {
		name, off := strings.CutPrefix(strings.TrimSpace(word), "-")
		if i == 0 && !off {
			clear(on) // a list of its own
		}
		switch {
		case name == "all" && !off:
			for _, n := range all {
				on[n] = true
			}
		case slices.Contains(names, name):
			on[name] = !off
		default:
			return nil, fmt.Errorf("fsbr: options: Kinds: %q: expected all or names of %s, a − in front for off", word, strings.Join(names, ", "))
		}
	}
	return on, nil
}

// kindList is what is on, in one order, for Meta.
func (o Options) kindList(l layout) string {
	var list []string
	for _, e := range l.entries {
		switch e.what {
		case 's', 'd':
			list = append(list, e.name)
		case 'l':
			if !slices.Contains(list, clipKind) {
				list = append(list, clipKind)
			}
		case 'r':
			if !slices.Contains(list, rangeKind) {
				list = append(list, rangeKind)
			}
		}
	}
	return strings.Join(list, ",")
}

// ParseRotation reads sites of Hadamard matrices, "residual,value_out,query_key,out_proj,down", and the seed of the
// signs in front of the residual's.
func ParseRotation(sites string, seed uint64) (smooth.Rotation, error) {
	var r smooth.Rotation
	flags := map[string]*bool{"residual": &r.Residual, "value_out": &r.ValueOut, "query_key": &r.QueryKey, "out_proj": &r.OutProj, "down": &r.Down}
	if sites == "" {
		return r, nil
	}
	r.Seed = seed
	for _, s := range strings.Split(sites, ",") {
		f := flags[strings.TrimSpace(s)]
		if f == nil {
			return r, fmt.Errorf("fsbr: rotation %q: expected a list of residual, value_out, query_key, out_proj, down", s)
		}
		*f = true
	}
	return r, nil
}
