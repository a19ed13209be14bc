package fsbr

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/illm-go/illm/pkg/smooth"
)

// ErrPaused says that a run stopped before its end: the same call goes on from the last block that was done.
var ErrPaused = errors.New("fsbr: paused")

// saved is the state file, JSON: what the run must have been asked for, and the blocks that are done. Activations are
// not in it: they are computed again from the factors by forward passes, which take about 1/60 of the time of training
// (20 epochs of three passes each), and come out with the same bits on a deterministic backend.
type saved struct {
	Asked  map[string]string  `json:"asked"`
	Blocks []smooth.Block     `json:"blocks"`
	Ranges []map[string]int32 `json:"ranges"`
	Done   []Line             `json:"done"` // the line of each block
}

// load reads the state file; without one nothing is done yet.
func (r *run) load() (saved, error) {
	s := saved{Asked: r.asked}
	if r.o.State == "" {
		return s, nil
	}
	raw, err := os.ReadFile(r.o.State)
	if errors.Is(err, os.ErrNotExist) {
		return s, nil
	}
	fail := func(format string, args ...any) (saved, error) {
		return saved{}, fmt.Errorf("fsbr: resume from %s: "+format+": use the same settings, or begin anew with --force", append([]any{r.o.State}, args...)...)
	}
	if err != nil {
		return saved{}, fmt.Errorf("fsbr: resume: %w", err)
	}
	var found saved
	if err := json.Unmarshal(raw, &found); err != nil {
		return fail("not a state file: %w", err)
	}
	var keys []string
	for k := range r.asked {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, k := range keys {
		if found.Asked[k] != r.asked[k] {
			return fail("%s is %q in the file, %q is asked for", k, found.Asked[k], r.asked[k])
		}
	}
	if len(found.Blocks) > r.o.Config.Layers || len(found.Done) != len(found.Blocks) || len(found.Ranges) != len(found.Blocks) {
		return fail("%d blocks of a model of %d", len(found.Blocks), r.o.Config.Layers)
	}
	// Check wants a factor set of a whole model.
	whole := smooth.Factors{Blocks: slices.Clone(found.Blocks)}
	for len(whole.Blocks) < r.o.Config.Layers {
		whole.Blocks = append(whole.Blocks, smooth.Block{})
	}
	if err := whole.Check(r.o.Config); err != nil {
		return fail("%w", err)
	}
	return found, nil
}

// save writes the state file.
func (r *run) save() error {
	if r.o.State == "" {
		return nil
	}
	raw, err := json.Marshal(r.state)
	if err == nil {
		err = replace(r.o.State, append(raw, '\n'))
	}
	if err != nil {
		return fmt.Errorf("fsbr: save state: %w: make room, or the folder writable; the blocks before stay in the file, and --resume goes on from them", err)
	}
	return nil
}
