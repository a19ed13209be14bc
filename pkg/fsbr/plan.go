package fsbr

import (
	"fmt"

	"github.com/illm-go/illm/pkg/tape"
)

// Plan is what a run takes, in bytes.
type Plan struct {
	Table   int64 // the activations of all windows between two blocks
	Tables  int64 // how many of them stand side by side
	Weights int64 // of a block, float32
	Batch   int64 // the activations of a batch
	Step    int64 // what a training step takes beside its inputs and outputs; 0 where the backend does not tell
	Pass    int64 // the same of a forward pass

	Device int64 // all of it with the tables on the device, where a new one is put together from its parts
	Files  int64 // what stays on the device when the tables are files; Table · Tables are on the disk
}

// MakePlan compiles the programs of a run and says what it would take. It reads no weights: Source and the ids of the
// windows may be missing, their number and length count.
func MakePlan(o Options) (Plan, error) {
	o.Source = noSource{}
	r, err := newRun(o)
	if err != nil {
		return Plan{}, err
	}
	defer r.close()
	if r.p, err = r.s.compile(r.o.Backend, r.trains); err != nil {
		return Plan{}, fmt.Errorf("fsbr: %w", err)
	}
	return r.plan(), nil
}

func (r *run) plan() Plan {
	p := Plan{
		Table: 4 * int64(len(r.o.Windows)) * int64(r.s.window) * int64(r.s.c.Hidden), Tables: 3,
		Weights: 4 * blockSize(r.s.c), Batch: 4 * int64(r.o.Batch) * int64(r.row()),
	}
	if r.s.loss.Aug {
		p.Tables = 4
	}
	for _, e := range r.p.passes() {
		p.Pass = max(p.Pass, tape.Scratch(e))
	}
	if r.p.step != nil {
		p.Step = tape.Scratch(r.p.step)
	}
	// Parameters, two moments and rates, and their next values; a batch of every table, and what comes out.
	p.Files = p.Weights + 8*4*int64(r.l.size) + (p.Tables+1)*p.Batch + max(p.Step, p.Pass)
	p.Device = p.Files + (p.Tables+1)*p.Table
	return p
}

// noSource stands where no weights are read.
type noSource struct{}

func (noSource) Float32(name string, _ []float32) ([]float32, error) {
	return nil, fmt.Errorf("fsbr: %s: a plan reads no weights", name)
}
