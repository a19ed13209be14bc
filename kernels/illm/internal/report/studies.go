package report

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/illm-go/illm/pkg/ablation"
	"github.com/illm-go/illm/pkg/baseline"
	"github.com/illm-go/illm/pkg/chart"
	"github.com/illm-go/illm/pkg/nb"
	"github.com/illm-go/illm/pkg/quant"
	"github.com/illm-go/illm/pkg/record"
)

// models are those that a study is shown for, where it has records of them; the first is always named.
var models = []string{"tiny-llama", "tiny-llama+outliers", "tiny-opt", "tiny-opt+outliers", "smollm2"}

// texts are the levels that columns end in, metrics the columns that tables show.
var (
	texts   = []string{"wikitext2", "c4", "enwiki", ablation.ZeroShot, ablation.Speed}
	metrics = []string{"ppl", "kld_mean", "bits_per_byte", "saturated_share", "zero_shot_mean", "prefill_tok_s", "decode_tok_s", "weight_bytes"}
)

// studySections answers every study of package ablation from the records.
func studySections(ctx context.Context, store *record.Store, ev ablation.Evaluator) ([]Section, error) {
	var out []Section
	for _, study := range ablation.Studies() {
		s := Section{Name: study.Name, Question: study.Question}
		_, one := study.Fixed["model"]
		for i, name := range models {
			options := []ablation.Option{ablation.Stored()}
			if one || study.Name != ablation.Models.Name {
				options = append(options, ablation.Set("model", name))
			} else if i > 0 {
				break
			} else {
				name = ""
			}
			runs, err := study.Run(ctx, store, ev, append(options, asked(store, study, name)...)...)
			if err != nil {
				return nil, fmt.Errorf("report: study %s: %w", study.Name, err)
			}
			s.add(runs, name, i == 0)
			if study.Name == ablation.Layers.Name {
				if err := s.fronts(ctx, store, ev, runs, name); err != nil {
					return nil, err
				}
			}
		}
		if study.Name == ablation.Exp.Name {
			s.exponentials(store)
		}
		out = append(out, s)
	}
	return out, nil
}

// add shows the study on one model. Rows without a value are named as missing; a model whose rows
// all are, but for those of the float model and of rounding to nearest, only as a whole.
func (s *Section) add(runs *ablation.Runs, name string, first bool) {
	n := runs.Count()
	s.Records = append(s.Records, runs.Records()...)
	if n[ablation.Missing] > 0 && (first || own(runs)) {
		for _, line := range strings.Split(runs.Err().Error(), "\n") {
			s.Missing = append(s.Missing, strings.TrimSpace(name+" "+line))
		}
	} else if !own(runs) {
		s.Missing = append(s.Missing, name+": the whole study")
	}
	if runs.Stale > 0 {
		s.Notes = append(s.Notes, fmt.Sprintf("%s: %d records of other weights or of another version of the arithmetic were left out.", name, runs.Stale))
	}
	g := grid(runs)
	if len(g.Rows) == 0 || !first && !own(runs) {
		return
	}
	s.Blocks = append(s.Blocks, Block{Title: name, Table: g})
	for _, c := range append(charts(runs), extras(runs)...) {
		if c.Validate() == nil {
			s.Blocks = append(s.Blocks, Block{Chart: c})
		}
	}
}

// own says that the study has at least two rows with records beside the float model's.
func own(runs *ablation.Runs) bool {
	n := 0
	for i := range runs.Len() {
		if source, _ := runs.Text(i, "source"); source != ablation.Missing && !isBase(runs, i) {
			n++
		}
	}
	return n >= 2
}

func isBase(runs *ablation.Runs, i int) bool {
	for axis, level := range runs.Study.Base {
		if v, ok := runs.Text(i, axis); ok && v != level {
			return false
		}
	}
	return true
}

// grid is the table of the rows that have a value.
func grid(runs *ablation.Runs) chart.Grid {
	var axes, columns []string
	for _, x := range runs.Study.Axes {
		if x.Name != runs.Study.Spread && len(levels(runs, x.Name)) > 1 {
			axes = append(axes, x.Name)
		}
	}
	for _, text := range texts {
		for _, m := range metrics {
			if hasColumn(runs, m+"_"+text) {
				columns = append(columns, m+"_"+text)
			}
		}
	}
	if len(columns) == 0 || len(axes) == 0 {
		return chart.Grid{}
	}
	g, err := nb.TableOf(runs, append(append(slices.Clone(axes), columns...), "windows", "source")...)
	if err != nil {
		return chart.Grid{}
	}
	g.Left = len(axes)
	g.Rows = slices.DeleteFunc(g.Rows, func(row []string) bool {
		for _, cell := range row[len(axes) : len(axes)+len(columns)] {
			if cell != "–" {
				return false
			}
		}
		return true
	})
	return g
}

// levels lists the levels of an axis that rows with records have.
func levels(runs *ablation.Runs, axis string) (out []string) {
	for i := range runs.Len() {
		source, _ := runs.Text(i, "source")
		v, ok := runs.Text(i, axis)
		if ok && source != ablation.Missing && !slices.Contains(out, v) {
			out = append(out, v)
		}
	}
	return out
}

func hasColumn(src chart.Source, column string) bool {
	for i := range src.Len() {
		if _, ok := src.Number(i, column); ok {
			return true
		}
	}
	return false
}

// charts draws a study, each text by itself.
func charts(runs *ablation.Runs) (out []*chart.Chart) {
	for _, text := range texts[:3] {
		switch name := runs.Study.Name; {
		case !hasColumn(runs, "ppl_"+text):
		case name == ablation.Clip.Name:
			out = append(out, chart.Line(runs, "clip", "ppl_"+text, "recipe").Panels().LogY())
		case name == ablation.Models.Name:
			out = append(out, chart.Bar(runs, "model", "bits_per_byte_"+text, "recipe").Size(1000, 420))
		case name == ablation.Widths.Name:
			out = append(out, chart.Bar(runs, "recipe", "kld_mean_"+text, "recipe"))
		case name == ablation.Methods.Name:
			for _, arithmetic := range []string{"simulated", ablation.Integer} {
				if part := runs.Where("arithmetic", arithmetic); own(part) {
					c := chart.Bar(part, "width", "bits_per_byte_"+text, "method").Size(1000, 420)
					out = append(out, c.Titled("Bits per byte by method, "+arithmetic, c.Subtitle))
				}
			}
		case name == ablation.Layers.Name:
			out = append(out, runs.SensitivityChart(text))
		case name == ablation.NonLinear.Name:
			out = append(out, against(runs, "operators", ablation.Integer, text, "recipe"))
		case name == ablation.Exp.Name:
			out = append(out, against(runs, "exp", "float64", text))
		default:
			if c := usual(runs, text); c != nil {
				out = append(out, c)
			}
		}
	}
	return out
}

// against draws the change of perplexity from one level of an axis.
func against(runs *ablation.Runs, axis, level, text string, by ...string) *chart.Chart {
	c := chart.Bar(runs.Against(axis, level), axis, "delta_"+text, by...)
	return c.Titled(fmt.Sprintf("Change of perplexity from %s, %s", level, chart.Text(text)), c.Subtitle).Size(1000, 420)
}

// usual draws a study that has no picture of its own: bars over the axis with most levels.
func usual(runs *ablation.Runs, text string) *chart.Chart {
	most, axis, by := 1, "", []string(nil)
	for _, x := range runs.Study.Axes {
		if n := len(levels(runs, x.Name)); x.Name != runs.Study.Spread && n > most {
			most, axis = n, x.Name
		}
	}
	for _, x := range runs.Study.Axes {
		if x.Name != runs.Study.Spread && x.Name != axis && len(levels(runs, x.Name)) > 1 {
			by = append(by, x.Name)
		}
	}
	if axis == "" {
		return nil
	}
	if len(by) == 0 {
		by = []string{axis}
	}
	return chart.Bar(runs, axis, "bits_per_byte_"+text, by...).Size(1000, 420)
}

// exponentials adds what the study of the exponential has beside perplexity: errors, times and the front of both.
func (s *Section) exponentials(store *record.Store) {
	clip, err := quant.ParseClip("15")
	if err != nil {
		return
	}
	const score, row = 8, 1024
	if g, err := ablation.ExpErrors(clip); err == nil {
		s.Blocks = append(s.Blocks, Block{Title: "Errors over the whole domain (computed, not measured)", Table: g})
	}
	if g := ablation.ExpTimes(store, baseline.FormDirect, score); len(g.Rows) > 0 {
		s.Blocks = append(s.Blocks, Block{Title: "Nanoseconds an element, by length of the row", Table: g})
	}
	if c, err := ablation.ExpFront(store, clip, baseline.FormDirect, score, row); err == nil {
		s.Blocks = append(s.Blocks, Block{Chart: c})
	} else {
		s.Missing = append(s.Missing, err.Error())
	}
}
