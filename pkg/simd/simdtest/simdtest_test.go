package simdtest

import (
	"runtime/debug"
	"testing"

	"github.com/illm-go/illm/pkg/simd/cpu"
)

func TestGuardedMemoryFaults(t *testing.T) {
	faults := func(f func()) (hit bool) {
		defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
		defer func() { hit = recover() != nil }()
		f()
		return false
	}
	end, start := End[int32](t, 5), Start[int32](t, 5)
	if len(end) != 5 || len(start) != 5 {
		t.Fatalf("lengths %d and %d, want 5", len(end), len(start))
	}
	for i := range end {
		end[i], start[i] = 1, 1
	}
	if !protects {
		t.Skip("no page protection here")
	}
	if !faults(func() { sink = *at(&end[0], 5) }) {
		t.Error("reading behind End did not fault")
	}
	if !faults(func() { sink = *at(&start[0], -1) }) {
		t.Error("reading before Start did not fault")
	}
}

func TestWithRestores(t *testing.T) {
	before := cpu.Limit()
	on := false
	cpu.Register("simdtest", cpu.AVX2, &on)
	With(cpu.Generic, func() {
		if on || cpu.Limit() != cpu.Generic {
			t.Error("path left on")
		}
	})
	if on != (cpu.Has(cpu.AVX2) && before >= cpu.AVX2) || cpu.Limit() != before {
		t.Error("state not restored")
	}
}
