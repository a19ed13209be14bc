// Package claims holds what the project says of its results against the records.
//
// A claim (data/claims.json) is a sentence with the place of its number: a cell of a
// study's table, a metric of a record, or the ratio of two of them. It expects either a
// value with a tolerance or an upper or lower bound. Verify looks the numbers up and
// gives each claim a verdict; it computes nothing.
//
//	claims.json ──► Parse ──► Verify ◄── records
//	                            │
//	        README's table · "illm verify tables" · the report
package claims

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strings"
)

// Kinds of claim. A claim on times depends on the machine and is told apart from the others.
const (
	Quality = "quality"
	Timing  = "timing"
)

// Claim is a sentence with its number.
type Claim struct {
	ID       string `json:"id"`
	Sentence string `json:"sentence"`
	Kind     string `json:"kind"`
	Notebook string `json:"notebook"` // that shows it
	Command  string `json:"command"`  // that prints it

	Value Where  `json:"value"`
	By    *Where `json:"by,omitempty"` // the number is value/by

	Expected  *float64 `json:"expected,omitempty"`
	Tolerance float64  `json:"tolerance,omitempty"` // |found − expected| at most
	AtMost    *float64 `json:"at_most,omitempty"`
	AtLeast   *float64 `json:"at_least,omitempty"`

	Unit    string  `json:"unit,omitempty"`
	Minutes float64 `json:"minutes"`   // to compute the records anew, two cores
	Memory  int     `json:"memory_mb"` // at the peak of that; 0: not measured
}

// Where is the place of a number.
//
// In a study's table: Row gives levels of axes, Set further settings, Column the
// metric. In the records: Record gives axes or settings of the configuration, Metric the
// metric; the newest record counts, and of a ratio of times the newest two of one build.
// In a model's training record: Training is the model, Metric the field.
type Where struct {
	Study  string            `json:"study,omitempty"`
	Row    map[string]string `json:"row,omitempty"`
	Set    map[string]string `json:"set,omitempty"`
	Column string            `json:"column,omitempty"`

	Record   map[string]string `json:"record,omitempty"`
	Training string            `json:"training,omitempty"`
	Metric   string            `json:"metric,omitempty"`
}

// Parse reads the list and refuses claims that lack a part.
func Parse(raw []byte) ([]Claim, error) {
	var list []Claim
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&list); err != nil {
		return nil, fmt.Errorf("claims: read: expected a list of claims: %w", err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, fmt.Errorf("claims: read: expected the end of the file behind the list")
	}
	seen := map[string]bool{}
	for i, c := range list {
		if err := c.check(); err != nil {
			return nil, fmt.Errorf("claims: claim %d (%q): %w", i+1, c.ID, err)
		}
		if seen[c.ID] {
			return nil, fmt.Errorf("claims: claim %d: the id %q is taken: choose another one", i+1, c.ID)
		}
		seen[c.ID] = true
	}
	return list, nil
}

func (c *Claim) check() error {
	for name, v := range map[string]string{"id": c.ID, "sentence": c.Sentence, "notebook": c.Notebook, "command": c.Command} {
		if v == "" || strings.ContainsAny(v, "\n|") {
			return fmt.Errorf("%s: expected a line of text without |, found %q", name, v)
		}
	}
	if c.Kind != Quality && c.Kind != Timing {
		return fmt.Errorf("kind: expected %s or %s, found %q", Quality, Timing, c.Kind)
	}
	bounds := 0
	for _, v := range []*float64{c.Expected, c.AtMost, c.AtLeast} {
		if v == nil {
			continue
		}
		bounds++
		if math.IsNaN(*v) || math.IsInf(*v, 0) {
			return fmt.Errorf("expected a finite number, found %g", *v)
		}
	}
	switch {
	case bounds != 1:
		return fmt.Errorf("expected one of expected, at_most and at_least, found %d", bounds)
	case c.Tolerance < 0 || c.Expected == nil && c.Tolerance != 0 || c.Expected != nil && c.Tolerance == 0:
		return fmt.Errorf("tolerance %g: expected a number above 0 beside an expected value, and none beside a bound", c.Tolerance)
	case c.Minutes <= 0 || c.Memory < 0:
		return fmt.Errorf("minutes %g, memory_mb %d: expected time above 0 and no negative memory", c.Minutes, c.Memory)
	}
	if err := c.Value.check(); err != nil {
		return fmt.Errorf("value: %w", err)
	}
	if c.By != nil {
		if err := c.By.check(); err != nil {
			return fmt.Errorf("by: %w", err)
		}
	}
	return nil
}

func (w *Where) check() error {
	places := 0
	for _, ok := range []bool{w.Study != "" && w.Column != "" && len(w.Row) > 0 && w.Metric == "", len(w.Record) > 0 && w.Metric != "", w.Training != "" && w.Metric != ""} {
		if ok {
			places++
		}
	}
	if places != 1 || w.Study == "" && len(w.Row)+len(w.Set)+len(w.Column) > 0 {
		return fmt.Errorf("expected study, row and column, or record and metric, or training and metric")
	}
	return nil
}

// Expectation is what the number should be, as text.
func (c *Claim) Expectation() string {
	switch {
	case c.AtMost != nil:
		return "≤ " + c.number(*c.AtMost)
	case c.AtLeast != nil:
		return "≥ " + c.number(*c.AtLeast)
	}
	return strings.TrimSpace(short(*c.Expected) + " ± " + short(c.Tolerance) + " " + c.Unit)
}

// number prints a value of the claim with its unit.
func (c *Claim) number(v float64) string { return strings.TrimSpace(short(v) + " " + c.Unit) }

// short prints five significant digits, whole numbers in full.
func short(v float64) string {
	if v == math.Trunc(v) && math.Abs(v) < 1e15 {
		return fmt.Sprintf("%.0f", v)
	}
	if math.Abs(v) >= 1e5 {
		return fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprintf("%.5g", v)
}

// holds says whether a number is as claimed, and how far it is off: from the expected
// value, or beyond the bound (0 within it).
func (c *Claim) holds(v float64) (ok bool, off float64) {
	switch {
	case c.AtMost != nil:
		return v <= *c.AtMost, max(0, v-*c.AtMost)
	case c.AtLeast != nil:
		return v >= *c.AtLeast, min(0, v-*c.AtLeast)
	}
	off = v - *c.Expected
	return math.Abs(off) <= c.Tolerance, off
}
