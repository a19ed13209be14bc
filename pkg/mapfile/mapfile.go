// Package mapfile opens a file as a read-only byte slice, backed by a memory
// mapping where the system has one and by an ordinary read elsewhere.
//
// Model files and artefacts are read through it: opening costs microseconds
// whatever the size, and the pages are shared between processes. The slice
// must not be written, nor used after Close.
package mapfile

import (
	"fmt"
	"os"
)

// File is an open read-only file. Data is its whole content.
type File struct {
	Data  []byte
	unmap func() error
}

// Open maps the file at path. A file of zero bytes gives an empty Data.
func Open(path string) (*File, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !st.Mode().IsRegular() {
		return nil, fmt.Errorf("open %s: expected a regular file, found %s", path, st.Mode().Type())
	}
	if st.Size() == 0 {
		return &File{}, nil
	}
	if int64(int(st.Size())) != st.Size() {
		return nil, fmt.Errorf("open %s: %d bytes do not fit this system's address space", path, st.Size())
	}
	return openSized(f, int(st.Size()))
}

// Close gives the mapping back. A second call does nothing.
func (f *File) Close() error {
	if f.unmap == nil {
		f.Data = nil
		return nil
	}
	err := f.unmap()
	f.unmap, f.Data = nil, nil
	return err
}
