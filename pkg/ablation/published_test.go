package ablation

import (
	"math"
	"strings"
	"testing"

	"github.com/illm-go/illm/pkg/record"
)

// publishedRuns are one model's runs of a mode: a loss in nats a token over a float model of perplexity 20, over so many windows.
func publishedRuns(t *testing.T, mode string, loss float64, windows int) *Runs {
	t.Helper()
	runs := invented(t, Static, "tiny-opt", func(Config) (float64, float64, bool) { return 0, 0, true },
		Set("corpus", "c4"), Set("width", "w8a8"), Set("method", "rtn"), Set("setting", Dynamic), Set("mode", mode))
	for _, row := range runs.rows {
		r := row.cells["c4"].record
		r.Windows = nil
		for w := range windows {
			base := math.Log(20) + 0.1*float64(w) // harder from window to window
			own := base + loss + 0.001*float64(1-2*(w%2))
			r.Windows = append(r.Windows, record.WindowStat{Index: w, N: 100, NLL: 100 * own, BaseNLL: 100 * base, KL: 100 * loss})
		}
	}
	return runs
}

// Two modes with different numbers of windows are compared on those that both have.
func TestPublishedBeside(t *testing.T) {
	own, printed := ByModel{publishedRuns(t, "illm", 0, 8)}, ByModel{publishedRuns(t, "published", math.Log(1.5), 2)}
	g := PublishedBeside(own, printed, "c4")
	if len(g.Rows) != 1 {
		t.Fatalf("rows %v", g.Rows)
	}
	// perplexity over windows 0 and 1 alone: 20·e^0.05 and half as much again
	if got := strings.Join(g.Rows[0], "|"); !strings.HasPrefix(got, "tiny-opt|w8a8|21.03|21.03|31.54|50.0") || !strings.HasSuffix(got, "|0|0.405|2") {
		t.Errorf("found %s", got)
	}
	if g := PublishedBeside(own, ByModel{publishedRuns(t, "published", 1, 0)}, "c4"); len(g.Rows) != 0 {
		t.Errorf("no window in common: found %v", g.Rows)
	}
}

// The sentence contradicts the paper where the loss is told from nothing, and not where it is a gain.
func TestPublishedVerdict(t *testing.T) {
	own := ByModel{publishedRuns(t, "illm", 0, 8)}
	expect(t, PublishedVerdict(own, ByModel{publishedRuns(t, "published", math.Log(1.5), 8)}, "c4", "w8a8"), "Against the paper's claim", "tiny-opt", "+50.0", "mode illm")
	text := PublishedVerdict(own, ByModel{publishedRuns(t, "published", -0.1, 8)}, "c4", "w8a8")
	if strings.Contains(text, "Against") || !strings.Contains(text, "Not told from fp32, or better") {
		t.Error(text)
	}
	if s := PublishedVerdict(own, nil, "c4", "w8a8"); !strings.HasSuffix(s, "no records yet.") {
		t.Error(s)
	}
}
