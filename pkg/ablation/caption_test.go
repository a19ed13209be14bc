package ablation

import (
	"context"
	"strings"
	"testing"

	"github.com/illm-go/illm/pkg/chart"
	"github.com/illm-go/illm/pkg/record"
)

// A caption counts the windows of what is shown: of a text, of rows with a record.
func TestCaptions(t *testing.T) {
	store, err := record.Open(record.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	made := Each(func(_ context.Context, c Config) (record.Record, error) {
		r := c.Record()
		r.Metrics = []record.Metric{{Name: "ppl", Value: 10}}
		for i := range 2 {
			r.Windows = append(r.Windows, record.WindowStat{Index: i, N: 10, NLL: 20 + float64(i)})
		}
		return r, nil
	})
	for _, of := range [][]Option{
		{Set("corpus", "wikitext2"), Set("windows", 16), Set("clip", "none", "15", "6")},
		{Set("corpus", "c4"), Set("windows", 8), Set("clip", "none", "15")},
	} {
		if _, err := Clip.Run(t.Context(), store, made, append(of, WithoutBase(), Set("recipe", "w8a8"))...); err != nil {
			t.Fatal(err)
		}
	}
	clips := []Option{Stored(), WithoutBase(), Set("recipe", "w8a8"), Set("clip", "none", "15", "6")}
	runs, err := Clip.Run(t.Context(), store, nil, append(clips, Set("corpus", "wikitext2", "c4"))...)
	if err != nil || runs.Count()[Missing] != 1 {
		t.Fatalf("%v, %v", runs.Count(), err)
	}
	change := runs.Against("clip", "none")
	for got, want := range map[string]string{
		runs.Caption():           "tiny-llama, windows of 2048 tokens: 16 of WikiText-2, 8 of C4; bars: ± 1 standard error over windows",
		runs.CaptionOf("ppl_c4"): "tiny-llama, 8 windows of 2048 tokens; bars: ± 1 standard error over windows",
		chart.Line(runs, "clip", "ppl_wikitext2").Subtitle: "tiny-llama, 16 windows of 2048 tokens; bars: ± 1 standard error over windows",
		change.CaptionOf("delta_c4"):                       "tiny-llama, 8 windows of 2048 tokens; bars: ± 1 standard error of the difference, paired by window",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if c := change.ClipChart("c4", 8); !strings.HasPrefix(c.Subtitle, "tiny-llama, 8 windows of 2048") {
		t.Errorf("clip chart: %q", c.Subtitle)
	}
	// a row without a record on one text does not speak of that text's windows
	row, _ := runs.Best("ppl_wikitext2", "clip", "6")
	if w, _ := runs.Text(row, "windows"); w != "16" {
		t.Errorf("windows of the row without C4: %q, want those of its record", w)
	}
	if got := byLength(map[string]bool{"1024": true, "128": true, "512": true, "256": true}); got != "128, 256, 512 or 1024" {
		t.Errorf("lengths %q", got)
	}
}

// The column of windows names texts alone: times and questions have none.
func TestWindowsOfTextsAlone(t *testing.T) {
	var cells []cell
	for corpus, windows := range map[string]string{"wikitext2": "323", "c4": "64", ZeroShot: "8", Speed: "8"} {
		cells = append(cells, cell{config: Config{"width": "w8a8", "setting": Dynamic, "method": "rtn", "corpus": corpus, "windows": windows}, record: &record.Record{}})
	}
	runs := newRuns(Static, cells, 0)
	if got, _ := runs.Text(0, "windows"); got != "c4 64, wikitext2 323" {
		t.Errorf("windows %q", got)
	}
}
