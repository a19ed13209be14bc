package catalog

import (
	"context"
	"fmt"
	"maps"
	"math"
	"strconv"
	"strings"
	"sync"

	"github.com/illm-go/illm/pkg/baseline/fakequant"
	"github.com/illm-go/illm/pkg/corpus"
	"github.com/illm-go/illm/pkg/gptq"
	"github.com/illm-go/illm/pkg/model"
	"github.com/illm-go/illm/pkg/ptq"
	"github.com/illm-go/illm/pkg/quant"
	"github.com/illm-go/illm/pkg/smooth"
)

// Calibrating says how MakeFactors calibrates; the zero value is 16 windows of the calibration text, as long as the
// model's context allows up to 2048 tokens.
type Calibrating struct {
	Text            string // name or path of a text; "": the calibration text
	Windows, Window int    // 0: 16, and 2048 or the model's context

	// Alpha is the exponent of SmoothQuant in sixteenths; 0: 8. Grid tries 8 to 14 on the first two windows.
	Alpha int
	Grid  bool

	Seed uint64          // of the signs of a residual rotation
	From *smooth.Factors // best: what rounding is put on, and range ratios where it has none; nil: the rotation of rotate
}

// InProcess lists the methods that MakeFactors knows; the others are trained.
func InProcess() []string { return []string{"smoothquant", "gptq", "rotate", "best"} }

// MakeFactors makes the factors of a recipe whose method has a closed form. What they hold depends on weights, recipe and
// settings alone, not on machine or threads, but for the largest residual value of a rotated model, which has a float32
// rounding of its own, and for the choice of Grid.
//
//	smoothquant   norm → linear factors from the maxima of the activations (smooth.SmoothQuant)
//	rotate        Hadamard matrices at every site that the model can have (smooth.Rotations)
//	gptq          that codes are chosen by GPTQ on the windows, which happens when an artefact is made
//	best          rotate or From, then GPTQ with clipping ratios and range ratios searched beside it
//
// Errors: a weight that is no finite number (tensor and place), a text shorter than one window, an unknown method.
func (e *Entry) MakeFactors(ctx context.Context, spec quant.Spec, c Calibrating) (*smooth.Factors, error) {
	if e.weights == nil {
		return nil, e.quantised()
	}
	source, err := e.weights.Hash()
	if err != nil {
		return nil, err
	}
	if err := e.checkWeights(ctx); err != nil {
		return nil, err
	}
	if c.Text == "" {
		c.Text = corpus.Calibration
	}
	if c.Windows == 0 {
		c.Windows = ptq.CalibrationWindows
	}
	if c.Window == 0 {
		c.Window = min(ptq.CalibrationWindow, e.MaxContext())
	}
	if c.Windows < 1 || c.Windows > maxCalibrationWindows || c.Window < 1 || c.Window > e.MaxContext() {
		return nil, fmt.Errorf("catalog: calibrate %s: expected 1 to %d windows of 1 to %d tokens, found %d of %d", e.Name, maxCalibrationWindows, e.MaxContext(), c.Windows, c.Window)
	}
	method := spec.Recipe.Method
	var f *smooth.Factors
	switch method {
	case "smoothquant":
		f, err = e.smoothQuant(ctx, spec, c)
	case "rotate":
		f = &smooth.Factors{Rotation: smooth.Rotations(e.weights.Config, c.Seed)}
	case "gptq":
		f = &smooth.Factors{}
		err = e.pin(ctx, f, c)
	case "best":
		if f = c.From; f == nil {
			f = &smooth.Factors{Rotation: smooth.Rotations(e.weights.Config, c.Seed)}
		} else if err = f.CheckSource(source); err == nil {
			err = f.Check(e.weights.Config)
		}
		if err != nil {
			return nil, misfit{fmt.Errorf("catalog: calibrate %s: the factors to begin with: %w", e.Name, err)}
		}
		f = f.WithoutClips().Rounded() // clips were found for other codes
		err = e.pin(ctx, f, c)
	default:
		err = fmt.Errorf("catalog: calibrate %s: method %q: expected one of %s", e.Name, method, strings.Join(InProcess(), ", "))
	}
	if err != nil {
		return nil, err
	}
	if f.Meta == nil {
		f.Meta = map[string]string{}
	}
	if method == "best" {
		if f.Meta[smooth.MetaMethod] != "" {
			f.Meta["from"] = f.Meta[smooth.MetaMethod]
		}
		f.Meta[metaRoundClip] = gptq.ClipLoss.String() // where the file has no ratios of its own
		if f.Meta[smooth.MetaRatios] == "" {
			f.Meta[metaRoundRange] = rangeSearch
		}
	}
	maps.Copy(f.Meta, map[string]string{smooth.MetaMethod: method, smooth.MetaSource: source,
		smooth.MetaRecipe: spec.Recipe.Widths()})
	if err := f.Check(e.weights.Config); err != nil {
		return nil, err
	}
	return f, e.addRange(ctx, f)
}

// pin notes that codes are chosen by GPTQ, and on which tokens.
func (e *Entry) pin(ctx context.Context, f *smooth.Factors, c Calibrating) error {
	windows, err := e.textWindows(ctx, c.Text, c.Windows, c.Window)
	if err != nil {
		return err
	}
	if f.Meta == nil {
		f.Meta = map[string]string{}
	}
	maps.Copy(f.Meta, map[string]string{smooth.MetaRound: roundGPTQ, metaRoundText: c.Text, metaRoundWindows: strconv.Itoa(len(windows)),
		metaRoundWindow: strconv.Itoa(c.Window), metaRoundHash: ptq.Hash(windows)})
	return nil
}

// Adopt checks factors that were trained elsewhere for a recipe of the entry's model, and adds what they need here: the
// range of the residual stream where they rotate it.
func (e *Entry) Adopt(ctx context.Context, f *smooth.Factors, r quant.Recipe) error {
	if e.weights == nil {
		return e.quantised()
	}
	if err := e.checkFactors(f, r, "for "+r.Name); err != nil {
		return err
	}
	if f.Meta[smooth.MetaMaxAbs] != "" {
		return nil
	}
	return e.addRange(ctx, f)
}

// addRange puts the range of the residual stream into factors that change it.
func (e *Entry) addRange(ctx context.Context, f *smooth.Factors) error {
	if !f.Rotation.Residual {
		return nil
	}
	a, err := smooth.Apply(e.weights.Config, e.weights, f)
	if err != nil {
		return err
	}
	cal, err := e.rangeOf(ctx, a)
	if err == nil {
		f.Meta[smooth.MetaMaxAbs] = strconv.FormatFloat(cal.MaxAbs, 'g', -1, 64)
	}
	return err
}

// smoothQuant measures maxima and makes the factors of one α, or of the best of a grid.
func (e *Entry) smoothQuant(ctx context.Context, spec quant.Spec, c Calibrating) (*smooth.Factors, error) {
	windows, err := e.textWindows(ctx, c.Text, c.Windows, c.Window)
	if err != nil {
		return nil, err
	}
	in := gptq.Input{Config: e.weights.Config, Weights: e.weights, Spec: spec, Windows: windows}
	maxima, hash, err := gptq.Measure(ctx, in, gptq.Options{Threads: e.opt.Threads, Progress: func(done, total int, _ string) {
		e.progress("measure", done, total)
	}})
	if err != nil {
		return nil, err
	}
	at := func(alpha int) (*smooth.Factors, error) {
		f, err := smooth.SmoothQuant(e.weights.Config, e.weights, func(layer int) (attnIn, mlpIn []float32) {
			return maxima[layer].AttnIn, maxima[layer].MLPIn
		}, alpha)
		if err == nil {
			maps.Copy(f.Meta, map[string]string{smooth.MetaCalibration: hash, "text": c.Text, "windows": strconv.Itoa(len(windows)),
				"window": strconv.Itoa(c.Window), "alpha": strconv.FormatFloat(float64(alpha)/16, 'g', -1, 64)})
		}
		return f, err
	}
	if !c.Grid {
		if c.Alpha == 0 {
			c.Alpha = 8
		}
		return at(c.Alpha)
	}
	var best *smooth.Factors
	least, tried := math.Inf(1), ""
	for alpha := 8; alpha <= 14; alpha++ {
		f, err := at(alpha)
		if err != nil {
			return nil, err
		}
		nll, err := e.simulatedLoss(ctx, spec, f, windows[:min(2, len(windows))])
		if err != nil {
			return nil, err
		}
		tried += fmt.Sprintf(" %g: %.4f", float64(alpha)/16, nll)
		if nll < least {
			best, least = f, nll
		}
		e.progress("alpha", alpha-7, 7)
	}
	if best == nil {
		return nil, fmt.Errorf("catalog: calibrate %s: no α of the grid gives a finite loss:%s", e.Name, tried)
	}
	best.Meta["alpha_grid_nll"] = strings.TrimSpace(tried)
	return best, nil
}

// simulatedLoss is the mean negative log-likelihood of the windows in the float simulation.
func (e *Entry) simulatedLoss(ctx context.Context, spec quant.Spec, f *smooth.Factors, windows [][]int32) (float64, error) {
	p, err := e.prepareWith(spec, f, "of a grid")
	if err != nil {
		return 0, err
	}
	lm, err := e.simulate(ctx, p, spec, fakequant.Options{})
	if err != nil {
		return 0, err
	}
	sum, n := 0.0, 0
	for _, w := range windows {
		losses := make([]float64, len(w))
		var mu sync.Mutex
		err := lm.Logits(ctx, w, func(pos int, logits []float32) error {
			if pos+1 == len(w) {
				return nil
			}
			top := float64(logits[0])
			for _, v := range logits {
				top = math.Max(top, float64(v))
			}
			z := 0.0
			for _, v := range logits {
				z += math.Exp(float64(v) - top)
			}
			mu.Lock()
			losses[pos] = top + math.Log(z) - float64(logits[w[pos+1]])
			mu.Unlock()
			return nil
		})
		if err != nil {
			return 0, err
		}
		for _, l := range losses[:len(w)-1] {
			sum += l
			n++
		}
	}
	return sum / float64(max(n, 1)), nil
}

// checkWeights reads every tensor and refuses values that are not finite.
func (e *Entry) checkWeights(ctx context.Context) error {
	var buf []float32
	for _, name := range e.weights.Names() {
		if name == model.Head && e.weights.Config.TiedHead {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		var err error
		if buf, err = e.weights.Float32(name, buf); err != nil {
			return err
		}
		for i, v := range buf {
			if !(v >= -math.MaxFloat32 && v <= math.MaxFloat32) {
				return fmt.Errorf("catalog: calibrate %s: tensor %s, value %d is %v: expected finite numbers: the weights are damaged, fetch them again", e.Name, name, i, v)
			}
		}
	}
	return nil
}

// Artifact returns the path of the cached artefact of spec, made first where there is none.
func (e *Entry) Artifact(ctx context.Context, spec quant.Spec) (path string, err error) {
	if e.weights == nil {
		return "", e.quantised()
	}
	return e.artifactFor(ctx, spec)
}
