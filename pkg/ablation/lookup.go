package ablation

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/illm-go/illm/pkg/eval"
	"github.com/illm-go/illm/pkg/record"
)

// find looks a configuration up by its settings. Of several records that stand it
// takes the one with most metrics, then the newest; stale counts those that do
// not stand.
func find(ctx context.Context, store *record.Store, ev Evaluator, c Config) (best *record.Record, stale int) {
	for _, r := range store.Latest(func(r *record.Record) bool { return matches(r, c) }) {
		switch {
		case ev != nil && !ev.Stands(ctx, c, r):
			stale++
		case best == nil || better(r, best):
			best = r
		}
	}
	return best, stale
}

func better(r, best *record.Record) bool {
	if r.Semantics != best.Semantics { // without an evaluator the latest semantics stands
		return r.Semantics > best.Semantics
	}
	if len(r.Metrics) != len(best.Metrics) { // with the divergence from the base model
		return len(r.Metrics) > len(best.Metrics)
	}
	return r.Time.After(best.Time)
}

// Longest, as the setting "window", is the protocol's window of eval.DefaultWindow
// tokens, or the model's context where that is shorter.
const Longest = "longest"

// settleWindow puts a number in place of Longest.
func settleWindow(ctx context.Context, ev Evaluator, configs []Config) {
	known := map[string]int{}
	for _, c := range configs {
		if c["window"] != Longest {
			continue
		}
		n, ok := known[c["model"]]
		if !ok {
			n = eval.DefaultWindow
			if w, ok := ev.(Windower); ok {
				n = w.Window(ctx, c["model"])
			}
			known[c["model"]] = n
		}
		c["window"] = strconv.Itoa(n)
	}
}

// Most, as the setting "windows", leaves the number of windows to the records:
// for each text the number that most configurations have a record for, of equals
// the largest, so that the rows of a table stand on the same windows; without any
// record DefaultWindows. As the setting "items" it does the same for the questions
// of a zero-shot task; without any record eval.GridItems.
const Most = "most"

// settleCounts puts numbers in place of Most; own: each configuration its own largest (OwnWindows).
func settleCounts(ctx context.Context, store *record.Store, ev Evaluator, configs []Config, own bool) {
	settleCount(ctx, store, ev, configs, "windows", DefaultWindows, own)
	settleCount(ctx, store, ev, configs, "items", eval.GridItems, own)
}

// settleCount puts a number in place of Most in one setting, standard where no record has any.
func settleCount(ctx context.Context, store *record.Store, ev Evaluator, configs []Config, name string, standard int, own bool) {
	group := func(c Config) string {
		key := ""
		for _, k := range batchKeys {
			key += c[k] + "\x00"
		}
		return key
	}
	size := func(s string) int { n, _ := strconv.Atoi(s); return n }
	counts := map[string]map[string]int{}
	for _, c := range configs {
		if c[name] != Most {
			continue
		}
		have := map[string]bool{}
		for _, r := range store.Filter(func(r *record.Record) bool { return matches(r, c) }) {
			if n := setting(r, name); n != "" && (ev == nil || ev.Stands(ctx, c, r)) {
				have[n] = true
			}
		}
		g := group(c)
		if counts[g] == nil {
			counts[g] = map[string]int{}
		}
		for n := range have {
			counts[g][n]++
			if own && (c[name] == Most || size(n) > size(c[name])) {
				c[name] = n
			}
		}
	}
	for _, c := range configs {
		if c[name] != Most {
			continue
		}
		best, votes := strconv.Itoa(standard), 0
		for n, v := range counts[group(c)] {
			if v > votes || v == votes && size(n) > size(best) {
				best, votes = n, v
			}
		}
		c[name] = best
	}
}

// setting is the record's value of a setting, which it holds as an axis or in its
// configuration; "" if neither.
func setting(r *record.Record, name string) string {
	if v := r.Axes[name]; v != "" {
		return v
	}
	if v, ok := r.Config[name]; ok {
		return fmt.Sprint(v)
	}
	return ""
}

// matches reports whether the record was made under the settings of c, which it
// holds as axes or in its configuration.
func matches(r *record.Record, c Config) bool {
	if kindOf(c) != r.Kind {
		return false
	}
	for _, k := range rivals { // a study that does not ask for a rival does not mean one
		if c[k] == "" && setting(r, k) != "" {
			return false
		}
	}
	for k, v := range c {
		switch {
		case spelling[k], (k == "windows" || k == "items") && v == Most, ofWindows[k] && measured(c), k == "items" && c["corpus"] != ZeroShot:
		case k == "corpus" && v == Speed:
			if setting(r, "task") != Speed {
				return false
			}
		case setting(r, k) != v && !(setting(r, k) == "" && v == unsaid[k]):
			return false
		}
	}
	return true
}

// unsaid is the value of a setting that a record may leave out.
var unsaid = map[string]string{"first": "0", "operators": Integer, "arithmetic": Integer, "kinds": AllKinds, "clip": "15", "mode": "illm",
	"mantissa": "16", "multiplier": "24"}

// rivals are settings that put something else in the engine's place.
var rivals = []string{"operators", "arithmetic", "kinds", "mantissa", "multiplier", "layers", "bins"}

// OfEngine tells whether a record is of the engine as it ships: no rival operators, no simulation, no width of a study's own.
func OfEngine(r *record.Record) bool {
	return !slices.ContainsFunc(rivals, func(k string) bool { return setting(r, k) != "" })
}

// spelling names axes that only spell another setting, the recipe or the operators, for people (Study.Derive).
var spelling = map[string]bool{"width": true, "method": true, "exp": true, "score": true, "prob": true, "sites": true, "setting": true, "kv": true, "tokens": true, "trained": true, "made": true}

// ofWindows names the settings of texts that a measurement which reads none does not have.
var ofWindows = map[string]bool{"window": true, "windows": true, "first": true}

// measured says that the level of "corpus" is no text.
func measured(c Config) bool { return c["corpus"] == Speed || c["corpus"] == ZeroShot }

// kindOf is the kind of record that answers c.
func kindOf(c Config) string {
	if c["corpus"] == Speed {
		return record.Timing
	}
	return record.Quality
}

// name lists the levels of a configuration.
func (s Study) name(c Config) string {
	var parts []string
	for _, a := range s.Axes {
		if v := c[a.Name]; v != "" {
			parts = append(parts, a.Name+"="+v)
		}
	}
	return strings.Join(parts, " ")
}

func origin(r *record.Record) string {
	if r.Shipped {
		return Shipped
	}
	return Found
}

func axesOf(s Study, c Config) map[string]string {
	axes := map[string]string{"study": s.Name}
	for _, a := range s.Axes {
		if v := c[a.Name]; v != "" {
			axes[a.Name] = v
		}
	}
	return axes
}
