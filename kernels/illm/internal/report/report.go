// Package report writes one HTML page with every study: question, table, charts, what is
// missing, where the numbers come from. The page is a function of the records, but for the
// smoothness figures and the clip rule, which look at the shipped models, and needs no
// network; it holds the chart library once. What takes a model at hand besides (values by
// channel, amplitudes, the bytes of an artefact, what is measured live) is in the notebooks.
package report

import (
	"context"
	"errors"
	"fmt"
	"html"
	"strings"

	"github.com/illm-go/illm/kernels/illm/internal/claims"
	"github.com/illm-go/illm/pkg/bench"
	"github.com/illm-go/illm/pkg/chart"
	"github.com/illm-go/illm/pkg/nb"
	"github.com/illm-go/illm/pkg/record"
)

// Section is one question with its answer.
type Section struct {
	Name     string // of the study
	Question string
	Notes    []string
	Blocks   []Block
	Missing  []string
	Records  []*record.Record
}

// Block is a table, a chart or both, under a heading.
type Block struct {
	Title string
	Table chart.Grid
	Chart *chart.Chart
}

// Page builds the report. Its claims count the training records of the shipped models too.
func Page(ctx context.Context, store *record.Store) (string, error) {
	runner := &bench.Runner{Store: store}
	defer runner.Close()
	results, err := claims.Shipped(ctx, store, true)
	if err != nil {
		return "", err
	}
	list := []Section{claimed(results)}
	session := nb.Open()
	defer session.Close()
	tables, err := tableSections(ctx, store, nb.Evaluator(runner), session)
	if err != nil {
		return "", err
	}
	smoothness, err := smoothnessSection(session)
	if err != nil {
		return "", err
	}
	list = append(append(list, tables...), smoothness)
	studies, err := studySections(ctx, store, nb.Evaluator(runner))
	if err != nil {
		return "", err
	}
	list = append(list, studies...)
	list = append(list, speedSections(store)...)
	list = append(list, peerSection(store))
	list = append(list, missing(list), provenance(list))
	var parts []chart.Output
	parts = append(parts, chart.Output{HTML: head(list)})
	for _, s := range list {
		out, err := s.render()
		if err != nil {
			return "", fmt.Errorf("report: %s: %w", s.Name, err)
		}
		parts = append(parts, out...)
	}
	return chart.Page("illm: tables and charts", parts...), nil
}

const style = `<style>
body>*{max-width:1080px}
table.r{border-collapse:collapse;margin:8px 0;font-size:90%}
table.r th,table.r td{padding:2px 10px;border-bottom:1px solid #8884;text-align:right;white-space:nowrap}
table.r .w{text-align:left;white-space:normal;min-width:7em}
table.r .l{text-align:left;white-space:normal;min-width:18em}
@media print{.s{overflow:visible!important} table.r{font-size:60%} h2{break-after:avoid}}
.s{overflow-x:auto} .m{color:#b4508f;white-space:pre-line}
</style>
`

// head is the title and the list of what follows.
func head(list []Section) string {
	var b strings.Builder
	b.WriteString(style + "<h1>illm: the tables and charts of every study</h1>\n<p>Large language models in integer arithmetic. This page is made from records, by <code>illm report</code>; computed for it were the smoothness figures and the rule for the clip value alone, from the models of the clone. What takes a model at hand besides, such as values by channel, amplitudes or the bytes of an artefact by part, is in the notebooks. Values carry ± one standard error over windows of text. <em>missing</em> means that no record answers a row.</p>\n<ul>\n")
	for _, s := range list {
		fmt.Fprintf(&b, "<li><a href=\"#%s\">%s</a>: %s</li>\n", anchor(s.Name), html.EscapeString(s.Name), html.EscapeString(s.Question))
	}
	b.WriteString("</ul>\n")
	return b.String()
}

func anchor(name string) string { return strings.ReplaceAll(name, " ", "-") }

func (s Section) render() ([]chart.Output, error) {
	text := func(format string, args ...any) chart.Output { return chart.Output{HTML: fmt.Sprintf(format, args...)} }
	out := []chart.Output{text("<h2 id=\"%s\">%s</h2>\n<p>%s</p>\n", anchor(s.Name), html.EscapeString(s.Name), html.EscapeString(s.Question))}
	for _, n := range s.Notes {
		out = append(out, text("<p style=\"white-space:pre-line\">%s</p>\n", html.EscapeString(n)))
	}
	for _, b := range s.Blocks {
		if b.Title != "" {
			out = append(out, text("<h3>%s</h3>\n", html.EscapeString(b.Title)))
		}
		if b.Chart != nil {
			o, err := b.Chart.Render()
			switch {
			case errors.Is(err, chart.ErrEmpty):
				reason, lack := "no record to draw", (*chart.Lack)(nil)
				if errors.As(err, &lack) {
					reason = lack.Reason
				}
				out = append(out, text("<p class=\"m\">%s: %s</p>\n", html.EscapeString(b.Chart.Title), html.EscapeString(reason)))
			case err != nil:
				return nil, err
			default:
				o.HTML = strings.Replace(o.HTML, "<details open ", "<details ", 1) // the table stands below the chart anyway
				out = append(out, o)
			}
		}
		if len(b.Table.Head) > 0 {
			out = append(out, chart.Output{HTML: table(b.Table)})
		}
	}
	if len(s.Missing) > 0 {
		out = append(out, text("<details><summary class=\"m\">%d parts have no record</summary><p class=\"m\">%s</p></details>\n", len(s.Missing), html.EscapeString(strings.Join(s.Missing, "\n"))))
	}
	return out, nil
}

// table is a grid in HTML.
func table(g chart.Grid) string {
	var b strings.Builder
	long := make([]bool, len(g.Head)) // columns of sentences and commands
	for _, r := range g.Rows {
		for i, cell := range r[:min(len(r), len(long))] {
			long[i] = long[i] || len(cell) > 48
		}
	}
	row := func(tag string, cells []string) {
		b.WriteString("<tr>")
		for i := range g.Head {
			cell, class := "", ""
			if i < len(cells) {
				cell = cells[i]
			}
			switch {
			case long[i]:
				class = ` class="l"`
			case i < max(g.Left, 1):
				class = ` class="w"`
			}
			fmt.Fprintf(&b, "<%s%s>%s</%s>", tag, class, html.EscapeString(cell), tag)
		}
		b.WriteString("</tr>\n")
	}
	b.WriteString("<div class=\"s\"><table class=\"r\"><thead>\n")
	row("th", g.Head)
	b.WriteString("</thead><tbody>\n")
	for _, r := range g.Rows {
		row("td", r)
	}
	b.WriteString("</tbody></table></div>\n")
	return b.String()
}

// claimed is the table of the claims.
func claimed(results []claims.Result) Section {
	s := Section{Name: "claims", Question: "What does the repository claim, and what do the records say?"}
	for _, kind := range []struct{ name, title string }{{claims.Quality, "Quality"}, {claims.Timing, "Times, which depend on the machine"}} {
		g := chart.Grid{Left: 1, Head: []string{"claim", "expected", "found", "verdict", "minutes", "command"}}
		for _, r := range results {
			s.Records = append(s.Records, r.Records...)
			if r.Claim.Kind != kind.name {
				continue
			}
			g.Rows = append(g.Rows, []string{r.Claim.Sentence, r.Claim.Expectation(), r.FoundText(), r.Verdict, fmt.Sprintf("%g", r.Claim.Minutes), r.Claim.Command})
			if r.Why != "" {
				s.Missing = append(s.Missing, r.Claim.ID+": "+r.Why)
			}
		}
		s.Blocks = append(s.Blocks, Block{Title: kind.title, Table: g})
	}
	return s
}

// missing gathers what the sections lack.
func missing(list []Section) Section {
	s := Section{Name: "missing", Question: "What has no record yet?"}
	g := chart.Grid{Left: 2, Head: []string{"part", "what makes its records", "holes"}}
	for _, p := range list {
		if len(p.Missing) > 0 {
			g.Rows = append(g.Rows, []string{p.Name, p.command(), fmt.Sprint(len(p.Missing))})
		}
	}
	if len(g.Rows) == 0 {
		s.Notes = []string{"Nothing."}
		return s
	}
	s.Blocks = []Block{{Table: g}}
	return s
}

// provenance lists every record behind the page once.
func provenance(list []Section) Section {
	s := Section{Name: "provenance", Question: "Which records is this page made from?"}
	g := chart.Grid{Left: 6, Head: []string{"record", "kind", "what", "commit", "processor", "time", "seconds"}}
	seen := map[*record.Record]bool{}
	for _, p := range list {
		for _, r := range p.Records {
			if seen[r] {
				continue
			}
			seen[r] = true
			commit := r.Commit[:min(12, len(r.Commit))]
			if r.Dirty {
				commit += ", changed since"
			}
			wall := "–"
			if r.WallS > 0 {
				wall = fmt.Sprintf("%.0f", r.WallS)
			}
			kind := r.Kind
			if !r.Shipped {
				kind += ", your own"
			}
			g.Rows = append(g.Rows, []string{r.Key[:min(12, len(r.Key))], kind, axes(r), commit, fmt.Sprintf("%s, %d threads", r.Env.CPU, r.Env.Threads), r.Time.Format("2006-01-02 15:04"), wall})
		}
	}
	s.Notes = []string{fmt.Sprintf("%d records. The id is what charts show on hover, and the beginning of the record's key.", len(g.Rows))}
	s.Blocks = []Block{{Table: g}}
	return s
}

// axes is what a record was varied over, as text.
func axes(r *record.Record) string {
	var parts []string
	for _, name := range []string{"study", "model", "recipe", "clip", "operators", "arithmetic", "exp", "corpus", "windows", "case", "subject", "form", "component", "operator", "n", "rows", "threads", "prefill"} {
		if v := r.Axes[name]; v != "" {
			parts = append(parts, name+"="+v)
		}
	}
	return strings.Join(parts, " ")
}
