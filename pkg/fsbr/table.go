package fsbr

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"

	"github.com/gomlx/gomlx/backends"

	"github.com/illm-go/illm/pkg/tape"
)

// Where the activations between two blocks are.
const (
	OnDevice = "device" // in one buffer a table
	OnDisk   = "disk"   // in one file a table: batches of windows come to the device and go back
)

// table holds a row [T·C] of float32 for each window, in one of both places. The rows are the same bits: a batch is cut
// out of the buffer, or read from the file and copied, and the programs that use it do not know.
type table struct {
	buffer backends.Buffer
	file   *os.File // little-endian
	path   string   // still to be removed; "" where an open file can lose its name
}

// newFile makes an empty file without a name, where the system allows that: it vanishes with the process.
func newFile(dir string) (*table, error) {
	f, err := os.CreateTemp(dir, "fsbr-activations-*.f32")
	if err != nil {
		return nil, fmt.Errorf("activations: %w: name a folder that can be written to", err)
	}
	t := &table{file: f, path: f.Name()}
	if os.Remove(t.path) == nil {
		t.path = ""
	}
	return t, nil
}

// drop gives a table's memory or file back; nil is skipped.
func (r *run) drop(ts ...*table) {
	for _, t := range ts {
		if t == nil {
			continue
		}
		r.dev.Free(t.buffer)
		t.buffer = nil
		if t.file != nil {
			t.file.Close()
			if t.path != "" {
				os.Remove(t.path)
			}
			t.file = nil
		}
	}
}

// row is the length of a window's activations.
func (r *run) row() int { return r.s.window * r.s.c.Hidden }

// readRows fills dst, whole rows, with the rows of the given windows.
func (r *run) readRows(t *table, windows []int, dst []float32) error {
	wide := r.row()
	raw := r.bytes(wide)
	for i, w := range windows {
		if _, err := t.file.ReadAt(raw, int64(w)*int64(len(raw))); err != nil {
			return fmt.Errorf("activations: read window %d of %s: %w", w, t.file.Name(), err)
		}
		for j := range wide {
			dst[i*wide+j] = math.Float32frombits(binary.LittleEndian.Uint32(raw[4*j:]))
		}
	}
	return nil
}

// writeRows puts rows in place from window first on.
func (r *run) writeRows(t *table, first int, rows []float32) error {
	wide := r.row()
	raw := r.bytes(wide)
	for i := 0; i < len(rows); i += wide {
		for j, x := range rows[i : i+wide] {
			binary.LittleEndian.PutUint32(raw[4*j:], math.Float32bits(x))
		}
		if _, err := t.file.WriteAt(raw, int64(first)*int64(len(raw))); err != nil {
			return fmt.Errorf("activations: write window %d of %s: %w: a table needs %.3f GB, up to %d stand side by side: make room, or name another folder; the blocks before stay in the state file, and --resume goes on from them",
				first, t.file.Name(), err, float64(r.plan().Table)/1e9, r.plan().Tables)
		}
		first++
	}
	return nil
}

// bytes is a buffer for a row, values one for the rows of a batch; both are used again.
func (r *run) bytes(wide int) []byte {
	if r.rawRow == nil {
		r.rawRow = make([]byte, 4*wide)
	}
	return r.rawRow
}

func (r *run) values() []float32 {
	if r.batch == nil {
		r.batch = make([]float32, r.o.Batch*r.row())
	}
	return r.batch
}

// pick puts the given windows of every table on the device.
func (r *run) pick(windows []int, tables ...*table) (batch []backends.Buffer, err error) {
	defer func() {
		if err != nil {
			r.dev.Free(batch...)
			batch = nil
		}
	}()
	var at backends.Buffer
	for _, t := range tables {
		if t.file != nil {
			if err := r.readRows(t, windows, r.values()); err != nil {
				return batch, err
			}
			b, err := r.dev.Put(r.values(), tape.F32, len(windows), r.row())
			if err != nil {
				return batch, err
			}
			batch = append(batch, b)
			continue
		}
		if at == nil {
			index := make([]int32, len(windows))
			for i, w := range windows {
				index[i] = int32(w)
			}
			if at, err = r.dev.Put(index, tape.I32, len(index)); err != nil {
				return batch, err
			}
			defer r.dev.Free(at)
		}
		outs, err := r.dev.Run(r.p.gather, t.buffer, at)
		if err != nil {
			return batch, err
		}
		batch = append(batch, outs[0])
	}
	return batch, nil
}

// each calls fn for every batch of windows in order.
func (r *run) each(ctx context.Context, fn func(windows []int) error) error {
	for at := 0; at < len(r.o.Windows); at += r.o.Batch {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		windows := make([]int, r.o.Batch)
		for i := range windows {
			windows[i] = at + i
		}
		if err := fn(windows); err != nil {
			return err
		}
	}
	return nil
}

// collect calls fn for every batch of windows in order and puts the buffers that it returns into one table.
func (r *run) collect(ctx context.Context, fn func(windows []int) (backends.Buffer, error)) (*table, error) {
	if r.disk {
		return r.collectFile(ctx, fn)
	}
	var parts []backends.Buffer
	err := r.each(ctx, func(windows []int) error {
		b, err := fn(windows)
		if err == nil {
			parts = append(parts, b)
		}
		return err
	})
	if err == nil && len(parts) == 1 {
		return &table{buffer: parts[0]}, nil
	}
	defer r.dev.Free(parts...)
	if err != nil {
		return nil, err
	}
	outs, err := r.dev.Run(r.p.concat, parts...)
	if err != nil {
		return nil, err
	}
	return &table{buffer: outs[0]}, nil
}

func (r *run) collectFile(ctx context.Context, fn func(windows []int) (backends.Buffer, error)) (*table, error) {
	t, err := newFile(r.o.Scratch)
	if err != nil {
		return nil, err
	}
	err = r.each(ctx, func(windows []int) error {
		b, err := fn(windows)
		if err != nil {
			return err
		}
		defer r.dev.Free(b)
		if err := r.dev.Get(b, r.values()); err != nil {
			return err
		}
		return r.writeRows(t, windows[0], r.values())
	})
	if err != nil {
		r.drop(t)
		return nil, err
	}
	return t, nil
}

// place decides where the activations are, once the programs are compiled: in files where Plan.Device would be more than
// Memory.
func (r *run) place() error {
	o := r.o
	switch o.Activations {
	case OnDevice:
		return nil
	case OnDisk:
		r.disk = true
	default:
		need := r.plan().Device
		if r.disk = need > o.Memory; r.disk {
			o.Log("%.1f GB on the device would be more than %.1f: activations go to files", float64(need)/1e9, float64(o.Memory)/1e9)
		}
	}
	if !r.disk {
		return nil
	}
	st, err := os.Stat(o.Scratch)
	if err == nil && !st.IsDir() {
		err = errors.New("not a folder")
	}
	if err != nil {
		return fmt.Errorf("fsbr: options: Scratch %q: expected a folder for up to %d files of %.1f GB: %w", o.Scratch, r.plan().Tables, float64(r.plan().Table)/1e9, err)
	}
	r.o.Scratch, err = filepath.Abs(o.Scratch)
	return err
}
