package fsbr

import (
	"bufio"
	"os"
	"strconv"
	"strings"

	"github.com/gomlx/gomlx/backends"
	"github.com/gomlx/gomlx/pkg/core/dtypes"
	"github.com/gomlx/gomlx/pkg/core/shapes"

	"github.com/illm-go/illm/pkg/tape"
)

// device counts what lies on a backend. Everything of a run goes through it.
//
// live is the sum of the buffers that were put or came out of a program and were not freed; peak its maximum, a running
// program's outputs and scratch (tape.Scratch: 0 where the backend does not tell) included. An allocator may hold more.
type device struct {
	tape.Device
	live, peak int64
	sizes      map[backends.Buffer]int64
	scratch    map[backends.Executable]int64
}

func newDevice(b backends.Backend) *device {
	return &device{Device: tape.Device{Backend: b}, sizes: map[backends.Buffer]int64{}, scratch: map[backends.Executable]int64{}}
}

// add counts a buffer.
func (d *device) add(b backends.Buffer, s shapes.Shape) {
	size := int64(s.Memory())
	d.sizes[b] = size
	d.live += size
	d.peak = max(d.peak, d.live)
}

// Put copies values to the device.
func (d *device) Put(flat any, dt dtypes.DType, dims ...int) (backends.Buffer, error) {
	b, err := d.Device.Put(flat, dt, dims...)
	if err == nil {
		d.add(b, shapes.Make(dt, dims...))
	}
	return b, err
}

// Run executes a program; its inputs stay.
func (d *device) Run(e backends.Executable, in ...backends.Buffer) ([]backends.Buffer, error) {
	outs, err := e.Execute(in, nil, 0)
	if err != nil {
		return nil, err
	}
	scratch, ok := d.scratch[e]
	if !ok {
		scratch = tape.Scratch(e)
		d.scratch[e] = scratch
	}
	for i, s := range e.Outputs() {
		d.add(outs[i], s)
	}
	d.peak = max(d.peak, d.live+scratch)
	return outs, nil
}

// Free gives buffers back; nil is skipped.
func (d *device) Free(bs ...backends.Buffer) {
	for _, b := range bs {
		if b != nil {
			d.live -= d.sizes[b]
			delete(d.sizes, b)
		}
	}
	d.Device.Free(bs...)
}

// hostPeak is the largest resident set of this process so far in bytes, 0 where the system does not tell (not Linux).
func hostPeak() int64 {
	f, err := os.Open("/proc/self/status")
	if err != nil {
		return 0
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		if v, ok := strings.CutPrefix(s.Text(), "VmHWM:"); ok {
			n, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(v), "kB")), 10, 64)
			if err != nil {
				return 0
			}
			return n << 10
		}
	}
	return 0
}
