package nb

import (
	"slices"
	"strings"
	"testing"

	"github.com/illm-go/illm/pkg/bench"
	"github.com/illm-go/illm/pkg/record"
)

// TestExpTimesOnce: what one cell measured the next one shows, in all its numbers; another length is measured by itself, and
// the user's records stay as they were.
func TestExpTimesOnce(t *testing.T) {
	empty, err := record.Open(record.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	was := session
	t.Cleanup(func() { session = was })
	session = kernelSession{dir: t.TempDir()}
	s := &Session{all: empty, store: empty, runner: &bench.Runner{Store: empty}}
	first, err := s.ExpTimesOnce(64)
	if err != nil {
		t.Fatal(err)
	}
	second, err := s.ExpTimesOnce(64)
	if err != nil {
		t.Fatal(err)
	}
	a, b := first.Table(), second.Table()
	if len(a.Rows) < 20 || a.String() != b.String() || first.Where != second.Where {
		t.Errorf("one measurement, two cells:\n%s\n%s\n%s\n%s", first.Where, a, second.Where, b)
	}
	if !strings.Contains(first.Where, "measured once") {
		t.Errorf("where: %s", first.Where)
	}
	if text := first.Spread(); !strings.Contains(text, "rows of 64 keys: alone") || strings.Count(text, " times") != 3 {
		t.Errorf("spread: %s", text)
	}
	if n := len(empty.Latest(func(*record.Record) bool { return true })); n != 0 {
		t.Errorf("%d records were kept", n)
	}
}

// TestGated: OPT has no gate; a name that stands for nothing here is kept.
func TestGated(t *testing.T) {
	got := Open().Gated("tiny-llama", "tiny-opt", "no-such-model")
	if want := []string{"tiny-llama", "no-such-model"}; !slices.Equal(got, want) {
		t.Errorf("gated: expected %v, found %v", want, got)
	}
}

// TestDynamicCost: the requantisation leads, and operators without a fused kernel on one side are set apart.
func TestDynamicCost(t *testing.T) {
	row := func(operator, n string, extra, low, dynamic, static float64) *record.Record {
		return &record.Record{Kind: record.Timing, Axes: map[string]string{"study": bench.StudyDynamic, "operator": operator, "n": n},
			Metrics: []record.Metric{{Name: "extra", Value: extra}, {Name: "extra_low", Value: low}, {Name: "dynamic_ns", Value: dynamic}, {Name: "static_ns", Value: static}}}
	}
	text := DynamicCost(bench.Measured{row("rmsnorm", "4096", -50, -52, 1300, 2600), row("requantisation", "64", 18, 15, 26, 22), row("requantisation", "4096", 1, -1, 403, 400)})
	lines := strings.Split(text, "\n")
	if len(lines) != 3 || !strings.HasPrefix(lines[0], "Like with like") || strings.Contains(lines[0], "rmsnorm") ||
		!strings.Contains(lines[0], "64 channels +18 % (+4 ns a row), 4096 channels +1 % (+3 ns a row); slower beyond its interval at 64 channels.") ||
		!strings.Contains(lines[1], "rmsnorm of 4096 channels -50 % (-1300 ns a row)") {
		t.Errorf("found\n%s", text)
	}
	if s := DynamicCost(nil); !strings.HasPrefix(s, "No time of it yet") {
		t.Error(s)
	}
}
