//go:build !unix || aix || solaris

package mmap

import (
	"io"
	"os"
)

// mapFile reads the file: these platforms have no syscall.Mmap.
func mapFile(f *os.File, size int) ([]byte, func([]byte) error, error) {
	data := make([]byte, size)
	if _, err := io.ReadFull(f, data); err != nil {
		return nil, nil, err
	}
	return data, nil, nil
}
