package quant

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/illm-go/illm/pkg/suggest"
)

// Recipe names every width of a quantised model, in bits.
type Recipe struct {
	Name   string `json:"name"`
	Weight int    `json:"weight"` // n_w, weights of the block linears: 2…8
	Act    int    `json:"act"`    // n_a, inputs of the block linears: 2…8
	Query  int    `json:"query"`  // n_q, query codes: 2…8
	KV     int    `json:"kv"`     // n_kv, keys and values and their cache: 2…8, 16
	Score  int    `json:"score"`  // n_s, score codes of the softmax: 2…8, 16
	GLU    int    `json:"glu"`    // n_glu, SwiGLU operands: 2…8, 16
	Head   int    `json:"head"`   // n_head, input codes and weights of the head: 2…8
	Emb    int    `json:"emb"`    // n_emb, embedding table: 2…8, 16

	// Method is how the weights were prepared, one of Methods; "" is round-to-nearest. It never changes a width.
	Method string `json:"method,omitempty"`

	// Variant tells preparations by one method apart, such as factors of another seed: a tag of at most 32 letters, digits, dots and
	// underscores behind the method ("w4a4-fsbr@seed3"); "" is the one that ships under the method's name.
	Variant string `json:"variant,omitempty"`

	// Static is where activations have constant grids from calibration instead of their rows' own: "" nowhere, else a setting
	// of StaticNames or StaticSite. It never changes a width, nor a weight.
	Static string `json:"static,omitempty"`
}

// Methods lists the ways to prepare weights: round to nearest, factors in closed form or trained, learned or closed-form
// rounding, rotation, and the best combination known. RTN is the one without a name.
var methods = [...]string{RTN, "smoothquant", "omniquant", "fsbr", "gptq", "rotate", "best"}

// RTN is round-to-nearest of the weights as they are.
const RTN = "rtn"

// Methods lists the names of the methods, the plainest first.
func Methods() []string { return slices.Clone(methods[:]) }

// recipes is the table of named recipes; q, k and v follow the activations.
var recipes = [...]Recipe{
	{"w8a8", 8, 8, 8, 8, 8, 8, 8, 8, "", "", ""},
	{"w6a6", 6, 6, 6, 6, 8, 8, 8, 8, "", "", ""},
	{"w4a8", 4, 8, 8, 8, 8, 8, 8, 8, "", "", ""},
	{"w4a4", 4, 4, 4, 4, 8, 8, 8, 8, "", "", ""},
}

// maxRecipeFile bounds the bytes read from a recipe file: nine fields need far less.
const maxRecipeFile = 1 << 16

// IsFloat reports whether s names the float model, which has no Recipe.
func IsFloat(s string) bool { return strings.EqualFold(s, "fp32") }

// RecipeNames lists the named recipes, in the order of the table.
func RecipeNames() []string {
	names := make([]string, len(recipes))
	for i, r := range recipes {
		names[i] = r.Name
	}
	return names
}

// ParseRecipe turns a name with suffixes ("w8a8", "w4a4kv8", "w8a8emb16", "w4a4-fsbr") or the path of a
// JSON file with the fields of Recipe into a Recipe.
//
// Suffixes may follow in any order: kvN sets the keys', the values' and the cache's width and nothing
// else, emb16 a second embedding table of 16 bits, -METHOD or -METHOD@VARIANT how the weights were prepared,
// -static, -static999, -statichead, -mixed or -static:SITE where activations have constant grids. A file is
// recognised by its ending .json or by a path separator. The name "fp32" is refused here; callers ask IsFloat first.
func ParseRecipe(s string) (Recipe, error) {
	if strings.HasSuffix(s, ".json") || strings.ContainsAny(s, `/\`) {
		return readRecipe(s)
	}
	if IsFloat(s) {
		return Recipe{}, fmt.Errorf("quant: recipe %q: is the float model, expected an integer recipe: use one of %s", s, strings.Join(RecipeNames(), ", "))
	}
	low := strings.ToLower(strings.TrimSpace(s))
	for _, base := range recipes {
		rest, ok := strings.CutPrefix(low, base.Name)
		if !ok {
			continue
		}
		r, err := base.with(rest)
		if err != nil {
			return Recipe{}, fmt.Errorf("quant: recipe %q: %w", s, err)
		}
		return r, nil
	}
	return Recipe{}, fmt.Errorf("quant: recipe %q: unknown name%s: use one of %s with suffixes kvN, emb16 or -METHOD, or the path of a JSON file", s, meant(low, RecipeNames()), strings.Join(RecipeNames(), ", "))
}

// with applies the suffixes to a named recipe. The name is rebuilt in one order, kv, emb, method, static, so that
// equal recipes have equal names.
func (r Recipe) with(suffixes string) (Recipe, error) {
	base := r.Name
	kv, emb, method := "", "", ""
	for rest := suffixes; rest != ""; {
		if word, ok := strings.CutPrefix(rest, "-"); ok {
			static, after, ok, err := cutStatic(word)
			if err != nil {
				return r, err
			}
			if ok {
				if r.Static != "" {
					return r, fmt.Errorf("two static settings, %q and %q", r.Static, static)
				}
				r.Static, rest = static, after
				continue
			}
			m, after, err := cutMethod(word)
			if err != nil {
				return r, err
			}
			if method != "" {
				return r, fmt.Errorf("two methods, %q and %q", method, m)
			}
			if tag, ok := strings.CutPrefix(after, "@"); ok {
				if r.Variant, after, err = cutVariant(m, tag); err != nil {
					return r, err
				}
			}
			method, rest = m, after
			continue
		}
		var digits string
		name := "kv"
		digits, ok := strings.CutPrefix(rest, "kv")
		if !ok {
			name = "emb"
			if digits, ok = strings.CutPrefix(rest, "emb"); !ok {
				return r, fmt.Errorf("unknown suffix %q: expected kvN (N of 2…8 or 16), emb16 or -METHOD (%s)", rest, strings.Join(methods[:], ", "))
			}
		}
		n := 0
		for n < len(digits) && '0' <= digits[n] && digits[n] <= '9' {
			n++
		}
		width, err := strconv.Atoi(digits[:n])
		switch {
		case err != nil:
			return r, fmt.Errorf("suffix %q without a width: expected kvN (N of 2…8 or 16) or emb16", name)
		case name == "kv" && kv != "" || name == "emb" && emb != "":
			return r, fmt.Errorf("suffix %q twice", name)
		case name == "kv":
			r.KV, kv = width, "kv"+digits[:n]
		default:
			if width != 8 && width != 16 {
				return r, fmt.Errorf("suffix emb%d: expected emb16 (or emb8, the default)", width)
			}
			r.Emb = width
			if emb = "emb8"; width == 16 {
				emb = "emb16"
			}
		}
		rest = digits[n:]
	}
	if emb == "emb8" {
		emb = ""
	}
	r.Name = base + kv + emb
	if method != "" && method != RTN {
		r.Method = method
		r.Name += r.methodSuffix()
	}
	if r.Static != "" {
		r.Name += "-" + r.Static
	}
	return r, r.Validate()
}

// methodSuffix is how the method stands in a name.
func (r Recipe) methodSuffix() string {
	s := "-" + r.Method
	if r.Variant != "" {
		s += "@" + r.Variant
	}
	return s
}

// Widths is the name of the recipe without method and static setting.
func (r Recipe) Widths() string {
	r = r.Dynamic()
	if r.Method == "" {
		return r.Name
	}
	return strings.TrimSuffix(r.Name, r.methodSuffix())
}

// variantChars are the bytes of a variant's tag; a dash would begin another suffix.
const variantChars = "abcdefghijklmnopqrstuvwxyz0123456789_."

const maxVariant = 32

// cutVariant takes a variant's tag from the front of s.
func cutVariant(method, s string) (tag, rest string, err error) {
	rest = strings.TrimLeft(s, variantChars)
	tag = s[:len(s)-len(rest)]
	if method == RTN {
		return "", "", fmt.Errorf("variant @%s: expected a method with factors before it, found %s", tag, RTN)
	}
	return tag, rest, checkVariant(tag)
}

func checkVariant(tag string) error {
	if tag == "" || len(tag) > maxVariant || strings.Trim(tag, variantChars) != "" || strings.Contains(tag, "..") || tag[0] == '.' {
		return fmt.Errorf("variant @%s: expected 1 to %d lower-case letters, digits, underscores and single dots: it becomes part of a file name", tag, maxVariant)
	}
	return nil
}

// cutMethod takes a method's name from the front of s.
func cutMethod(s string) (method, rest string, err error) {
	for _, m := range methods {
		if rest, ok := strings.CutPrefix(s, m); ok {
			return m, rest, nil
		}
	}
	return "", "", fmt.Errorf("unknown method %q%s: expected one of %s", s, meant(s, methods[:]), strings.Join(methods[:], ", "))
}

// WithMethod returns the recipe of the same widths whose weights were prepared by method; "" and RTN are the same.
// A variant of another method is left out.
func (r Recipe) WithMethod(method string) (Recipe, error) {
	if method == RTN {
		method = ""
	}
	static := r.Static
	r = r.Dynamic()
	r.Name = r.Widths()
	if method != r.Method {
		r.Variant = ""
	}
	if r.Method = method; method != "" {
		r.Name += r.methodSuffix()
	}
	if r.Static = static; static != "" {
		r.Name += "-" + static
	}
	return r, r.Validate()
}

// MethodName is Method, or RTN where it is empty.
func (r Recipe) MethodName() string {
	if r.Method == "" {
		return RTN
	}
	return r.Method
}

// readRecipe reads a recipe file: one JSON object with every field of Recipe and no other.
func readRecipe(path string) (Recipe, error) {
	f, err := os.Open(path)
	if err != nil {
		return Recipe{}, fmt.Errorf("quant: recipe file: %w", err)
	}
	defer f.Close()
	buf, err := io.ReadAll(io.LimitReader(f, maxRecipeFile+1))
	if err != nil {
		return Recipe{}, fmt.Errorf("quant: recipe file: %w", err)
	}
	if len(buf) > maxRecipeFile {
		return Recipe{}, fmt.Errorf("quant: recipe file %s: longer than %d bytes: expected one JSON object with the fields of a recipe", path, maxRecipeFile)
	}
	dec := json.NewDecoder(bytes.NewReader(buf))
	dec.DisallowUnknownFields()
	var r Recipe
	if err := dec.Decode(&r); err != nil {
		return Recipe{}, fmt.Errorf("quant: recipe file %s: %w: expected {\"name\", \"weight\", \"act\", \"query\", \"kv\", \"score\", \"glu\", \"head\", \"emb\"}", path, err)
	}
	if dec.More() {
		return Recipe{}, fmt.Errorf("quant: recipe file %s: text after the object: expected one JSON object", path)
	}
	if r.Name == "" {
		return Recipe{}, fmt.Errorf("quant: recipe file %s: field \"name\" is empty: give the recipe a name for its records", path)
	}
	if strings.Trim(r.Name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._+-") != "" || strings.Contains(r.Name, "..") || len(r.Name) > 64 {
		return Recipe{}, fmt.Errorf("quant: recipe file %s: name %q: expected at most 64 letters, digits, dots and . _ + - between them: it becomes part of file names", path, r.Name)
	}
	if err := r.Validate(); err != nil {
		return Recipe{}, fmt.Errorf("quant: recipe file %s: %w", path, err)
	}
	return r, nil
}

// Validate reports every width that lies outside its range.
func (r Recipe) Validate() error {
	var errs []error
	check := func(field string, bits int, wide bool) {
		switch {
		case 2 <= bits && bits <= 8, wide && bits == 16:
		case wide:
			errs = append(errs, fmt.Errorf("recipe %s: %s = %d bits: expected 2…8 or 16", r.Name, field, bits))
		default:
			errs = append(errs, fmt.Errorf("recipe %s: %s = %d bits: expected 2…8", r.Name, field, bits))
		}
	}
	check("weight", r.Weight, false)
	check("act", r.Act, false)
	check("query", r.Query, false)
	check("kv", r.KV, true)
	check("score", r.Score, true)
	check("glu", r.GLU, true)
	check("head", r.Head, false)
	check("emb", r.Emb, true)
	if r.Method != "" && !slices.Contains(methods[1:], r.Method) {
		errs = append(errs, fmt.Errorf("recipe %s: method %q: expected one of %s", r.Name, r.Method, strings.Join(methods[1:], ", ")))
	}
	if r.Variant != "" {
		err := checkVariant(r.Variant)
		if r.Method == "" {
			err = fmt.Errorf("variant @%s: expected a method that it is one of, found none", r.Variant)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("recipe %s: %w", r.Name, err))
		}
	}
	if r.Static != "" {
		if err := CheckStatic(r.Static); err != nil {
			errs = append(errs, fmt.Errorf("recipe %s: %w", r.Name, err))
		}
	}
	return errors.Join(errs...)
}

// meant returns " (did you mean …?)" for the nearest of names, or "".
func meant(s string, names []string) string {
	if near := suggest.Near(s, names); len(near) > 0 {
		return fmt.Sprintf(" (did you mean %q?)", near[0])
	}
	return ""
}
