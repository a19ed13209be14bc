package catalog

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/illm-go/illm/data"
	"github.com/illm-go/illm/pkg/corpus"
	"github.com/illm-go/illm/pkg/ptq"
)

// stored is one line of data/records/calibration.json and of the cache.
type stored struct {
	Model string `json:"model"`
	// Source is the sha256 of the weights; the calibration belongs to no other.
	Source string `json:"source_sha256"`
	ptq.Calibration
}

// Calibration returns the range of the residual stream on calibration text. Injected
// outliers do not change it: the float function is the same bit for bit, inside the
// network too where blocks add to the stream. So a variant has the calibration of its
// base.
func (e *Entry) Calibration(ctx context.Context) (ptq.Calibration, error) {
	if e.weights == nil {
		return ptq.Calibration{}, e.quantised()
	}
	source, err := e.base.Hash()
	if err != nil {
		return ptq.Calibration{}, err
	}
	if !e.opt.Recalibrate {
		if s, ok, err := shipped(source); err != nil || ok {
			return s.Calibration, err
		}
	}
	dir, err := cacheFolder("calibrations")
	if err != nil {
		return ptq.Calibration{}, err
	}
	path := filepath.Join(dir, source[:16]+".json")
	if !e.opt.Recalibrate {
		if c, ok := readStored(path, source); ok {
			return c, nil
		}
	}
	if err := e.checkWeights(ctx); err != nil { // a minute of text would tell less than the tensor's name
		return ptq.Calibration{}, err
	}
	c, err := e.calibrate(ctx)
	if err != nil {
		return c, err
	}
	return c, writeJSON(path, stored{e.baseName(), source, c})
}

// calibrate runs the float model over the calibration text.
func (e *Entry) calibrate(ctx context.Context) (ptq.Calibration, error) {
	name, windows, err := e.calibrationWindows(ctx, ptq.CalibrationWindows, ptq.CalibrationWindow)
	if err != nil {
		return ptq.Calibration{}, err
	}
	return ptq.Calibrate(ctx, e.base, name, windows, e.opt.Threads, func(done, total int) { e.progress("calibrate", done, total) })
}

// calibrationWindows cuts the first windows of the calibration text, of Opticks where that cannot be had.
func (e *Entry) calibrationWindows(ctx context.Context, n, length int) (name string, windows [][]int32, err error) {
	name = corpus.Calibration
	text, err := corpus.Load(ctx, name)
	if err != nil {
		if ctx.Err() != nil {
			return "", nil, ctx.Err()
		}
		name = corpus.Opticks
		if text, err = corpus.Load(ctx, name); err != nil {
			return "", nil, err
		}
	}
	ids, err := e.Encode(string(text.Bytes))
	if err != nil {
		return "", nil, err
	}
	return name, ptq.Windows(ids, n, min(length, e.MaxContext())), nil
}

// Publish puts the calibration of the entry's base model into the JSON list at path,
// that of data/records, in place of one of the same name.
func (e *Entry) Publish(c ptq.Calibration, path string) error {
	if e.base == nil {
		return e.quantised()
	}
	source, err := e.base.Hash()
	if err != nil {
		return err
	}
	var list []stored
	raw, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(raw, &list)
	}
	if err != nil {
		return fmt.Errorf("catalog: list of calibrations %s: %w", path, err)
	}
	s := stored{e.baseName(), source, c}
	if at := slices.IndexFunc(list, func(o stored) bool { return o.Model == s.Model }); at >= 0 {
		list[at] = s
	} else {
		list = append(list, s)
	}
	slices.SortFunc(list, func(a, b stored) int { return strings.Compare(a.Model, b.Model) })
	return writeJSON(path, list)
}

// shipped looks these weights up among the shipped calibrations.
func shipped(source string) (stored, bool, error) {
	raw, err := fs.ReadFile(data.Records(), "calibration.json")
	if err != nil {
		return stored{}, false, fmt.Errorf("catalog: shipped calibrations: %w", err)
	}
	var list []stored
	if err := json.Unmarshal(raw, &list); err != nil {
		return stored{}, false, fmt.Errorf("catalog: shipped calibrations: %w", err)
	}
	for _, s := range list {
		if s.Source == source {
			return s, true, nil
		}
	}
	return stored{}, false, nil
}

// canonicalName names weights by their content, so that an artefact's bytes do not
// depend on the path by which its model was found.
func (e *Entry) canonicalName() (string, error) {
	source, err := e.base.Hash()
	if err != nil {
		return "", err
	}
	name := "sha256-" + source[:16]
	if s, ok, err := shipped(source); err != nil {
		return "", err
	} else if ok {
		name = s.Model
	}
	if e.Injected != nil {
		name += e.Injected.String()
	}
	return name, nil
}

// baseName is the name without its variant.
func (e *Entry) baseName() string {
	if base, _, err := Variant(e.Name); err == nil {
		return base
	}
	return e.Name
}

// readStored reads a cached calibration; a damaged or foreign one is as good as none.
func readStored(path, source string) (ptq.Calibration, bool) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return ptq.Calibration{}, false
	}
	var s stored
	if json.Unmarshal(raw, &s) != nil || s.Source != source || s.MaxAbs <= 0 || len(s.Hash) != 64 {
		return ptq.Calibration{}, false
	}
	return s.Calibration, true
}

// writeJSON places the file whole or not at all.
func writeJSON(path string, v any) error {
	raw, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".calibration.*")
	if err == nil {
		_, err = f.Write(append(raw, '\n'))
		if e := f.Close(); err == nil {
			err = e
		}
		if err == nil {
			err = errors.Join(os.Chmod(f.Name(), 0o644), os.Rename(f.Name(), path))
		}
		if err != nil {
			os.Remove(f.Name())
		}
	}
	if err != nil {
		return fmt.Errorf("catalog: keep calibration %s: %w", path, err)
	}
	return nil
}
