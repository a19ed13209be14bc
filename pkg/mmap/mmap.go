// Package mmap opens files as read-only byte slices.
//
// On Unix the slice is a shared mapping of the file: opening costs microseconds
// whatever the size, pages are read on first touch, and processes that open the
// same model share them. Elsewhere the file is read into memory; callers cannot
// tell the difference but by time.
//
// The slice must not be written to (a mapping is read-only: a write is a fault)
// and must not be used after Close. A file that another process truncates while
// it is mapped makes later reads fault; model files are replaced by rename, never
// rewritten in place, for that reason.
package mmap

import (
	"fmt"
	"io/fs"
	"os"
	"sync"
)

// File is an open read-only file.
type File struct {
	path    string
	source  *os.File // what Settle reads; nil for an empty file
	data    []byte
	unmap   func([]byte) error
	mu      sync.Mutex
	settled bool // under mu
	once    sync.Once
	err     error
}

// Open maps the regular file at path. An empty file gives an empty slice.
func Open(path string) (*File, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	keep := false
	defer func() {
		if !keep {
			f.Close()
		}
	}()
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !st.Mode().IsRegular() {
		return nil, &fs.PathError{Op: "open", Path: path, Err: fmt.Errorf("expected a regular file, found %s", kind(st.Mode()))}
	}
	size := st.Size()
	if size == 0 {
		return &File{path: path}, nil
	}
	if size != int64(int(size)) {
		return nil, &fs.PathError{Op: "open", Path: path, Err: fmt.Errorf("%d bytes do not fit this platform's address space", size)}
	}
	data, unmap, err := mapFile(f, int(size))
	if err != nil {
		return nil, &fs.PathError{Op: "map", Path: path, Err: err}
	}
	keep = true
	return &File{path: path, source: f, data: data, unmap: unmap}, nil
}

// Bytes is the content. It is valid until Close.
func (f *File) Bytes() []byte { return f.data }

// Path is the name that Open was given.
func (f *File) Path() string { return f.path }

// Close releases the mapping. Closing twice is harmless.
func (f *File) Close() error {
	f.once.Do(func() {
		data := f.data
		f.data = nil
		if f.unmap != nil {
			f.err = f.unmap(data)
		}
		if f.source != nil {
			f.source.Close()
		}
	})
	return f.err
}

func kind(m fs.FileMode) string {
	switch {
	case m.IsDir():
		return "a directory"
	case m&fs.ModeNamedPipe != 0:
		return "a named pipe"
	case m&fs.ModeDevice != 0:
		return "a device"
	}
	return "mode " + m.String()
}
