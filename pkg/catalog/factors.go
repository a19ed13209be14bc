package catalog

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/illm-go/illm/data"
	"github.com/illm-go/illm/pkg/quant"
	"github.com/illm-go/illm/pkg/smooth"
)

// FactorsVariable names the environment variable with a folder of factor files that goes before the shipped ones.
const FactorsVariable = "ILLM_FACTORS"

// FactorsName is the name of the factor file of a recipe with a method: MODEL-RECIPE.safetensors, MODEL being the name
// by which weights of this content are known ("tiny-llama-w4a4-fsbr@seed3.safetensors" of a variant). A static setting is no part of it: it changes no factor.
func (e *Entry) FactorsName(r quant.Recipe) (string, error) {
	if e.weights == nil {
		return "", e.quantised()
	}
	name, err := e.canonicalName()
	return name + "-" + r.Dynamic().Name + ".safetensors", err
}

// FactorsPath is where the cache keeps the factor file of a recipe.
func (e *Entry) FactorsPath(r quant.Recipe) (string, error) {
	name, err := e.FactorsName(r)
	if err != nil {
		return "", err
	}
	dir, err := cacheFolder("factors")
	return filepath.Join(dir, name), err
}

// Factors finds the factors of a recipe: in the folder of ILLM_FACTORS, among the shipped ones, in the cache; under the
// recipe's own name and then under that of its base, without suffixes of widths ("w4a4kv8-fsbr", then "w4a4-fsbr"). They
// have been checked against the model. where says what was found. Without a method they are nil.
func (e *Entry) Factors(r quant.Recipe) (f *smooth.Factors, where string, err error) {
	if r = r.Dynamic(); r.Method == "" {
		return nil, "", nil
	}
	for _, r := range alternatives(r) {
		name, err := e.FactorsName(r)
		if err != nil {
			return nil, "", err
		}
		if f, where, err = readFactors(name); err != nil {
			return nil, "", fmt.Errorf("catalog: factors %s: %w", name, err)
		}
		if f != nil {
			return f, where, e.checkFactors(f, r, where)
		}
	}
	return nil, "", fmt.Errorf("catalog: model %s, recipe %s: no factors of the method %s, shipped or in the cache: \"illm calibrate --model %s --recipe %s --method %s\" makes them: %w",
		e.Name, r.Name, r.Method, e.Name, r.Widths(), r.Method, ErrNoFactors)
}

// ErrNoFactors marks a recipe whose method was not calibrated for the model.
var ErrNoFactors = errors.New("not calibrated")

// alternatives lists the recipes whose factors serve r, the nearest first.
func alternatives(r quant.Recipe) []quant.Recipe {
	list := []quant.Recipe{r}
	widths := r.Widths()
	suffix := strings.TrimPrefix(r.Name, widths)
	for _, width := range []string{"emb", "kv"} {
		at := strings.Index(widths, width)
		if at <= 0 {
			continue
		}
		widths = widths[:at]
		base, err := quant.ParseRecipe(widths + suffix)
		if err == nil && base.Weight == r.Weight && base.Act == r.Act {
			list = append(list, base)
		}
	}
	return list
}

// readFactors looks a file up; f is nil if there is none.
func readFactors(name string) (f *smooth.Factors, where string, err error) {
	if dir := os.Getenv(FactorsVariable); dir != "" {
		path := filepath.Join(dir, name)
		if f, err = smooth.Read(path); !errors.Is(err, fs.ErrNotExist) {
			return f, path, err
		}
	}
	raw, err := fs.ReadFile(data.Factors(), name)
	if err == nil {
		f, err = smooth.Parse(name, raw)
		return f, "shipped " + name, err
	}
	if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrInvalid) {
		return nil, "", err
	}
	dir, err := cacheFolder("factors")
	if err != nil {
		return nil, "", err
	}
	path := filepath.Join(dir, name)
	if f, err = smooth.Read(path); errors.Is(err, fs.ErrNotExist) {
		return nil, "", nil
	}
	return f, path, err
}

// ErrFactors marks factors that do not fit the model or the recipe they were given for.
var ErrFactors = errors.New("the factors do not fit")

// misfit is an error that is also ErrFactors, in its own words.
type misfit struct{ error }

func (misfit) Is(target error) bool { return target == ErrFactors }
func (m misfit) Unwrap() error      { return m.error }

// checkFactors compares factors with the model and with what they are taken for.
func (e *Entry) checkFactors(f *smooth.Factors, r quant.Recipe, where string) error {
	hash, err := e.weights.Hash()
	if err != nil {
		return err
	}
	if f.Meta[smooth.MetaSource] == "" {
		return misfit{fmt.Errorf("catalog: factors %s: expected the sha256 of the float weights in its metadata (%s), found none: make the file again with \"illm calibrate\"", where, smooth.MetaSource)}
	}
	if err = f.CheckSource(hash); err == nil {
		err = f.Check(e.weights.Config)
	}
	if m := f.Meta[smooth.MetaMethod]; err == nil && m != r.Method {
		err = fmt.Errorf("expected the method %q, found %q: the file has another recipe's name", r.Method, m)
	}
	made, bad := quant.ParseRecipe(f.Meta[smooth.MetaRecipe]) // the name of a recipe file says nothing here
	if err == nil && bad == nil && (made.Weight != r.Weight || made.Act != r.Act) {
		err = fmt.Errorf("expected factors of %d-bit weights and %d-bit activations, found those made for %s: take the file of this recipe, or make it with \"illm calibrate\"", r.Weight, r.Act, made.Name)
	}
	if err != nil {
		return misfit{fmt.Errorf("catalog: factors %s: %w", where, err)}
	}
	return nil
}
