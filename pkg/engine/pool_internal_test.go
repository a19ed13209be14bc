package engine

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Every item is done once, by whoever, however often the pool is called.
func TestPool(t *testing.T) {
	for _, n := range []int{1, 2, 5} {
		p := NewPool(n)
		for round := range 200 {
			items := round % 37
			var mu sync.Mutex
			done := make([]int, items)
			p.Each(items, func(worker, from, to int) {
				mu.Lock()
				defer mu.Unlock()
				if worker < 0 || worker >= n {
					t.Errorf("worker %d of %d", worker, n)
				}
				for i := from; i < to; i++ {
					done[i]++
				}
			})
			for i, times := range done {
				if times != 1 {
					t.Fatalf("%d workers, %d items: item %d done %d times", n, items, i, times)
				}
			}
		}
		p.Close()
		p.Close() // harmless
	}
}

// Close waits for a worker that is still loading weights ahead: whoever closes the artefact next would unmap them under it.
func TestCloseWaits(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(max(2, runtime.GOMAXPROCS(0)))) // workers spin where each has a processor
	p := NewPool(2)
	entered, leave := make(chan bool), make(chan bool)
	var left atomic.Bool
	idle := func(int) bool {
		entered <- true
		<-leave
		left.Store(true)
		return false
	}
	p.idle.Store(&idle)
	var items atomic.Int64
	for { // the worker may have gone to sleep before idle was there
		p.Each(8, func(_, from, to int) { items.Add(int64(to - from)) })
		select {
		case <-entered:
		case <-time.After(time.Millisecond):
			continue
		}
		break
	}
	p.idle.Store(nil) // as at the end of a run
	time.AfterFunc(20*time.Millisecond, func() { close(leave) })
	p.Close()
	if !left.Load() {
		t.Error("closed while a worker was still at its idle work")
	}
	if n := items.Load(); n == 0 || n%8 != 0 {
		t.Errorf("%d items done, expected a multiple of 8", n)
	}
	p.Close() // harmless
}
