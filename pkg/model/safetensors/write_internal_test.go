package safetensors

import (
	"io"
	"os"
	"strings"
	"syscall"
	"testing"
)

// fullDisk takes n bytes and then no more.
type fullDisk struct{ n int }

func (d *fullDisk) Write(b []byte) (int, error) {
	if len(b) > d.n {
		return d.n, &os.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC}
	}
	d.n -= len(b)
	return len(b), nil
}

// TestWriteFullDisk: wherever the disk fills up, the error comes out and says what to do.
func TestWriteFullDisk(t *testing.T) {
	tensors := []NamedTensor{{Name: "a", Type: "F32", Shape: []int{70000}, Values: make([]float32, 70000)}}
	header, size, err := writeHeader(nil, tensors)
	if err != nil {
		t.Fatal(err)
	}
	for _, room := range []int{0, len(header) - 1, len(header), len(header) + 1<<18, int(size) - 1} {
		err := advise(writeAll(&fullDisk{room}, header, tensors), size)
		if err == nil || !strings.Contains(err.Error(), "no space left on device: the file takes 280104 bytes, make room") {
			t.Errorf("room for %d of %d bytes: %v", room, size, err)
		}
	}
	if err := writeAll(&fullDisk{int(size)}, header, tensors); err != nil {
		t.Errorf("room enough: %v", err)
	}
	if err := writeAll(io.Discard, header, tensors); err != nil {
		t.Error(err)
	}
}
