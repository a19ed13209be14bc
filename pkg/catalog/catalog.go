package catalog

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/illm-go/illm/data"
	"github.com/illm-go/illm/pkg/artifact"
	"github.com/illm-go/illm/pkg/di"
	"github.com/illm-go/illm/pkg/engine"
	"github.com/illm-go/illm/pkg/floatref"
	"github.com/illm-go/illm/pkg/gptq"
	"github.com/illm-go/illm/pkg/hub"
	"github.com/illm-go/illm/pkg/model"
	"github.com/illm-go/illm/pkg/model/tokenizer"
	"github.com/illm-go/illm/pkg/ptq"
	"github.com/illm-go/illm/pkg/quant"
)

// ErrUnknown marks a name that is neither a known model nor a file.
var ErrUnknown = errors.New("unknown model")

// Options of Open; the zero value uses every core and stays silent.
type Options struct {
	Threads int
	// Progress is told what takes time: "calibrate", "quantise"; one call at a time.
	Progress func(what string, done, total int)
	// Recalibrate ignores shipped and cached calibrations.
	Recalibrate bool
	// StaticWindows is the number of windows of the calibration text that the grids of static recipes come from; 0: 16.
	StaticWindows int
}

// Entry is a model that was found. Exactly one of float weights and artefact is
// behind it.
type Entry struct {
	Name     string // as asked for, with its variant
	Path     string
	Injected *Outliers // nil: the model as it is
	opt      Options

	weights *model.Model   // of base, or a view on it
	base    *model.Model   // as the files have it
	art     *artifact.File // or this

	mu   sync.Mutex
	made map[string]*artifact.File // artefacts of the weights, by path: recipes share them

	rounding    *gptq.Result // the last one, and what it is of
	roundingKey string
}

// Open finds the model called name, unpacking or fetching it where it must.
func Open(ctx context.Context, name string, opt Options) (*Entry, error) {
	e := &Entry{Name: name, opt: opt}
	if name == "" {
		return nil, fmt.Errorf("catalog: expected the name of a model, found none: use %s, hf:ORG/NAME or a path", strings.Join(Names(), ", "))
	}
	base, outliers, err := Variant(name)
	if err != nil {
		return nil, err
	}
	if e.Path, err = find(ctx, name, base); err != nil {
		return nil, err
	}
	if isArtifact(e.Path) {
		if outliers != nil {
			return nil, fmt.Errorf("catalog: model %q: %s is an integer artefact: outliers are injected into the float model", name, e.Path)
		}
		e.art, err = artifact.Open(e.Path)
		if err != nil {
			return nil, err
		}
		return e, nil
	}
	if e.base, err = model.Open(e.Path); err != nil {
		return nil, err
	}
	e.weights = e.base
	if outliers != nil {
		if e.weights, err = e.base.InjectOutliers(outliers.Seed, outliers.Strength); err != nil {
			e.base.Close()
			return nil, fmt.Errorf("catalog: model %q: %w: %w", name, ErrUnknown, err) // a strength out of range
		}
		e.Injected = outliers
	}
	return e, nil
}

// find returns the file or folder of the model called base; name is what was asked for.
func find(ctx context.Context, name, base string) (string, error) {
	if files, ok := data.Model(base); ok {
		return shippedModel(base, files)
	}
	if base == hub.SmolLM2 || strings.HasPrefix(base, "hf:") {
		return hub.Fetch(ctx, base)
	}
	if _, err := os.Stat(base); err != nil {
		if slices.Contains(Names(), base) {
			return "", unavailable{fmt.Errorf("catalog: model %q: this program was built without its weights: build it from a checkout that has data/models/%s/model.safetensors", name, base)}
		}
		if errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("catalog: model %q: %w, and no such file: use %s, hf:ORG/NAME, or the path of a GGUF file, a safetensors folder or an artefact",
				name, ErrUnknown, strings.Join(Names(), ", "))
		}
		return "", fmt.Errorf("catalog: model %q: %w", name, err)
	}
	return base, nil
}

// Unpack returns the folder of a shipped model in the cache, or the path that name is.
func Unpack(ctx context.Context, name string) (string, error) {
	if name == hub.SmolLM2 || strings.HasPrefix(name, "hf:") {
		return "", fmt.Errorf("catalog: unpack %s: expected one of %s or %s", name, TinyLlama, TinyOPT)
	}
	return find(ctx, name, name)
}

// TinyLlama and TinyOPT are the shipped models; Default is the one that commands and
// notebooks take when none is named.
const (
	TinyLlama = "tiny-llama"
	TinyOPT   = "tiny-opt"
	Default   = TinyLlama
)

// Names lists the models that have a name of their own. Each may be followed by
// "+outliers" (see Variant).
func Names() []string { return []string{TinyLlama, TinyOPT, hub.SmolLM2} }

// unavailable is an error that is also hub.ErrUnavailable, in its own words.
type unavailable struct{ error }

func (unavailable) Is(target error) bool { return target == hub.ErrUnavailable }

// Here returns nil if the model called name can be opened without a download, else
// the reason. It opens nothing.
func Here(name string) error {
	base, _, err := Variant(name)
	if err != nil {
		return err
	}
	if base != hub.SmolLM2 && !strings.HasPrefix(base, "hf:") {
		if _, ok := data.Model(base); ok {
			return nil
		}
		_, err := find(context.Background(), name, base) // a path, or nothing: no download
		return err
	}
	if _, ok := new(hub.Client).Cached(base); !ok {
		return fmt.Errorf("catalog: model %q: not in the cache: \"illm fetch %s\" downloads it: %w", name, base, hub.ErrUnavailable)
	}
	return nil
}

// Pinned tells whether the name stands for the same weights everywhere and for ever:
// its file has a hash that is part of the program.
func Pinned(name string) bool {
	base, _, err := Variant(name)
	return err == nil && base == hub.SmolLM2
}

// isArtifact looks at the first bytes of a regular file.
func isArtifact(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	return artifact.HasMagic(f)
}

// Close unmaps the files: no engine of this entry may be used after it.
func (e *Entry) Close() error {
	var errs []error
	if e.base != nil {
		errs = append(errs, e.base.Close())
	}
	if e.art != nil {
		errs = append(errs, e.art.Close())
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, a := range e.made {
		errs = append(errs, a.Close())
	}
	e.made = nil
	return errors.Join(errs...)
}

// Source is the sha256 of the float weights behind the entry.
func (e *Entry) Source() (string, error) {
	if e.weights == nil {
		return e.art.Header.Source, nil
	}
	return e.weights.Hash()
}

// Tokenizer is the model's own.
func (e *Entry) Tokenizer() (*tokenizer.Tokenizer, error) {
	if e.weights != nil {
		if e.weights.Tokenizer == nil {
			return nil, fmt.Errorf("catalog: model %s has no tokenizer: put tokenizer.json beside its weights", e.Name)
		}
		return e.weights.Tokenizer, nil
	}
	raw := e.art.Tokenizer()
	if len(raw) == 0 {
		return nil, fmt.Errorf("catalog: artefact %s has no tokenizer: make it from a model with one", e.Path)
	}
	return tokenizer.Unmarshal(raw)
}

// BOS is the token that stands at the head of a text, −1 for none.
func (e *Entry) BOS() int {
	if e.weights != nil {
		return e.weights.Config.BOS
	}
	return e.art.Header.BOS
}

// EOS is the token that ends a text, −1 where it is not known.
func (e *Entry) EOS() int {
	if e.weights != nil {
		return e.weights.Config.EOS
	}
	return e.art.Header.EOS
}

// MaxContext is the model's largest context.
func (e *Entry) MaxContext() int {
	if e.weights != nil {
		return e.weights.Config.MaxContext
	}
	return e.art.Header.MaxContext
}

// StaticSites lists the sites that a static recipe can name: OPT has no gate.
func (e *Entry) StaticSites() []string {
	if e.weights != nil {
		return ptq.StaticSites(e.weights.Config)
	}
	return e.art.Header.StaticSites()
}

// Parameters counts the numbers of the float model, a tied head once; 0 for an artefact.
func (e *Entry) Parameters() int64 {
	if e.weights == nil {
		return 0
	}
	var total int64
	for _, name := range e.weights.Names() {
		if name == model.Head && e.weights.Config.TiedHead {
			continue
		}
		n := int64(1)
		for _, d := range e.weights.Shape(name) {
			n *= int64(d)
		}
		total += n
	}
	return total
}

// Encode turns text into token ids, with the model's BOS at the head where it has one.
func (e *Entry) Encode(text string) ([]int32, error) {
	t, err := e.Tokenizer()
	if err != nil {
		return nil, err
	}
	var ids []int32
	if b := e.BOS(); b >= 0 {
		ids = append(ids, int32(b))
	}
	return t.AppendEncode(ids, text), nil
}

// Float loads the float reference.
func (e *Entry) Float() (*floatref.Model, error) {
	if e.weights == nil {
		return nil, fmt.Errorf("catalog: %s is an integer artefact: the recipe fp32 needs the float model, use its name or path", e.Path)
	}
	return floatref.New(e.weights, e.opt.Threads)
}

// Integer loads the engine for spec, making the artefact where the cache has none.
func (e *Entry) Integer(ctx context.Context, spec quant.Spec) (*engine.Model, error) {
	return e.IntegerWith(ctx, spec, nil)
}

// IntegerWith is Integer with other non-linear operators: a rival of an ablation. nil: those of the spec.
func (e *Entry) IntegerWith(ctx context.Context, spec quant.Spec, ops di.Operators) (*engine.Model, error) {
	art := e.art
	if art == nil {
		path, err := e.artifactFor(ctx, spec)
		if err != nil {
			return nil, err
		}
		if art, err = e.open(path); err != nil {
			return nil, err
		}
	} else if m := spec.Recipe.Method; m != "" && m != art.Header.Method {
		return nil, fmt.Errorf("catalog: recipe %s asks for the method %s, the artefact %s was made by %s: leave the method out, or make an artefact with \"illm quantize --recipe %s\"",
			spec.Recipe.Name, m, e.Path, art.Header.Method, spec.Recipe.Name)
	}
	grids, err := e.staticGrids(ctx, spec)
	if err != nil {
		return nil, err
	}
	steps, err := e.residualSteps(ctx, spec, art.Header.KR)
	if err != nil {
		return nil, err
	}
	return engine.New(art, engine.Options{Spec: &spec, Threads: e.opt.Threads, Operators: ops, Static: grids, Residual: steps})
}

// open maps the artefact at path, once for all engines of the entry.
func (e *Entry) open(path string) (*artifact.File, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if a := e.made[path]; a != nil {
		return a, nil
	}
	a, err := artifact.Open(path)
	if err != nil {
		return nil, err
	}
	if e.made == nil {
		e.made = map[string]*artifact.File{}
	}
	e.made[path] = a
	return a, nil
}

// quantised refuses to calibrate or quantise an artefact.
func (e *Entry) quantised() error {
	return fmt.Errorf("catalog: %s is an artefact already: quantise the float model", e.Path)
}

func (e *Entry) progress(what string, done, total int) {
	if e.opt.Progress != nil {
		e.opt.Progress(what, done, total)
	}
}

// cacheFolder returns (and makes) a folder below the cache.
func cacheFolder(name string) (string, error) {
	root, err := hub.CacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(root, name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("catalog: cache folder %s: %w: set ILLM_CACHE to a folder that can be written", dir, err)
	}
	return dir, nil
}
