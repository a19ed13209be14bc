package mmap

import (
	"os"
	"syscall"
	"unsafe"
)

// hugeBytes is the huge page that a mapping is aligned to, so that moving it moves whole entries of the page table.
const hugeBytes = 2 << 20

// mapFile maps f. From one huge page on, the mapping begins at a multiple of hugeBytes and owns the addresses up to the
// next one behind its end: the place that Settle fills.
func mapFile(f *os.File, size int) ([]byte, func([]byte) error, error) {
	if size < hugeBytes {
		data, err := syscall.Mmap(int(f.Fd()), 0, size, syscall.PROT_READ, syscall.MAP_SHARED)
		return data, syscall.Munmap, err
	}
	span := roundUp(size)
	at, err := reserve(span)
	if err != nil {
		return nil, nil, err
	}
	if _, err := mmap(at, size, syscall.PROT_READ, syscall.MAP_SHARED|syscall.MAP_FIXED, int(f.Fd())); err != nil {
		munmap(at, span)
		return nil, nil, err
	}
	return bytesAt(at, size), func([]byte) error { return munmap(at, span) }, nil
}

// roundUp returns n rounded up to whole huge pages.
func roundUp(n int) int { return (n + hugeBytes - 1) &^ (hugeBytes - 1) }

// reserve takes span bytes of address space at a multiple of hugeBytes, without memory behind them.
func reserve(span int) (uintptr, error) {
	all := span + hugeBytes
	at, err := mmap(0, all, syscall.PROT_NONE, syscall.MAP_PRIVATE|syscall.MAP_ANON|syscall.MAP_NORESERVE, -1)
	if err != nil {
		return 0, err
	}
	start := (at + hugeBytes - 1) &^ (hugeBytes - 1)
	if head := int(start - at); head > 0 {
		munmap(at, head)
	}
	if tail := int(at+uintptr(all)-start) - span; tail > 0 {
		munmap(start+uintptr(span), tail)
	}
	return start, nil
}

// bytesAt makes a slice of memory that the Go runtime does not manage.
func bytesAt(at uintptr, n int) []byte {
	return unsafe.Slice(*(**byte)(unsafe.Pointer(&at)), n)
}

func addr(b []byte) uintptr { return uintptr(unsafe.Pointer(unsafe.SliceData(b))) }

func mmap(at uintptr, n, prot, flags, fd int) (uintptr, error) {
	r, _, e := syscall.Syscall6(syscall.SYS_MMAP, at, uintptr(n), uintptr(prot), uintptr(flags), uintptr(fd), 0)
	if e != 0 {
		return 0, e
	}
	return r, nil
}

func munmap(at uintptr, n int) error {
	if _, _, e := syscall.Syscall(syscall.SYS_MUNMAP, at, uintptr(n), 0); e != 0 {
		return e
	}
	return nil
}
