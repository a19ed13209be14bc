package nb

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/illm-go/illm/pkg/ablation"
	"github.com/illm-go/illm/pkg/artifact"
	"github.com/illm-go/illm/pkg/baseline"
	"github.com/illm-go/illm/pkg/bench"
	"github.com/illm-go/illm/pkg/quant"
	"github.com/illm-go/illm/pkg/record"
)

// onceFolder holds, in the kernel's temporary folder, what one cell measured for those behind it.
const onceFolder = "illm-exp-times"

// ExpTimesOnce is ExpTimes for cells that show one measurement from several sides. A cell is a process: where no record has the
// times, each would measure them anew, and on a busy machine they would disagree. So the first cell leaves them in the
// kernel's temporary folder, which goes with the kernel, and the others read them there. A kernel that is started again
// measures again. Outside a notebook it is ExpTimes.
func (s *Session) ExpTimesOnce(row int) (*ExpTimes, error) {
	if s.err != nil {
		return nil, s.err
	}
	timed := func(r *record.Record) bool {
		return r.Kind == record.Timing && r.Axes["study"] == ablation.Exp.Name && r.Axes["row"] == strconv.Itoa(row)
	}
	if session.dir == "" || len(s.all.Latest(timed)) > 0 {
		return s.ExpTimes(row)
	}
	// A folder for each length, moved into place when it is whole: a cell that was interrupted leaves nothing half measured.
	dir := filepath.Join(session.dir, onceFolder+"-"+strconv.Itoa(row))
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		if err := measureExp(dir, row); err != nil {
			return nil, fmt.Errorf("nb: times of exponentials on rows of %d: %w", row, err)
		}
	}
	store, err := record.Open(record.Options{Dir: dir})
	if err != nil {
		return nil, fmt.Errorf("nb: times of exponentials on rows of %d: %w", row, err)
	}
	list := store.Latest(timed)
	if len(list) == 0 {
		return nil, fmt.Errorf("nb: times of exponentials: expected rows of %d in %s, found none: restart the kernel", row, onceFolder)
	}
	return &ExpTimes{store, row, fmt.Sprintf("no record yet: measured once for this notebook, %d rounds, %s, one core; other work on the machine shows", expRounds, list[0].Env.CPU)}, nil
}

// expRounds are the rounds of a measurement for a notebook.
const expRounds = 9

// measureExp times rows of the given length and of expLengths into a new folder.
func measureExp(dir string, row int) error {
	part, err := os.MkdirTemp(filepath.Dir(dir), onceFolder+"-part-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(part)
	store, err := record.Open(record.Options{Dir: part})
	if err != nil {
		return err
	}
	ctx, stop := interruptible()
	defer stop()
	r := &bench.Runner{Store: store}
	defer r.Close()
	lengths := expLengths
	if !slices.Contains(lengths, row) {
		lengths = append([]int{row}, lengths...)
	}
	if _, err := r.ExpSpeed(ctx, bench.ExpRequest{Lengths: lengths, Runs: expRounds, Warmup: 2, Sample: 200 * time.Microsecond}); err != nil {
		return err
	}
	return os.Rename(part, dir)
}

// Spread says how far apart the quickest and the slowest exponential are on the row of these times, alone and in the softmax,
// among the integer ones that have a row kernel.
func (t *ExpTimes) Spread() string {
	kernel := map[string]bool{}
	for _, x := range baseline.Exponentials() {
		kernel[x.Name] = x.Instructions() != "Go" && x.Name != "float32" && x.Name != "half" && x.Name != "float64"
	}
	var parts []string
	for _, f := range []struct {
		what, form string
		score      int
	}{
		{"alone with codes of 16 bits", baseline.FormDirect, 16}, {"in the softmax with codes of 8 bits", baseline.FormSoftmax, 8},
		{"in the softmax with codes of 16 bits", baseline.FormSoftmax, 16},
	} {
		of := ablation.ExpTimes(t.store, f.form, f.score)
		column := slices.Index(of.Head, fmt.Sprintf("%d keys", t.row))
		least, most := 0.0, 0.0
		for _, r := range of.Rows {
			if column < 1 || !kernel[r[0]] {
				continue
			}
			v, err := strconv.ParseFloat(r[column], 64)
			if err != nil || v <= 0 {
				continue
			}
			if least == 0 {
				least, most = v, v
			}
			least, most = min(least, v), max(most, v)
		}
		if least > 0 {
			parts = append(parts, fmt.Sprintf("%s %.2f to %.2f ns a key, %.1f times", f.what, least, most, most/least))
		}
	}
	if len(parts) == 0 {
		return "No times yet."
	}
	return fmt.Sprintf("From the quickest to the slowest integer exponential with a row kernel, rows of %d keys: %s.", t.row, strings.Join(parts, "; "))
}

// Gated keeps the models whose MLP has a gate and with it a sigmoid. A model that is not here is kept: nothing can be said
// of it.
func (s *Session) Gated(models ...string) []string {
	Check(s.err)
	ctx, stop := interruptible()
	defer stop()
	return slices.DeleteFunc(slices.Clone(models), func(model string) bool {
		return !possible(ctx, s.runner, ablation.Config{"model": model, "recipe": "w8a8-" + quant.StaticSite(artifact.SiteGate)})
	})
}
