//go:build linux && (amd64 || arm64)

package engine

import (
	"runtime"
	"sync/atomic"
	"syscall"
	"unsafe"
)

// places holds, by worker, the processor where it was when it last looked, plus 1; 0: it sleeps, or is not known.
//
// The kernel of a virtual machine takes an idle processor for one that its host has given to somebody else. So it wakes a
// thread on the processor of whoever wakes it, and the two may share that one for tens of milliseconds beside an idle one: a
// product of matrices at the speed of a single worker. A worker that wakes up where another is therefore moves on.
type places []atomic.Int32

func newPlaces(n int) places { return make(places, n) }

// cpuSet is a set of processors. The kernel tells none where it has room for more of them, and then nobody moves.
type cpuSet [1024 / 64]uint64

// call gets or sets the processors that this thread may run on; false: the system does not allow it.
func (s *cpuSet) call(number uintptr) bool {
	_, _, err := syscall.RawSyscall(number, 0, unsafe.Sizeof(*s), uintptr(unsafe.Pointer(s)))
	return err == 0
}

// sysGetcpu is a system call that package syscall does not list for amd64.
var sysGetcpu = map[string]uintptr{"amd64": 309, "arm64": 168}[runtime.GOARCH]

// look notes where worker i is, and returns it plus 1; 0: not known.
func (p places) look(i int) int32 {
	var cpu uint32
	at := int32(0)
	if _, _, err := syscall.RawSyscall(sysGetcpu, uintptr(unsafe.Pointer(&cpu)), 0, 0); err == 0 && cpu < 8*uint32(unsafe.Sizeof(cpuSet{})) {
		at = int32(cpu) + 1
	}
	p[i].Store(at)
	return at
}

// leave notes that worker i goes to sleep.
func (p places) leave(i int) { p[i].Store(0) }

// shared reports whether another worker than i is at the place at.
func (p places) shared(i int, at int32) bool {
	for j := range p {
		if j != i && at > 0 && p[j].Load() == at {
			return true
		}
	}
	return false
}

// spread moves worker i, which calls it when it wakes up, away from the processor of another worker to one where none is,
// if there is one that it may use. Where its thread may run is afterwards as it was.
func (p places) spread(i int) {
	if !p.shared(i, p.look(i)) {
		return
	}
	runtime.LockOSThread() // the thread that is narrowed is the one that is restored
	defer runtime.UnlockOSThread()
	var all cpuSet
	if !all.call(syscall.SYS_SCHED_GETAFFINITY) {
		return
	}
	free := all
	for j := range p {
		if c := p[j].Load() - 1; c >= 0 {
			free[c/64] &^= 1 << (c % 64)
		}
	}
	if free != (cpuSet{}) && free.call(syscall.SYS_SCHED_SETAFFINITY) {
		p.look(i)
		all.call(syscall.SYS_SCHED_SETAFFINITY)
	}
}
