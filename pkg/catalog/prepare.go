package catalog

import (
	"context"
	"fmt"
	"math"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/illm-go/illm/pkg/baseline/fakequant"
	"github.com/illm-go/illm/pkg/corpus"
	"github.com/illm-go/illm/pkg/floatref"
	"github.com/illm-go/illm/pkg/gptq"
	"github.com/illm-go/illm/pkg/ptq"
	"github.com/illm-go/illm/pkg/quant"
	"github.com/illm-go/illm/pkg/smooth"
)

// Keys of the metadata of factors whose codes are not rounded to nearest (smooth.MetaRound = "gptq"): on which pinned
// tokens codes are chosen, and what beside them.
const (
	metaRoundText    = "rounding_text"
	metaRoundWindows = "rounding_windows"
	metaRoundWindow  = "rounding_window"
	metaRoundHash    = "rounding_sha256" // ptq.Hash of the windows
	metaRoundClip    = "rounding_clip"   // "none", "plain" or "loss": how clipping ratios are chosen that the file does not have
	metaRoundRange   = "rounding_range"  // rangeSearch, or nothing
	rangeSearch      = "search"          // range ratios of the activations are searched too
	roundGPTQ        = "gptq"
)

// maxCalibrationWindows bounds a number that comes from a file.
const maxCalibrationWindows = 4096

// prepared is a model on its way to codes: weights with the factors folded in, and how they are rounded.
type prepared struct {
	spec    quant.Spec // what the codes depend on
	input   ptq.Input
	applied *smooth.Applied // nil: method rtn
	factors *smooth.Factors // nil: method rtn
	hash    string          // of the factors without clips by layer, which change no code, "" for rtn
}

// file is the hash of the factor file, clips by layer and all.
func (p *prepared) file() string { return p.input.Factors }

// prepare finds the factors of a spec and folds them into the weights. The codes are not chosen yet.
func (e *Entry) prepare(spec quant.Spec) (*prepared, error) {
	f, where, err := e.Factors(spec.Recipe)
	if err != nil {
		return nil, err
	}
	return e.prepareWith(spec, f, where)
}

// prepareWith is prepare with given factors, nil for round-to-nearest.
func (e *Entry) prepareWith(spec quant.Spec, f *smooth.Factors, where string) (*prepared, error) {
	source, err := e.weights.Hash()
	if err != nil {
		return nil, err
	}
	p := &prepared{spec: weightSpec(spec)}
	if f == nil {
		p.input = ptq.Input{Config: e.weights.Config, Weights: e.weights, Hash: source}
	} else {
		if p.applied, err = smooth.Apply(e.weights.Config, e.weights, f); err != nil {
			return nil, fmt.Errorf("catalog: factors %s: %w", where, err)
		}
		if p.input, err = ptq.Smoothed(p.applied, source); err != nil {
			return nil, fmt.Errorf("catalog: factors %s: %w", where, err)
		}
		p.factors, p.hash = p.applied.Factors(), p.input.Factors
		if p.input.Clips != nil {
			if err = p.input.Clips.Check(spec, e.weights.Config.Layers); err != nil { // before anything long begins
				return nil, fmt.Errorf("catalog: factors %s: %w", where, err)
			}
			if p.hash, err = p.factors.WithoutClips().Hash(); err != nil {
				return nil, fmt.Errorf("catalog: factors %s: %w", where, err)
			}
		}
		if p.rounded() { // codes depend on the activations' widths too
			p.spec = spec
			p.spec.Recipe = spec.Recipe.Dynamic()
			p.spec.Recipe.Method, p.spec.Recipe.Variant = "", ""
		}
	}
	p.input.Tokenizer = e.weights.Tokenizer
	return p, nil
}

// rounded tells whether a calibration chooses the codes.
func (p *prepared) rounded() bool {
	return p.factors != nil && p.factors.Meta[smooth.MetaRound] == roundGPTQ
}

// rotatedCalibration returns cal with the range of the residual stream as the factors leave it: a residual rotation changes it.
func (e *Entry) rotatedCalibration(ctx context.Context, p *prepared, cal ptq.Calibration) (ptq.Calibration, error) {
	if p.factors == nil || !p.factors.Rotation.Residual {
		return cal, nil
	}
	if text := p.factors.Meta[smooth.MetaMaxAbs]; text != "" {
		v, err := strconv.ParseFloat(text, 64)
		if err != nil || !(v > 0) || math.IsInf(v, 0) {
			return cal, fmt.Errorf("catalog: factors of %s: metadata %s: expected a number above 0, found %q", e.Name, smooth.MetaMaxAbs, text)
		}
		cal.MaxAbs = v
		return cal, nil
	}
	dir, err := cacheFolder("calibrations")
	if err != nil {
		return cal, err
	}
	path := filepath.Join(dir, cal.Hash[:8]+"-"+p.hash[:16]+".json")
	if c, ok := readStored(path, p.hash); ok && c.Hash == cal.Hash && !e.opt.Recalibrate {
		return c, nil
	}
	if cal, err = e.rangeOf(ctx, p.applied); err != nil {
		return cal, err
	}
	return cal, writeJSON(path, stored{e.Name, p.hash, cal})
}

// rangeOf runs a smoothed model over the calibration text.
func (e *Entry) rangeOf(ctx context.Context, a *smooth.Applied) (ptq.Calibration, error) {
	name, windows, err := e.calibrationWindows(ctx, ptq.CalibrationWindows, ptq.CalibrationWindow)
	if err != nil {
		return ptq.Calibration{}, err
	}
	opt := floatref.Options{Threads: e.opt.Threads, Alpha: a.Alpha, Tap: a.Tap()}
	return ptq.CalibrateFrom(ctx, a.Config(), a, opt, name, windows, func(done, total int) { e.progress("calibrate", done, total) })
}

// pinned returns the windows that the metadata of factors names, by their hash.
func (e *Entry) pinned(ctx context.Context, f *smooth.Factors) ([][]int32, error) {
	number := func(key string) (int, error) {
		n, err := strconv.Atoi(f.Meta[key])
		if err != nil || n < 1 || n > maxCalibrationWindows {
			return 0, fmt.Errorf("catalog: factors of %s: metadata %s: expected 1 to %d, found %q", e.Name, key, maxCalibrationWindows, f.Meta[key])
		}
		return n, nil
	}
	n, err := number(metaRoundWindows)
	if err != nil {
		return nil, err
	}
	length, err := number(metaRoundWindow)
	if err != nil {
		return nil, err
	}
	windows, err := e.textWindows(ctx, f.Meta[metaRoundText], n, length)
	if err != nil {
		return nil, err
	}
	if want, have := f.Meta[metaRoundHash], ptq.Hash(windows); have != want {
		return nil, fmt.Errorf("catalog: factors of %s: %d windows of %d tokens of the text %q have the hash %.16s…, expected %.16s…: calibrate again", e.Name, n, length, f.Meta[metaRoundText], have, want)
	}
	return windows, nil
}

// textWindows cuts the first windows of a text.
func (e *Entry) textWindows(ctx context.Context, name string, n, length int) ([][]int32, error) {
	text, err := corpus.Load(ctx, name)
	if err != nil {
		return nil, err
	}
	ids, err := e.Encode(string(text.Bytes))
	if err != nil {
		return nil, err
	}
	if len(ids) < length {
		return nil, fmt.Errorf("catalog: calibrate %s: the text %q is %d tokens, expected at least one window of %d: name a longer text or shorten the window", e.Name, name, len(ids), length)
	}
	return ptq.Windows(ids, n, length), nil
}

// round chooses the codes where the method has them chosen, and puts them into the input.
func (e *Entry) round(ctx context.Context, p *prepared) error {
	if !p.rounded() {
		return nil
	}
	r, err := e.gptq(ctx, p)
	if err != nil {
		return err
	}
	p.input.Rounder = r
	p.input.Clip = func(name string) smooth.Range {
		if l, ok := r.Linears[name]; ok {
			return smooth.Range{Lo: l.Clip.Lo, Hi: l.Clip.Hi}
		}
		return smooth.Range{}
	}
	if r.Ratios != nil {
		p.input.Ratios = r.Ratios
	}
	return nil
}

// gptq runs the calibration that chooses codes; the last result is kept, because the integer model and its simulation
// ask for the same.
func (e *Entry) gptq(ctx context.Context, p *prepared) (*gptq.Result, error) {
	key := fmt.Sprintf("%s %+v", p.hash, p.spec)
	e.mu.Lock()
	kept, keptKey := e.rounding, e.roundingKey
	e.mu.Unlock()
	if kept != nil && keptKey == key {
		return kept, nil
	}
	meta := p.factors.Meta
	opt := gptq.Options{Threads: e.opt.Threads, Progress: func(done, total int, _ string) {
		e.progress("round", done, total)
	}}
	switch mode := meta[metaRoundRange]; mode {
	case "":
	case rangeSearch:
		opt.Ratios = true
	default:
		return nil, fmt.Errorf("catalog: factors of %s: metadata %s: expected %s or nothing, found %q: made by a newer version, or damaged: calibrate again", e.Name, metaRoundRange, rangeSearch, mode)
	}
	switch mode := meta[metaRoundClip]; mode {
	case "", gptq.ClipNone.String():
	case gptq.ClipPlain.String():
		opt.Clip = gptq.ClipPlain
	case gptq.ClipLoss.String():
		opt.Clip = gptq.ClipLoss
	default:
		return nil, fmt.Errorf("catalog: factors of %s: metadata %s: expected none, plain or loss, found %q", e.Name, metaRoundClip, mode)
	}
	windows, err := e.pinned(ctx, p.factors)
	if err != nil {
		return nil, err
	}
	a := p.applied
	in := gptq.Input{Config: a.Config(), Weights: a, Spec: p.spec, Windows: windows, Alpha: a.Alpha, Online: a.Tap(), Clip: pairs(a.Clip)}
	r, err := gptq.Calibrate(ctx, in, opt)
	if err != nil {
		return nil, err
	}
	e.mu.Lock()
	e.rounding, e.roundingKey = r, key
	e.mu.Unlock()
	return r, nil
}

// pairs gives clipping ranges as two slices, both nil or neither.
func pairs(clip func(name string) smooth.Range) func(name string) (lo, hi []float32) {
	return func(name string) (lo, hi []float32) {
		r := clip(name)
		lo, hi = r.Lo, r.Hi
		fill := func(dst *[]float32, n int) {
			if *dst == nil {
				*dst = make([]float32, n)
				for i := range *dst {
					(*dst)[i] = 1
				}
			}
		}
		if lo != nil || hi != nil {
			fill(&lo, len(hi))
			fill(&hi, len(lo))
		}
		return lo, hi
	}
}

// Simulates says, without computing anything, why a spec has no float simulation; nil where it has one.
func (e *Entry) Simulates(spec quant.Spec) error {
	if e.weights == nil {
		return fmt.Errorf("catalog: %s is an integer artefact: the float simulation needs the float model, use its name or path", e.Path)
	}
	if spec.Recipe.Static != "" || spec.Mode == quant.Published {
		return fmt.Errorf("catalog: recipe %s, mode %s: the float simulation has dynamic grids and no literal formulas: run the integer engine", spec.Recipe.Name, spec.Mode)
	}
	return nil
}

// Simulation is the float simulation of a spec, its method included: factors, rotations, clipping, rounding and range
// ratios as the integer engine has them, rounded in float (package baseline/fakequant).
func (e *Entry) Simulation(ctx context.Context, spec quant.Spec, opt fakequant.Options) (*floatref.Model, error) {
	if err := e.Simulates(spec); err != nil {
		return nil, err
	}
	p, err := e.prepare(spec)
	if err != nil {
		return nil, err
	}
	return e.simulate(ctx, p, spec, opt)
}

// SimulationPlan is the simulation taken apart, on some kinds of the recipe's factors ("": all), for what runs it elsewhere.
func (e *Entry) SimulationPlan(ctx context.Context, spec quant.Spec, kinds string) (*fakequant.Plan, error) {
	if err := e.Simulates(spec); err != nil {
		return nil, err
	}
	p, err := e.prepareKinds(spec, kinds)
	if err != nil {
		return nil, err
	}
	opt, err := e.simulated(ctx, p, fakequant.Options{})
	if err != nil {
		return nil, err
	}
	if opt.Before != nil {
		return nil, fmt.Errorf("catalog: recipe %s: its factors turn activations as they come (%s): expected none that do: the simulation of package floatref has them",
			spec.Recipe.Name, strings.Join(p.factors.Rotation.Sites(), ", "))
	}
	return fakequant.NewPlan(p.input.Config, p.input.Weights, spec, opt)
}

func (e *Entry) simulate(ctx context.Context, p *prepared, spec quant.Spec, opt fakequant.Options) (*floatref.Model, error) {
	opt, err := e.simulated(ctx, p, opt)
	if err != nil {
		return nil, err
	}
	return fakequant.NewFrom(p.input.Config, p.input.Weights, spec, opt)
}

// simulated puts what factors do into the options of a simulation.
func (e *Entry) simulated(ctx context.Context, p *prepared, opt fakequant.Options) (fakequant.Options, error) {
	if err := e.round(ctx, p); err != nil {
		return opt, err
	}
	if opt.Threads == 0 {
		opt.Threads = e.opt.Threads
	}
	if in := p.input; in.Clip != nil {
		opt.Clip = pairs(in.Clip)
	}
	opt.Alpha, opt.Clips = p.input.Alpha, p.input.Clips
	if p.applied != nil {
		opt.Before = p.applied.Tap()
	}
	if p.input.Rounder != nil {
		opt.Rounder = p.input.Rounder
	}
	if ratios := p.input.Ratios; ratios != nil {
		opt.Ratio = func(site floatref.Site, layer int) float64 {
			if list := ratios[site.String()]; layer < len(list) {
				return float64(list[layer]) / (1 << 15)
			}
			return 1
		}
	}
	return opt, nil
}
