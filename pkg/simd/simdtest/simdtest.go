// Package simdtest holds what the tests of the packages below pkg/simd share:
// running a test once per instruction set, memory between forbidden pages, and
// edge values.
package simdtest

import (
	"testing"
	"unsafe"

	"github.com/illm-go/illm/pkg/simd/cpu"
)

// Each runs f as a subtest on the generic path and on every path registered for
// package pkg ("" for all packages), with the larger instruction sets switched
// off, and restores the state it found. A path that the machine lacks is
// skipped under its name.
func Each(t *testing.T, pkg string, f func(t *testing.T)) {
	t.Helper()
	before := cpu.Limit()
	defer cpu.SetLimit(before)
	for _, s := range Sets(pkg) {
		t.Run(s.String(), func(t *testing.T) {
			if !cpu.Has(s) {
				t.Skipf("this machine has no %s", s)
			}
			cpu.SetLimit(s)
			f(t)
		})
	}
}

// Sets returns cpu.Generic and the sets registered for pkg ("" for all), rising.
func Sets(pkg string) []cpu.Set {
	sets := []cpu.Set{cpu.Generic}
	for s := cpu.Generic + 1; s <= cpu.Largest; s++ {
		for _, p := range cpu.Paths(pkg) {
			if p.Set == s {
				sets = append(sets, s)
				break
			}
		}
	}
	return sets
}

// With runs f with the instruction sets above s switched off.
func With(s cpu.Set, f func()) {
	before := cpu.Limit()
	defer cpu.SetLimit(before)
	cpu.SetLimit(s)
	f()
}

// Bytes are the values at which unsigned byte arithmetic goes wrong first.
var Bytes = []uint8{0, 1, 2, 127, 128, 129, 254, 255}

// Int8s are the values at which signed byte arithmetic goes wrong first.
var Int8s = []int8{-128, -127, -1, 0, 1, 126, 127}

// Number is what a guarded slice can hold.
type Number interface {
	~int8 | ~uint8 | ~int16 | ~uint16 | ~int32 | ~uint32 | ~int64 | ~uint64 | ~float32
}

// End returns n elements that end at a page which may not be touched, and Start
// n elements that begin behind one: an access beyond either is a fault. Where
// the system has no page protection they are ordinary memory. The memory lives
// until the test ends.
func End[T Number](tb testing.TB, n int) []T {
	size := n * int(unsafe.Sizeof(*new(T)))
	mem := guarded(tb, size)
	return view[T](mem[len(mem)-size:], n)
}

// Start is described at End.
func Start[T Number](tb testing.TB, n int) []T {
	size := n * int(unsafe.Sizeof(*new(T)))
	return view[T](guarded(tb, size), n)
}

func view[T Number](b []byte, n int) []T {
	if n == 0 {
		return nil
	}
	return unsafe.Slice((*T)(unsafe.Pointer(&b[0])), n)
}
