//go:build !linux

package mmap

import "os"

func settle(*os.File, []byte) bool { return false }

func huge(n int) ([]byte, func() error, error) {
	return make([]byte, max(n, 0)), func() error { return nil }, nil
}

// Available is not known here.
func Available() (n int64, ok bool) { return 0, false }
