package chart

import (
	"errors"
	"strings"
	"testing"
)

// rows is a small Source: axes as text, metrics as values.
type rows []map[string]any

func (r rows) Len() int { return len(r) }
func (r rows) Text(i int, column string) (string, bool) {
	s, ok := r[i][column].(string)
	return s, ok
}
func (r rows) Number(i int, column string) (Value, bool) {
	v, ok := r[i][column].(Value)
	return v, ok
}

func TestFromRows(t *testing.T) {
	ppl := func(y, err float64) Value {
		return Value{Y: y, Err: err, Unit: "per token", Better: Lower, ID: "0123"}
	}
	src := rows{
		{"recipe": "fp32", "ppl_c4": ppl(20, 0)},
		{"recipe": "w8a8", "clip": "none", "ppl_c4": ppl(23, 0.1)},
		{"recipe": "w8a8", "clip": "15", "ppl_c4": ppl(21, 0.1)},
		{"recipe": "w4a4", "clip": "15", "ppl_c4": ppl(2000, 9)},
		{"recipe": "w4a4", "clip": "12"}, // missing
	}
	c := Line(src, "clip", "ppl_c4", "recipe")
	if len(c.Baselines) != 1 || c.Baselines[0].Name != "fp32" || c.Baselines[0].Value != 20 {
		t.Errorf("baselines %v, want the row without a clip", c.Baselines)
	}
	if len(c.Series) != 2 || c.Series[0].Name != "w8a8" || len(c.Series[0].Points) != 2 || len(c.Series[1].Points) != 1 {
		t.Errorf("series %+v", c.Series)
	}
	if got := c.categories(); strings.Join(got, " ") != "none 15" {
		t.Errorf("categories %v", got)
	}
	if c.Y.Title() != "Perplexity, C4 (per token)  ↓ better" {
		t.Errorf("y axis %q", c.Y.Title())
	}
	if p := c.Series[0].Points[0]; p.ID != "0123" || p.Err != 0.1 {
		t.Errorf("point %+v lost its error or record", p)
	}
	if _, err := c.Render(); err != nil {
		t.Error(err)
	}

	numeric := Line(append(src[2:4:4], rows{{"recipe": "w8a8", "clip": "12", "ppl_c4": ppl(21, 0.1)}}...), "clip", "ppl_c4", "recipe")
	if numeric.categories() != nil || numeric.Series[0].Points[0].X != 15 {
		t.Errorf("levels that are all numbers: categories %v, x %g, want a numeric axis", numeric.categories(), numeric.Series[0].Points[0].X)
	}
	if bars := Bar(src[2:4], "clip", "ppl_c4", "recipe"); bars.categories() == nil {
		t.Error("bars on a numeric axis, want categories")
	}
	if _, err := Line(src, "clip", "ppl_wikitext2", "recipe").Render(); err == nil || !strings.Contains(err.Error(), "ppl_wikitext2") {
		t.Errorf("unknown metric: %v, want its name", err)
	}

	// one level makes no line, whatever the number of lines: the reason is said, and two levels are drawn
	one := rows{{"recipe": "w8a8", "prob": "15", "ppl": ppl(22, 0.1)}, {"recipe": "w4a4", "prob": "15", "ppl": ppl(30, 0.1)}}
	var lack *Lack
	if err := Line(one, "prob", "ppl", "recipe").Titled("t", "").Validate(); !errors.As(err, &lack) || !errors.Is(err, ErrEmpty) || !strings.Contains(lack.Reason, `one value of "bits of probabilities" alone, 15`) {
		t.Errorf("a line of one level: %v", err)
	}
	if err := Line(append(one, rows{{"recipe": "w4a4", "prob": "8", "ppl": ppl(31, 0.1)}}...), "prob", "ppl", "recipe").Validate(); err != nil {
		t.Errorf("a line of two levels beside a point: %v", err)
	}
	if err := Bar(one, "prob", "ppl", "recipe").Validate(); err != nil {
		t.Errorf("bars of one level: %v", err)
	}

	speed := rows{{"recipe": "w8a8", "ppl": ppl(22, 0.1), "ms": Value{Y: 400, Unit: "ms", Better: Lower}}, {"recipe": "w4a4", "ppl": ppl(2000, 1)}}
	s := Scatter(speed, "ms", "ppl", "recipe")
	if len(s.Series) != 1 || s.Series[0].Points[0].X != 400 || s.X.Unit != "ms" {
		t.Errorf("scatter %+v, want the one row with both metrics", s.Series)
	}
}

func TestHeading(t *testing.T) {
	for column, want := range map[string]string{
		"ppl_wikitext2": "Perplexity, WikiText-2", "ln_ppl_ratio_c4": "ln(PPL / PPL of fp32), C4", "softmax_us": "softmax us", "clip": "clip c",
		"prob": "bits of probabilities", "operators": "operators in float",
	} {
		if got := Heading(column); got != want {
			t.Errorf("Heading(%q) = %q, want %q", column, got, want)
		}
	}
}
