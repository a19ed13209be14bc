package record

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"
)

// Version is the format version of a line; a reader skips lines of another one.
const Version = 1

// Kinds of record. They differ in what their key covers.
const (
	Quality = "quality" // a number that depends on bits alone: perplexity, divergence
	Timing  = "timing"  // a number that depends on code and machine: tokens per second
)

// Directions in which a metric improves.
const (
	Lower  = "lower"
	Higher = "higher"
)

// Record is one result with its provenance.
type Record struct {
	V         int               `json:"v"`
	Kind      string            `json:"kind"`
	Key       string            `json:"key"`
	Config    map[string]any    `json:"config"`              // everything that was chosen; JSON values only
	Axes      map[string]string `json:"axes,omitempty"`      // the few values a table or chart is drawn over
	Metrics   []Metric          `json:"metrics"`             //
	Windows   []WindowStat      `json:"windows,omitempty"`   // statistics per evaluation window
	Env       Env               `json:"env"`                 //
	Commit    string            `json:"commit,omitempty"`    // of the code that ran
	Dirty     bool              `json:"dirty,omitempty"`     // the working tree differed from Commit
	Artefact  string            `json:"artefact,omitempty"`  // sha256 of the model that was run
	Corpus    string            `json:"corpus,omitempty"`    // sha256 of the text
	Semantics int               `json:"semantics,omitempty"` // version of the integer semantics
	Seed      uint64            `json:"seed,omitempty"`      //
	WallS     float64           `json:"wall_s,omitempty"`    // seconds the result took
	Time      time.Time         `json:"time,omitzero"`       // when it was finished, UTC
	Note      string            `json:"note,omitempty"`      //

	// Shipped tells that the record was read from the shipped folder. Not written.
	Shipped bool `json:"-"`
}

// Metric is one number of a record. Stderr is its standard error (0: not known),
// N the number of independent pieces it was taken over (windows, runs).
type Metric struct {
	Name   string  `json:"name"`
	Value  float64 `json:"value"`
	Stderr float64 `json:"stderr,omitempty"`
	N      int     `json:"n,omitempty"`
	Unit   string  `json:"unit,omitempty"`
	Better string  `json:"better,omitempty"` // Lower, Higher or "" (neither)
}

// WindowStat holds the sums over one evaluation window; natural logarithms
// throughout. The fields from BaseNLL on compare with a base model on the same
// tokens and are zero without one.
type WindowStat struct {
	Index   int     `json:"i"`                  // window number; tokens [Index·W, (Index+1)·W)
	N       int     `json:"n"`                  // predictions
	NLL     float64 `json:"nll"`                // Σ −ln p(target)
	BaseNLL float64 `json:"base_nll,omitempty"` // the same under the base model
	KL      float64 `json:"kl,omitempty"`       // Σ KL(base ‖ this)
	DP2     float64 `json:"dp2,omitempty"`      // Σ (p(target) − p_base(target))²
	Same    int     `json:"same,omitempty"`     // positions whose most likely token is the base's
}

// number is a float64 whose JSON form knows infinities and NaN.
type number float64

func (f number) MarshalJSON() ([]byte, error) {
	v := float64(f)
	switch {
	case math.IsNaN(v):
		return []byte(`"NaN"`), nil
	case math.IsInf(v, 1):
		return []byte(`"+Inf"`), nil
	case math.IsInf(v, -1):
		return []byte(`"-Inf"`), nil
	}
	return json.Marshal(v)
}

func (f *number) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '"' {
		var s string
		if err := json.Unmarshal(b, &s); err != nil {
			return err
		}
		switch s {
		case "NaN":
			*f = number(math.NaN())
		case "+Inf":
			*f = number(math.Inf(1))
		case "-Inf":
			*f = number(math.Inf(-1))
		default:
			return fmt.Errorf("record: read number: expected a number, NaN, +Inf or -Inf, found %q", s)
		}
		return nil
	}
	return json.Unmarshal(b, (*float64)(f))
}

type metricJSON struct {
	Name   string `json:"name"`
	Value  number `json:"value"`
	Stderr number `json:"stderr,omitempty"`
	N      int    `json:"n,omitempty"`
	Unit   string `json:"unit,omitempty"`
	Better string `json:"better,omitempty"`
}

// MarshalJSON writes a value that is not finite as a string.
func (m Metric) MarshalJSON() ([]byte, error) {
	return json.Marshal(metricJSON{m.Name, number(m.Value), number(m.Stderr), m.N, m.Unit, m.Better})
}

// UnmarshalJSON reads what MarshalJSON writes.
func (m *Metric) UnmarshalJSON(b []byte) error {
	var j metricJSON
	if err := json.Unmarshal(b, &j); err != nil {
		return err
	}
	*m = Metric{j.Name, float64(j.Value), float64(j.Stderr), j.N, j.Unit, j.Better}
	return nil
}

// Metric returns the metric called name.
func (r *Record) Metric(name string) (Metric, bool) {
	for _, m := range r.Metrics {
		if m.Name == name {
			return m, true
		}
	}
	return Metric{}, false
}

// AxisFloat returns the value of an axis as a number, and false if the axis is
// missing or not a number (clip "none").
func (r *Record) AxisFloat(name string) (float64, bool) {
	v, err := strconv.ParseFloat(r.Axes[name], 64)
	return v, err == nil && !math.IsNaN(v)
}

// ConfigOf turns a struct (or map) into the form that Record.Config wants: what
// a JSON reader would see, with whole numbers kept exactly.
func ConfigOf(v any) (map[string]any, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("record: config: %w", err)
	}
	var m map[string]any
	if err := decodeNumbers(b, &m); err != nil {
		return nil, fmt.Errorf("record: config: expected a struct or a map, found %T: %w", v, err)
	}
	return m, nil
}

// ComputeKey returns the key that the record's fields give, as 64 hex digits.
// It ignores Metrics, Windows, Axes, times and notes.
func (r *Record) ComputeKey() (string, error) {
	id := map[string]any{
		"kind": r.Kind, "config": r.Config, "seed": r.Seed,
		"artefact": r.Artefact, "corpus": r.Corpus, "semantics": r.Semantics,
	}
	switch r.Kind {
	case Quality:
	case Timing:
		id["commit"], id["dirty"], id["cpu"] = r.Commit, r.Dirty, r.Env.CPU
	default:
		return "", fmt.Errorf("record: key: expected kind %q or %q, found %q", Quality, Timing, r.Kind)
	}
	return Hash(id)
}

// Hash returns the SHA-256 of the canonical JSON of v, as 64 hex digits:
// object keys sorted, numbers in Go's shortest form, no spaces. A struct and
// the map that JSON makes of it have the same hash.
func Hash(v any) (string, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return "", fmt.Errorf("record: hash: %w", err)
	}
	var x any
	if err := decodeNumbers(b, &x); err != nil {
		return "", fmt.Errorf("record: hash: %w", err)
	}
	if b, err = json.Marshal(x); err != nil { // maps come out sorted
		return "", fmt.Errorf("record: hash: %w", err)
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:]), nil
}

// parseLine reads one line of a file; it accepts whole records only.
func parseLine(line []byte) (*Record, error) {
	r := new(Record)
	if err := decodeNumbers(line, r); err != nil {
		return nil, err
	}
	if r.V != Version {
		return nil, fmt.Errorf("expected format version %d, found %d", Version, r.V)
	}
	if r.Key == "" || r.Kind == "" {
		return nil, errors.New("expected a kind and a key, found none")
	}
	return r, nil
}
