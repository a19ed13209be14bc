package tape

import (
	"fmt"

	"github.com/gomlx/gomlx/backends"
	"github.com/gomlx/gomlx/pkg/core/dtypes"
	"github.com/gomlx/gomlx/pkg/core/shapes"
)

// Device moves data to and from a backend.
type Device struct{ backends.Backend }

// Put copies values to the device.
func (d Device) Put(flat any, dt dtypes.DType, dims ...int) (backends.Buffer, error) {
	b, err := d.BufferFromFlatData(0, flat, shapes.Make(dt, dims...))
	if err != nil {
		return nil, fmt.Errorf("tape: copy to the device: %w", err)
	}
	return b, nil
}

// Get copies a buffer of float32 to dst, of its size.
func (d Device) Get(b backends.Buffer, dst []float32) error {
	if err := d.BufferToFlatData(b, dst); err != nil {
		return fmt.Errorf("tape: copy from the device: %w", err)
	}
	return nil
}

// Free gives buffers back; nil is skipped.
func (d Device) Free(bs ...backends.Buffer) {
	for _, b := range bs {
		if b != nil {
			_ = d.BufferFinalize(b) // nothing can be done about it; the collector frees it later
		}
	}
}
