package ablation

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/illm-go/illm/pkg/hub"
	"github.com/illm-go/illm/pkg/record"
)

// TestOperatorsRefuses: a level of "operators" names operators that the engine can be given.
func TestOperatorsRefuses(t *testing.T) {
	for level, want := range map[string]string{
		"exp:foo":           "foo",
		"exp:":              "expected integer",
		"exp":               "expected integer",
		"exp:lut256/s17":    "s2 … s16",
		"exp:lut256/what":   "expected sigmoid",
		"half:soft":         "softmax, activation or norm",
		"half:":             "softmax, activation or norm",
		"float16":           "expected integer",
		"float32:norm+silu": `"silu"`,
	} {
		if got, err := checkOperators(level); err == nil || !strings.Contains(err.Error(), want) || got != "" {
			t.Errorf("%s: %q, error %v, want %q", level, got, err, want)
		}
	}
	for _, level := range append(slices.Clone(NonLinear.Axes[1].Levels), "exp:lut256", "exp:taylor3/sigmoid/s16/p7", "half:softmax+norm") {
		if got, err := checkOperators(level); err != nil || got != level {
			t.Errorf("%s: %q, %v", level, got, err)
		}
	}
	if _, err := NonLinear.Run(context.Background(), storeOf(t), nil, Set("operators", "exp:foo")); err == nil || !strings.Contains(err.Error(), "axis operators: value \"exp:foo\" is not allowed") {
		t.Errorf("run: %v", err)
	}
}

// TestReasons: a parameter out of range says what is allowed and why.
func TestReasons(t *testing.T) {
	for _, c := range []struct {
		axis        string
		level       any
		allowed, by string
	}{
		{"score", 17, "from 2 to 16", "more than 16"},
		{"score", 1, "from 2 to 16", "codes of one bit would tell"},
		{"prob", 16, "from 2 to 15", "no more than the engine's own"},
		{"prob", "few", "from 2 to 15", "of one bit there would be 0, a half and 1"},
		{"clip", "0", "positive", "a clip of 0 would give all keys the same weight"},
		{"clip", "1.2345", "at most 3", "holds clips in thousandths"},
	} {
		_, err := Exp.Run(context.Background(), storeOf(t), nil, Set(c.axis, c.level))
		if err == nil || !strings.Contains(err.Error(), c.allowed) || !strings.Contains(err.Error(), c.by) {
			t.Errorf("%s = %v: error %v, want %q and %q", c.axis, c.level, err, c.allowed, c.by)
		}
	}
}

// knowing knows a few names.
type knowing struct {
	Each
	names []string
	asked []string
}

func (k *knowing) Known(setting, name string) error {
	k.asked = append(k.asked, setting+" "+name)
	if slices.Contains(k.names, name) {
		return nil
	}
	return errors.New("nobody knows it")
}

// TestNames: a model or text that there is not is an error of the question, but for one that records are about; each name is
// asked for once, and the study's own not at all.
func TestNames(t *testing.T) {
	old := shippedRecord(t, "w8a8", "15", "moved.txt", 4, 40, 1)
	ev := &knowing{names: []string{"mine.txt"}, Each: func(_ context.Context, c Config) (record.Record, error) {
		r := c.Record()
		r.Metrics = []record.Metric{{Name: "ppl", Value: 1}}
		return r, nil
	}}
	run := func(options ...Option) error {
		_, err := Clip.Run(context.Background(), storeOf(t, old), ev, append(options, Set("recipe", "w8a8"))...)
		return err
	}
	if err := run(Set("corpus", "wikitext2", "c4")); err != nil || ev.asked != nil {
		t.Errorf("own levels: %v, asked for %q", err, ev.asked)
	}
	if err := run(Set("corpus", "mine.txt", "moved.txt")); err != nil || !slices.Equal(ev.asked, []string{"corpus mine.txt", "corpus moved.txt"}) {
		t.Errorf("known texts: %v, asked for %q", err, ev.asked)
	}
	for setting, name := range map[string]string{"corpus": "wikitext-2", "model": "tiny-lama"} {
		want := fmt.Sprintf("study clip: %s %q: nobody knows it", setting, name)
		if err := run(Set(setting, name)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
		if _, err := Clip.Missing(context.Background(), storeOf(t), ev, Set(setting, name)); err == nil {
			t.Errorf("missing of %s: no error", name)
		}
	}
}

// TestMissingRows: without its model the rows of a batch are named in the reason, a few by name and the rest by number.
func TestMissingRows(t *testing.T) {
	away := Each(func(context.Context, Config) (record.Record, error) {
		return record.Record{}, fmt.Errorf("model %q: %w", "tiny-llama", hub.ErrUnavailable)
	})
	runs, err := Clip.Run(context.Background(), storeOf(t), away, Set("recipe", "w8a8"), Set("clip", 20, 15, 12, 10, 8, 6), Set("corpus", "c4"), WithoutBase())
	if err != nil {
		t.Fatal(err)
	}
	want := "recipe=w8a8 clip=20 corpus=c4; recipe=w8a8 clip=15 corpus=c4; recipe=w8a8 clip=12 corpus=c4; recipe=w8a8 clip=10 corpus=c4; 2 more: "
	if err := runs.Err(); !errors.Is(err, hub.ErrUnavailable) || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("error %v, want it to begin with %q", err, want)
	}
}
