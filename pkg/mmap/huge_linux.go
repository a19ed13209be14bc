package mmap

import (
	"bufio"
	"bytes"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
)

const (
	mremapMayMove = 1
	mremapFixed   = 2
	copyBytes     = 4 << 20 // what one goroutine reads at once
)

func settle(source *os.File, data []byte) bool {
	size := len(data)
	if source == nil || size < hugeBytes || !hugePages() || !enough(int64(size)) {
		return false
	}
	span := roundUp(size)
	at, err := anonymous(span)
	if err != nil {
		return false
	}
	// The file's pages leave the resident set first, or its peak would hold both copies; who needs one meanwhile gets it
	// back from the page cache.
	_ = syscall.Madvise(data, syscall.MADV_DONTNEED)
	if !readAll(source, bytesAt(at, size)) {
		munmap(at, span)
		return false
	}
	if _, _, e := syscall.Syscall(syscall.SYS_MPROTECT, at, uintptr(span), syscall.PROT_READ); e != 0 {
		munmap(at, span)
		return false
	}
	// One call under the address space's lock: a reader sees the file's page or the copy's, never neither.
	_, _, e := syscall.Syscall6(syscall.SYS_MREMAP, at, uintptr(span), uintptr(span), mremapMayMove|mremapFixed, addr(data), 0)
	if e != 0 {
		// The kernel may have taken the old mapping away before it found the fault.
		_, _ = mmap(addr(data), size, syscall.PROT_READ, syscall.MAP_SHARED|syscall.MAP_FIXED, int(source.Fd()))
		munmap(at, span)
		return false
	}
	return true
}

// readAll fills dst from the start of source, by several goroutines: the kernel clears a page, then copies into it.
func readAll(source *os.File, dst []byte) bool {
	var next atomic.Int64
	var bad atomic.Bool
	var wg sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), 8) {
		wg.Go(func() {
			for !bad.Load() {
				from := int(next.Add(copyBytes) - copyBytes)
				if from >= len(dst) {
					return
				}
				part := dst[from:min(from+copyBytes, len(dst))]
				if n, _ := source.ReadAt(part, int64(from)); n != len(part) {
					bad.Store(true)
				}
			}
		})
	}
	wg.Wait()
	return !bad.Load()
}

func huge(n int) ([]byte, func() error, error) {
	if n <= 0 {
		return nil, func() error { return nil }, nil
	}
	span := roundUp(n)
	at, err := anonymous(span)
	if err != nil {
		return nil, nil, err
	}
	return bytesAt(at, n), func() error { return munmap(at, span) }, nil
}

// anonymous maps span bytes at a multiple of hugeBytes and asks for huge pages.
func anonymous(span int) (uintptr, error) {
	at, err := reserve(span)
	if err != nil {
		return 0, err
	}
	if _, _, e := syscall.Syscall(syscall.SYS_MPROTECT, at, uintptr(span), syscall.PROT_READ|syscall.PROT_WRITE); e != 0 {
		munmap(at, span)
		return 0, e
	}
	_ = syscall.Madvise(bytesAt(at, span), syscall.MADV_HUGEPAGE) // refused: the memory is as good, only slower
	return at, nil
}

// hugePages reports whether the system hands them out on request.
func hugePages() bool {
	mode, err := os.ReadFile("/sys/kernel/mm/transparent_hugepage/enabled")
	return err == nil && !bytes.Contains(mode, []byte("[never]"))
}

// enough reports whether n bytes leave half as much again free.
func enough(n int64) bool {
	free, ok := Available()
	return !ok || free >= n+n/2
}

// Available returns the bytes that this process can still take without the system's giving up something else than clean file
// pages: what the machine has, and what the control groups of this process leave of it. ok is false where neither is known.
func Available() (n int64, ok bool) {
	if kb, has := field("/proc/meminfo", "MemAvailable:"); has {
		n, ok = kb<<10, true
	}
	if room, limited := groupRoom("/sys/fs/cgroup", "/proc/self/cgroup"); limited && (!ok || room < n) {
		n, ok = room, true
	}
	return n, ok
}

// groupRoom returns what the tightest control group leaves: of those that table, this process's /proc/self/cgroup, names
// below root, and of all around them. A group's clean file pages count as free, because the kernel gives them up first;
// what lies in shared memory does not.
func groupRoom(root, table string) (room int64, limited bool) {
	text, err := os.ReadFile(table)
	if err != nil {
		text = []byte("0::/")
	}
	for line := range strings.Lines(string(text)) {
		part := strings.SplitN(strings.TrimSpace(line), ":", 3) // id:controllers:path
		var base, limit, used, cached, shared string
		switch {
		case len(part) < 3:
			continue
		case part[0] == "0": // version 2
			base, limit, used, cached, shared = root, "memory.max", "memory.current", "file", "shmem"
		case slices.Contains(strings.Split(part[1], ","), "memory"):
			base, limit, used, cached, shared = filepath.Join(root, "memory"), "memory.limit_in_bytes", "memory.usage_in_bytes", "total_cache", "total_shmem"
		default:
			continue
		}
		for at := filepath.Clean("/" + part[2]); ; at = filepath.Dir(at) {
			dir := filepath.Join(base, at)
			most, ok := number(filepath.Join(dir, limit))
			now, ok2 := number(filepath.Join(dir, used))
			if ok && ok2 {
				file, _ := field(filepath.Join(dir, "memory.stat"), cached)
				tmpfs, _ := field(filepath.Join(dir, "memory.stat"), shared)
				left := most - now + max(0, file-tmpfs)
				if !limited || left < room {
					room, limited = left, true
				}
			}
			if at == "/" {
				break
			}
		}
	}
	return room, limited
}

// number reads a file of one integer.
func number(path string) (int64, bool) {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, false
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	return n, err == nil
}

// field reads the integer behind name in a file of lines "name value …".
func field(path, name string) (int64, bool) {
	f, err := os.Open(path)
	if err != nil {
		return 0, false
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		if w := strings.Fields(s.Text()); len(w) > 1 && w[0] == name {
			n, err := strconv.ParseInt(w[1], 10, 64)
			return n, err == nil
		}
	}
	return 0, false
}
