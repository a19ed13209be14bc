// Package readme writes the tables of the README from records, between markers
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

	"github.com/illm-go/illm/pkg/record"
)

// recipes is the order of the rows.
var recipes = []string{"fp32", "w8a8", "w6a6", "w4a8", "w4a4"}

var section = regexp.MustCompile(`(?s)<!-- table:([a-z0-9-]+) -->\n.*?<!-- /table:([a-z0-9-]+) -->`)

// Tables lists the names that a marker may carry.
func Tables() []string { return []string{"quality", "speed"} }

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
	case "quality":
		return quality(store), nil
	case "speed":
		return speed(store), nil
	}
	return "", fmt.Errorf("readme: no table %q: expected one of %s", name, strings.Join(Tables(), ", "))
}

// quality is perplexity by recipe, on as many windows as there are records for.
func quality(store *record.Store) string {
	type column struct{ corpus, title string }
	columns := []column{{"wikitext2", "WikiText-2"}, {"c4", "C4"}}
	head := []string{"SmolLM2-135M"}
	at := map[string]map[string]*record.Record{}
	for _, c := range columns {
		at[c.corpus] = widest(store, c.corpus)
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

// widest picks, for a text, the records of the default setting on the largest number of windows that all recipes share.
func widest(store *record.Store, corpus string) map[string]*record.Record {
	byWindows := map[int]map[string]*record.Record{}
	for _, r := range store.Latest(func(r *record.Record) bool {
		return r.Kind == record.Quality && r.Axes["model"] == "smollm2" && r.Axes["corpus"] == corpus && fmt.Sprint(r.Config["window"]) == "2048" &&
			fmt.Sprint(r.Config["first"]) == "0" && (r.Axes["recipe"] == "fp32" || r.Axes["clip"] == "15" && r.Axes["mode"] == "illm")
	}) {
		n, _ := strconv.Atoi(r.Axes["windows"])
		if byWindows[n] == nil {
			byWindows[n] = map[string]*record.Record{}
		}
		byWindows[n][r.Axes["recipe"]] = r
	}
	best := 0
	for n, m := range byWindows {
		complete := !slices.ContainsFunc(recipes, func(s string) bool { return m[s] == nil })
		if complete && n > best {
			best = n
		}
	}
	return byWindows[best]
}

// speed is the newest timing record of each recipe.
func speed(store *record.Store) string {
	newest := map[string]*record.Record{}
	for _, r := range store.Filter(func(r *record.Record) bool { return r.Kind == record.Timing && r.Axes["model"] == "smollm2" }) {
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
