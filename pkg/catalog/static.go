package catalog

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/illm-go/illm/pkg/artifact"
	"github.com/illm-go/illm/pkg/floatref"
	"github.com/illm-go/illm/pkg/ptq"
	"github.com/illm-go/illm/pkg/quant"
)

// storedRanges is a file of static ranges in the cache.
type storedRanges struct {
	Model  string `json:"model"`
	Source string `json:"source_sha256"`
	// Factors is the hash of the factors that were folded into the weights, "" for none.
	Factors string `json:"factors_sha256,omitempty"`
	ptq.StaticRanges
}

// maxRangesFile bounds what is read of the cache.
const maxRangesFile = 64 << 20

// StaticRanges returns what the sites of the model, with the factors of the recipe's method, see in the calibration text:
// from the cache, or by a pass of the float model. Options.StaticWindows says over how many windows.
func (e *Entry) StaticRanges(ctx context.Context, spec quant.Spec) (ptq.StaticRanges, error) {
	var none ptq.StaticRanges
	if e.weights == nil {
		return none, fmt.Errorf("catalog: recipe %s: %s is an integer artefact: the ranges of a static recipe come from the float model, use its name or path", spec.Recipe.Name, e.Path)
	}
	spec.Recipe = spec.Recipe.Dynamic()
	p, err := e.prepare(spec)
	if err != nil {
		return none, err
	}
	source, err := e.weights.Hash()
	if err != nil {
		return none, err
	}
	n := e.opt.StaticWindows
	if n == 0 {
		n = ptq.CalibrationWindows
	}
	if n < 1 || n > maxCalibrationWindows {
		return none, fmt.Errorf("catalog: static ranges: expected 1 to %d calibration windows, found %d", maxCalibrationWindows, n)
	}
	dir, err := cacheFolder("calibrations")
	if err != nil {
		return none, err
	}
	key := fmt.Sprintf("static-%s-%d", source[:16], n)
	if p.hash != "" {
		key += "-" + p.hash[:16]
	}
	path := filepath.Join(dir, key+".json")
	name, windows, err := e.calibrationWindows(ctx, n, ptq.CalibrationWindow)
	if err != nil {
		return none, err
	}
	if !e.opt.Recalibrate {
		if r, ok := readRanges(path, source, p.hash); ok && r.Hash == ptq.Hash(windows) && r.Check(p.input.Config) == nil {
			return r, nil
		}
	}
	opt := floatref.Options{Threads: e.opt.Threads, Alpha: p.input.Alpha}
	if p.applied != nil {
		opt.Alpha, opt.Tap = p.applied.Alpha, p.applied.Tap()
	}
	r, err := ptq.StaticCalibrate(ctx, p.input.Config, p.input.Weights, opt, name, windows, func(done, total int) { e.progress("calibrate", done, total) })
	if err != nil {
		return none, err
	}
	return r, writeJSON(path, storedRanges{e.Name, source, p.hash, r})
}

// readRanges reads a cached file; a damaged or foreign one is as good as none.
func readRanges(path, source, factors string) (ptq.StaticRanges, bool) {
	info, err := os.Stat(path)
	if err != nil || info.Size() > maxRangesFile {
		return ptq.StaticRanges{}, false
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return ptq.StaticRanges{}, false
	}
	var s storedRanges
	if json.Unmarshal(raw, &s) != nil || s.Source != source || s.Factors != factors {
		return ptq.StaticRanges{}, false
	}
	return s.StaticRanges, true
}

// residualSteps returns the steps of the residual stream of mode published on the grid 2^−kr, nil for another mode.
func (e *Entry) residualSteps(ctx context.Context, spec quant.Spec, kr int32) ([]int32, error) {
	if spec.Mode != quant.Published {
		return nil, nil
	}
	r, err := e.StaticRanges(ctx, spec)
	if err != nil {
		return nil, err
	}
	return r.ResidualSteps(kr), nil
}

// staticGrids returns the constant grids of a recipe, nil for a dynamic one. Mode published has them at the values always.
func (e *Entry) staticGrids(ctx context.Context, spec quant.Spec) (artifact.Static, error) {
	if spec.Recipe.Static == "" && spec.Mode != quant.Published {
		return nil, nil
	}
	r, err := e.StaticRanges(ctx, spec)
	if err != nil {
		return nil, err
	}
	grids, widths := artifact.Static{}, spec.Effective()
	if widths.Static != "" {
		if grids, err = r.Grids(e.weights.Config, widths); err != nil {
			return nil, err
		}
	}
	if spec.Mode == quant.Published && grids[artifact.SiteValue] == nil { // its probabilities have no room for a scale a token
		widths.Static = quant.StaticSite(artifact.SiteValue)
		values, err := r.Grids(e.weights.Config, widths)
		if err != nil {
			return nil, err
		}
		grids[artifact.SiteValue] = values[artifact.SiteValue]
	}
	return grids, nil
}
