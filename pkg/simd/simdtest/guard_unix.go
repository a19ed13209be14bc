//go:build unix

package simdtest

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// guarded returns whole pages of at least size bytes between two forbidden
// pages.
func guarded(tb testing.TB, size int) []byte {
	tb.Helper()
	page := os.Getpagesize()
	body := max((size+page-1)/page*page, page)
	mem, err := unix.Mmap(-1, 0, body+2*page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		tb.Fatalf("simdtest: map %d bytes: %v", body+2*page, err)
	}
	tb.Cleanup(func() {
		if err := unix.Munmap(mem); err != nil {
			tb.Errorf("simdtest: unmap: %v", err)
		}
	})
	for _, p := range [][]byte{mem[:page], mem[page+body:]} {
		if err := unix.Mprotect(p, unix.PROT_NONE); err != nil {
			tb.Fatalf("simdtest: forbid a page: %v", err)
		}
	}
	return mem[page : page+body : page+body]
}

const protects = true
