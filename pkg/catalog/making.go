package catalog

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/illm-go/illm/pkg/artifact"
	"github.com/illm-go/illm/pkg/ptq"
	"github.com/illm-go/illm/pkg/quant"
)

// Quantize writes the artefact for spec, its method included, at path and returns its identity.
func (e *Entry) Quantize(ctx context.Context, spec quant.Spec, cal ptq.Calibration, path string) (string, error) {
	if e.weights == nil {
		return "", e.quantised()
	}
	p, err := e.prepare(spec)
	if err != nil {
		return "", err
	}
	p.spec = spec
	p.spec.Recipe = spec.Recipe.Dynamic() // the weights serve both
	p.spec.Recipe.Method = ""             // a field of its own in the header
	p.spec.Recipe.Variant = ""            // the hash of the factors says which
	return e.write(ctx, p, cal, path)
}

// write chooses the codes and writes the artefact.
func (e *Entry) write(ctx context.Context, p *prepared, cal ptq.Calibration, path string) (string, error) {
	name, err := e.canonicalName()
	if err != nil {
		return "", err
	}
	if cal, err = e.rotatedCalibration(ctx, p, cal); err != nil {
		return "", err
	}
	if err = e.round(ctx, p); err != nil {
		return "", err
	}
	return ptq.QuantizeFrom(ctx, p.input, p.spec, cal, path, ptq.Options{Threads: e.opt.Threads, Name: name, Progress: func(done, total int, _ string) {
		e.progress("quantise", done, total)
	}})
}

// artifactFor returns the cached artefact whose weights spec needs, making it first if it is missing or damaged.
func (e *Entry) artifactFor(ctx context.Context, spec quant.Spec) (string, error) {
	if err := spec.Validate(); err != nil {
		return "", fmt.Errorf("catalog: %w", err)
	}
	p, err := e.prepare(spec)
	if err != nil {
		return "", err
	}
	return e.artifactOf(ctx, p)
}

// artifactOf is artifactFor of prepared weights.
func (e *Entry) artifactOf(ctx context.Context, p *prepared) (string, error) {
	source, err := e.weights.Hash()
	if err != nil {
		return "", err
	}
	cal, err := e.Calibration(ctx)
	if err != nil {
		return "", err
	}
	name, err := e.canonicalName() // part of the bytes, and another one once the calibration is shipped
	if err != nil {
		return "", err
	}
	dir, err := cacheFolder("artifacts")
	if err != nil {
		return "", err
	}
	r := p.spec.Recipe
	key := fmt.Sprintf("%s-w%dh%de%d-%s-s%d", source[:16], r.Weight, r.Head, r.Emb, cal.Hash[:8], ptq.Semantics)
	if p.hash != "" {
		key += "-" + p.hash[:12]
	}
	if p.rounded() {
		key += fmt.Sprintf("-%x", sha256.Sum256(fmt.Appendf(nil, "%+v", p.spec)))[:9]
	}
	path := filepath.Join(dir, key+".illm")
	if a, err := artifact.Open(path); err == nil {
		good := a.Header.Source == source && a.Header.Calibration == cal.Hash && a.Header.Spec == p.spec && a.Header.Name == name && a.Header.Factors == p.hash
		a.Close()
		if good {
			return path, nil
		}
	} else if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, artifact.ErrCorrupt) {
		return "", err
	}
	_, err = e.write(ctx, p, cal, path)
	return path, err
}

// weightSpec keeps what the artefact's bytes depend on and sets the rest to the default.
func weightSpec(spec quant.Spec) quant.Spec {
	base, err := quant.NewSpec("w8a8", "", "")
	if err != nil {
		panic("catalog: " + err.Error()) // a recipe of the table
	}
	base.Recipe.Name = fmt.Sprintf("w%d", spec.Recipe.Weight)
	base.Recipe.Weight, base.Recipe.Head, base.Recipe.Emb = spec.Recipe.Weight, spec.Recipe.Head, spec.Recipe.Emb
	return base
}
