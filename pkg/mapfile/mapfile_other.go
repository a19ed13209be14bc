//go:build !unix

package mapfile

import (
	"io"
	"os"
)

func openSized(f *os.File, size int) (*File, error) {
	data := make([]byte, size)
	if _, err := io.ReadFull(f, data); err != nil {
		return nil, err
	}
	return &File{Data: data}, nil
}
