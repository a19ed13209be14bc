package ablation

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/illm-go/illm/pkg/record"
)

// Axis is one thing that a study varies.
type Axis struct {
	Name   string
	Levels []string
	// Check says whether a level outside Levels may be asked for, and in which
	// spelling; nil: only Levels may.
	Check func(level string) (string, error)
	// Help says in a few words what is allowed.
	Help string
}

// Study is a question: every combination of levels, under fixed settings.
type Study struct {
	Name     string
	Question string
	Axes     []Axis
	Fixed    map[string]string // settings that are part of every Config
	Spread   string            // axis whose levels become columns: metric "ppl" at corpus "c4" is column "ppl_c4"
	Derive   func(Config)      // sets what axes only spell ("width" and "method" spell "recipe"); nil: nothing
	Base     map[string]string // levels of the base model on the axes it names (none: ""); there is one for every level of the others
}

// Config is one point of a study: setting → value. Settings of the studies here
// are model, recipe, clip, mode, corpus, window and windows.
type Config map[string]string

// Int returns a whole-numbered setting.
func (c Config) Int(name string) (int, error) {
	n, err := strconv.Atoi(c[name])
	if err != nil || n < 0 {
		return 0, fmt.Errorf("ablation: setting %s: expected a whole number, found %q", name, c[name])
	}
	return n, nil
}

// String lists the settings in the order of their names.
func (c Config) String() string {
	var parts []string
	for _, k := range sortedKeys(c) {
		if c[k] != "" {
			parts = append(parts, k+"="+c[k])
		}
	}
	return strings.Join(parts, " ")
}

// Record is a quality record that holds the configuration and nothing else yet.
func (c Config) Record() record.Record {
	config := make(map[string]any, len(c))
	for k, v := range c {
		if v != "" {
			config[k] = v
		}
	}
	return record.Record{Kind: record.Quality, Config: config}
}

// Option changes what a Run covers.
type Option func(*plan) error

type plan struct {
	study    Study
	only     map[string][]string
	fixed    map[string]string
	fresh    bool
	stored   bool
	noBase   bool
	own      bool
	keep     func(Config) bool
	progress func(Progress)
	counts   *record.Store // settles Most; nil: the store of the run
}

// Set restricts an axis to the given levels, or gives a fixed setting another
// value. Levels are strings, whole numbers, floats or slices of them:
//
//	Set("clip", 12.5)   Set("recipe", "w8a8", "w4a4")   Set("windows", 4)
func Set(name string, levels ...any) Option {
	return func(p *plan) error {
		var list []string
		for _, l := range levels {
			switch v := l.(type) {
			case []string:
				list = append(list, v...)
			case []int:
				for _, n := range v {
					list = append(list, strconv.Itoa(n))
				}
			case []float64:
				for _, f := range v {
					list = append(list, strconv.FormatFloat(f, 'f', -1, 64))
				}
			case float64:
				list = append(list, strconv.FormatFloat(v, 'f', -1, 64))
			case float32:
				list = append(list, strconv.FormatFloat(float64(v), 'f', -1, 32))
			default:
				list = append(list, fmt.Sprint(v))
			}
		}
		if len(list) == 0 {
			return fmt.Errorf("ablation: set %q: expected at least one value, found none", name)
		}
		for _, a := range p.study.Axes {
			if a.Name != name {
				continue
			}
			for i, level := range list {
				checked, err := a.level(level)
				if err != nil {
					return err
				}
				list[i] = checked
			}
			p.only[name] = list
			return nil
		}
		if _, ok := p.study.Fixed[name]; ok {
			if len(list) != 1 {
				return fmt.Errorf("ablation: set %q: expected one value for a fixed setting, found %d", name, len(list))
			}
			checked, err := checkFixed(name, list[0])
			if err != nil {
				return err
			}
			p.fixed[name] = checked
			return nil
		}
		return fmt.Errorf("ablation: set %q: study %s has no such axis or setting: it has %s", name, p.study.Name, strings.Join(p.study.settings(), ", "))
	}
}

// Fresh computes every configuration, also those that have a record, and stores
// none of the results: it is for comparing with the records.
func Fresh() Option { return func(p *plan) error { p.fresh = true; return nil } }

// Stored computes nothing: rows without a record stay empty.
func Stored() Option { return func(p *plan) error { p.stored = true; return nil } }

// Computing undoes Stored, for a caller who hands on options that are not its own.
func Computing() Option { return func(p *plan) error { p.stored = false; return nil } }

// CountsOf takes the number of windows and of questions that is left to the records (Most) from another store: to compute
// what it holds once more, on as many.
func CountsOf(store *record.Store) Option {
	return func(p *plan) error { p.counts = store; return nil }
}

// OwnWindows takes, where the number of windows or of questions is left to the records, for each row the largest that it has
// a record for, instead of one number for all rows. Changes from the float model stay paired by window or question,
// perplexities and accuracies of rows with other numbers do not compare. Every question there is (0) is no such number.
func OwnWindows() Option { return func(p *plan) error { p.own = true; return nil } }

// WithoutBase leaves the base model's rows out.
func WithoutBase() Option { return func(p *plan) error { p.noBase = true; return nil } }

// Only leaves configurations out for which keep is false: combinations of levels that do not exist.
func Only(keep func(Config) bool) Option { return func(p *plan) error { p.keep = keep; return nil } }

// OnProgress is told of each finished configuration, from one goroutine at a time.
func OnProgress(fn func(Progress)) Option {
	return func(p *plan) error { p.progress = fn; return nil }
}

// level returns the axis' spelling of a level, or says what is allowed.
func (a Axis) level(s string) (string, error) {
	if slices.Contains(a.Levels, s) {
		return s, nil
	}
	var reason error
	if a.Check != nil {
		checked, err := a.Check(s)
		if err == nil {
			return checked, nil
		}
		reason = err
	}
	allowed := strings.Join(a.Levels, ", ")
	if a.Help != "" {
		allowed += "; " + a.Help
	}
	if reason != nil {
		return "", fmt.Errorf("ablation: axis %s: value %q is not allowed (%s): %w", a.Name, s, allowed, reason)
	}
	return "", fmt.Errorf("ablation: axis %s: value %q is not allowed (%s)", a.Name, s, allowed)
}

// settings lists the names that Set knows.
func (s Study) settings() []string {
	var names []string
	for _, a := range s.Axes {
		names = append(names, a.Name)
	}
	return append(names, sortedKeys(s.Fixed)...)
}

// maxConfigs bounds a study: beyond it a slip in the axes is likelier than a wish.
const maxConfigs = 20_000

// configs lists the points of the plan, first axis slowest, the base first.
func (p plan) configs() ([]Config, error) {
	fixed := func() Config {
		c := Config{}
		for k, v := range p.study.Fixed {
			c[k] = v
		}
		for k, v := range p.fixed {
			c[k] = v
		}
		return c
	}
	levels := func(a Axis) []string {
		if only, ok := p.only[a.Name]; ok {
			return only
		}
		return a.Levels
	}
	total := 1
	for _, a := range p.study.Axes {
		total *= len(levels(a))
		if total > maxConfigs {
			return nil, fmt.Errorf("ablation: study %s: more than %d configurations: set fewer levels", p.study.Name, maxConfigs)
		}
	}
	expand := func(axes []Axis, at func(Axis) []string) []Config {
		list := []Config{fixed()}
		for _, a := range axes {
			var next []Config
			for _, c := range list {
				for _, l := range at(a) {
					d := Config{}
					for k, v := range c {
						d[k] = v
					}
					d[a.Name] = l
					next = append(next, d)
				}
			}
			list = next
		}
		return list
	}
	var out []Config
	if p.study.Base != nil && !p.noBase {
		out = append(out, expand(p.study.Axes, func(a Axis) []string {
			if level, ok := p.study.Base[a.Name]; ok {
				return []string{level}
			}
			return levels(a)
		})...)
		for _, c := range out { // what is no axis but chosen by the base too
			for k, v := range p.study.Base {
				c[k] = v
			}
		}
	}
	out = append(out, expand(p.study.Axes, levels)...)
	if p.study.Derive != nil {
		for _, c := range out {
			p.study.Derive(c)
		}
	}
	if p.keep != nil {
		out = slices.DeleteFunc(out, func(c Config) bool { return !p.keep(c) })
	}
	return out, nil
}

func sortedKeys[V any, M ~map[string]V](m M) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
