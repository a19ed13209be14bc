// Package readme writes the tables of the README and the cards of the shipped models
// from records. In the README they stand between markers
//
//	<!-- table:NAME -->
//	<!-- /table:NAME -->
//
// so that no figure there is typed by hand. A test compares the file with what
// the shipped records give.
package readme

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/illm-go/illm/pkg/ablation"
	"github.com/illm-go/illm/pkg/record"
)

// recipes is the order of the rows.
var recipes = []string{"fp32", "w8a8", "w6a6", "w4a8", "w4a4"}

var section = regexp.MustCompile(`(?s)<!-- table:([a-z0-9-]+) -->\n.*?<!-- /table:([a-z0-9-]+) -->`)

// Tables lists the names that a marker carries. "peers" may stand in a marker too, once there is something on record.
func Tables() []string {
	return []string{"models", "quality", "speed", "methods", "static", "exp", "nonlinear", "cumulative", "zeroshot", "questions", "claims"}
}

// Rewrite returns text with every marked section replaced by its table.
func Rewrite(text string, store *record.Store) (string, error) {
	var fault error
	out := section.ReplaceAllStringFunc(text, func(s string) string {
		m := section.FindStringSubmatch(s)
		table, err := table(m[1], store)
		if m[1] != m[2] {
			err = fmt.Errorf("readme: the section %q ends as %q", m[1], m[2])
		}
		if err != nil {
			fault = err
			return s
		}
		return fmt.Sprintf("<!-- table:%s -->\n%s<!-- /table:%s -->", m[1], table, m[1])
	})
	return out, fault
}

func table(name string, store *record.Store) (string, error) {
	switch name {
	case "models":
		return models(store), nil
	case "quality":
		return quality(store), nil
	case "speed":
		return speed(store), nil
	case "peers":
		return comparison(store), nil
	case "methods":
		return calibrated(store)
	case "claims":
		return claimed(store)
	case "questions":
		return questions(store)
	case "exp":
		return softmaxes(store)
	}
	if c, ok := crossings[name]; ok {
		return crossed(c, store)
	}
	return "", fmt.Errorf("readme: no table %q: expected one of %s", name, strings.Join(Tables(), ", "))
}

// models is every model of the catalogue that has records of its present weights, on
// WikiText-2. Only figures that do not depend on the vocabulary compare models.
func models(store *record.Store) string {
	head := []string{"model", "widths", "bits per byte", "PPL per word", "PPL per token", "KL to fp32", "windows × tokens"}
	var rows [][]string
	for _, name := range []string{"tiny-llama", "tiny-llama+outliers", "tiny-opt", "smollm2"} {
		at := widest(store, name, "wikitext2", "")
		for _, recipe := range []string{"fp32", "w8a8", "w6a6", "w4a4"} {
			r := at[recipe]
			if r == nil {
				continue
			}
			rows = append(rows, []string{name, recipe, value(r, "bits_per_byte", "%.3f", false), value(r, "ppl_word", "%.1f", true), value(r, "ppl", "%.2f", true),
				value(r, "kld_mean", "%.4f", false), fmt.Sprintf("%d × %v", len(r.Windows), r.Config["window"])})
		}
	}
	if rows == nil {
		return "No perplexity is on record.\n"
	}
	return grid(head, rows)
}

// quality is SmolLM2's perplexity by recipe, on as many windows as there are records for.
func quality(store *record.Store) string {
	type column struct{ corpus, title string }
	columns := []column{{"wikitext2", "WikiText-2"}, {"c4", "C4"}}
	head := []string{"SmolLM2-135M"}
	at := map[string]map[string]*record.Record{}
	for _, c := range columns {
		at[c.corpus] = widest(store, "smollm2", c.corpus, "")
		n := 0
		for _, r := range at[c.corpus] {
			n = len(r.Windows)
		}
		head = append(head, fmt.Sprintf("%s PPL (%d windows)", c.title, n), "KL to fp32", "same top token")
	}
	var rows [][]string
	for _, recipe := range recipes {
		row := []string{recipe}
		for _, c := range columns {
			r := at[c.corpus][recipe]
			row = append(row, value(r, "ppl", "%.2f", true), value(r, "kld_mean", "%.4f", false), value(r, "same_top", "%.1f %%", false))
		}
		rows = append(rows, row)
	}
	return grid(head, rows)
}

// widest picks, for a model and a text, the records of the default setting by recipe:
// all over one number of windows, the one that most recipes have, of equals the
// largest. Source, if given, is the hash of the weights that they must be of; of a
// model that was trained anew without it the newest weights count.
func widest(store *record.Store, model, corpus, source string) map[string]*record.Record {
	list := store.Latest(func(r *record.Record) bool {
		return r.Kind == record.Quality && ablation.OfEngine(r) && r.Axes["model"] == model && r.Axes["corpus"] == corpus &&
			fmt.Sprint(r.Config["first"]) == "0" && (r.Axes["recipe"] == "fp32" || r.Axes["clip"] == "15" && r.Axes["mode"] == "illm") &&
			(source == "" || fmt.Sprint(r.Config["source_sha256"]) == source)
	})
	slices.SortStableFunc(list, func(a, b *record.Record) int { return b.Time.Compare(a.Time) })
	byWindows := map[string]map[string]*record.Record{}
	for _, r := range list {
		if fmt.Sprint(r.Config["source_sha256"]) != fmt.Sprint(list[0].Config["source_sha256"]) {
			continue
		}
		key := fmt.Sprintf("%v × %s", r.Config["window"], r.Axes["windows"])
		if byWindows[key] == nil {
			byWindows[key] = map[string]*record.Record{}
		}
		if byWindows[key][r.Axes["recipe"]] == nil {
			byWindows[key][r.Axes["recipe"]] = r
		}
	}
	best, most, size := "", 0, 0.0
	for key, m := range byWindows {
		known := 0
		for _, recipe := range recipes {
			if m[recipe] != nil {
				known++
			}
		}
		if n := tokens(m); known > most || known == most && (n > size || n == size && key > best) {
			best, most, size = key, known, n
		}
	}
	return byWindows[best]
}

// tokens is the length of the text that records were measured on.
func tokens(m map[string]*record.Record) float64 {
	for _, r := range m {
		n := 0
		for _, w := range r.Windows {
			n += w.N
		}
		return float64(n)
	}
	return 0
}

// speed is the newest timing record of each recipe.
func speed(store *record.Store) string {
	newest := map[string]*record.Record{}
	plain := func(r *record.Record) bool { // not one of a study or beside a rival
		_, ok := r.Metric("decode_tok_s")
		return ok && r.Kind == record.Timing && r.Config["task"] == "speed" && r.Config["operators"] == nil && r.Axes["model"] == "smollm2"
	}
	for _, r := range store.Filter(plain) {
		if old := newest[r.Axes["recipe"]]; old == nil || cmp.Compare(old.Time.Unix(), r.Time.Unix()) <= 0 {
			newest[r.Axes["recipe"]] = r
		}
	}
	var rows [][]string
	var where, prompt, cached string
	for _, recipe := range recipes {
		r := newest[recipe]
		if r == nil {
			continue
		}
		where = fmt.Sprintf("%s, %d threads, %s", r.Env.CPU, r.Env.Threads, strings.Join(r.Env.Paths, " "))
		n, _ := strconv.Atoi(r.Axes["prefill"])
		d, _ := strconv.Atoi(r.Axes["decode"])
		prompt, cached = strconv.Itoa(n), strconv.Itoa(n+d)
		rows = append(rows, []string{recipe, value(r, "prefill_tok_s", "%.0f", false), value(r, "eval_tok_s", "%.0f", false), value(r, "decode_tok_s", "%.0f", false),
			megabytes(r, "weight_bytes"), megabytes(r, "kv_bytes")})
	}
	if rows == nil {
		return "No timing is on record.\n"
	}
	return grid([]string{"SmolLM2-135M", "prefill of " + prompt + ", tokens/s", "the same, every logit", "decode, tokens/s", "weights, MB", "KV cache of " + cached + " tokens, MB"}, rows) +
		"\nMedian of the interleaved runs; " + where + ".\n"
}

func megabytes(r *record.Record, name string) string {
	m, ok := r.Metric(name)
	if !ok {
		return "–"
	}
	return fmt.Sprintf("%.1f", m.Value/1e6)
}

func value(r *record.Record, name, format string, stderr bool) string {
	if r == nil {
		return "–"
	}
	m, ok := r.Metric(name)
	switch {
	case !ok:
		return "–"
	case m.Value >= 1000:
		return fmt.Sprintf("%.0f", m.Value)
	case stderr && m.Stderr > 0:
		return fmt.Sprintf(format+" ± %.2f", m.Value, m.Stderr)
	}
	return fmt.Sprintf(format, m.Value)
}

// grid is a Markdown table, the first column to the left, the others to the right.
func grid(head []string, rows [][]string) string {
	var b strings.Builder
	line := func(cells []string) { fmt.Fprintf(&b, "| %s |\n", strings.Join(cells, " | ")) }
	line(head)
	rule := []string{"---"}
	for range head[1:] {
		rule = append(rule, "--:")
	}
	line(rule)
	for _, r := range rows {
		line(r)
	}
	return b.String()
}
