package catalog

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

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
	at, err := e.placeOf(ctx, p)
	if err != nil {
		return "", err
	}
	if p.rounded() {
		at.key += fmt.Sprintf("-%x", sha256.Sum256(fmt.Appendf(nil, "%+v", p.spec)))[:9]
	}
	if p.input.Clips != nil {
		at.key += "-" + p.file()[:12]
	}
	path := filepath.Join(at.dir, at.key+".illm")
	if a, err := artifact.Open(path); err == nil {
		good := at.holds(a, p) && a.Header.Spec == p.spec
		a.Close()
		if good {
			return path, nil
		}
	} else if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, artifact.ErrCorrupt) {
		return "", err
	}
	if p.input.Clips != nil {
		return path, e.writeClipped(ctx, p, path)
	}
	_, err = e.write(ctx, p, at.cal, path)
	return path, err
}

// place is where the cache keeps an artefact, and what decides its bytes beside factors and settings.
type place struct {
	dir, key     string // of the weights, head, embedding and factors; settings that choose codes come behind
	source, name string
	cal          ptq.Calibration
}

func (e *Entry) placeOf(ctx context.Context, p *prepared) (at place, err error) {
	if at.source, err = e.weights.Hash(); err != nil {
		return at, err
	}
	if at.cal, err = e.Calibration(ctx); err != nil {
		return at, err
	}
	if at.name, err = e.canonicalName(); err != nil { // part of the bytes, and another one once the calibration is shipped
		return at, err
	}
	if at.dir, err = cacheFolder("artifacts"); err != nil {
		return at, err
	}
	r := p.spec.Recipe
	at.key = fmt.Sprintf("%s-w%dh%de%d-%s-s%d", at.source[:16], r.Weight, r.Head, r.Emb, at.cal.Hash[:8], ptq.Semantics)
	if p.hash != "" {
		at.key += "-" + p.hash[:12]
	}
	return at, nil
}

// holds tells whether the artefact is of these weights and factors; its settings are left to compare.
func (at *place) holds(a *artifact.File, p *prepared) bool {
	h := &a.Header
	return h.Source == at.source && h.Calibration == at.cal.Hash && h.Name == at.name && h.Factors == p.file() && slices.Equal(h.Clips, p.input.Clips)
}

// writeClipped writes the artefact with clips by layer over the codes of the one without.
func (e *Entry) writeClipped(ctx context.Context, p *prepared, path string) error {
	base, err := e.codesOf(ctx, p)
	if err != nil {
		return err
	}
	a, err := artifact.Open(base)
	if err != nil {
		return err
	}
	_, err = a.Copy(path, func(h *artifact.Header) { h.Spec, h.Clips, h.Factors = p.spec, p.input.Clips, p.file() })
	return errors.Join(err, a.Close())
}

// codesOf returns an artefact with the codes of p and without its clips by layer, which change no code. Choosing codes may
// take minutes, so one that any variant of the recipe left in the cache will do: variants differ in their names alone.
func (e *Entry) codesOf(ctx context.Context, p *prepared) (string, error) {
	c := *p
	c.input.Clips, c.input.Factors = nil, p.hash
	if !c.rounded() {
		return e.artifactOf(ctx, &c)
	}
	at, err := e.placeOf(ctx, &c)
	if err != nil {
		return "", err
	}
	list, err := filepath.Glob(filepath.Join(at.dir, at.key+"-*.illm"))
	if err != nil {
		return "", err
	}
	for _, path := range list {
		a, err := artifact.Open(path)
		if err != nil {
			continue // damaged or of another version: as good as none
		}
		spec := a.Header.Spec
		spec.Recipe.Name = c.spec.Recipe.Name
		good := at.holds(a, &c) && spec == c.spec && a.Verify() == nil
		a.Close()
		if good {
			return path, nil
		}
	}
	c.spec.Recipe.Name, _, _ = strings.Cut(c.spec.Recipe.Name, "@")
	return e.artifactOf(ctx, &c)
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
