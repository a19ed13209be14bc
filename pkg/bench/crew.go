package bench

import (
	"runtime"
	"sync/atomic"
	"time"
)

// crewSpin is how long a worker looks for work before it sleeps; the engine's pool has the same.
const crewSpin = 50 * time.Microsecond

// crew is a fixed number of workers that live through a measurement, as the engine's do through a session: a product of
// microseconds must not pay for goroutines. The caller is worker 0, takes what others have not begun, and does not wait
// for a worker that the system has not let run.
type crew struct {
	n       int
	now     atomic.Pointer[shift]
	closing atomic.Bool
	beds    []bed // by worker
}

// shift is one call of each. A worker that comes late finds an old one without items and does no harm.
type shift struct {
	run   func(worker, from, to int)
	parts []part
	left  atomic.Int64 // items not done
}

// part is what a worker begins with: first item and end, 32 bits each.
type part struct {
	atomic.Uint64
	_ [56]byte // one cache line each
}

// bed is where a worker waits without a processor.
type bed struct {
	asleep atomic.Bool
	wake   chan struct{}
	_      [48]byte
}

func newCrew(n int) *crew {
	c := &crew{n: n, beds: make([]bed, n)}
	for i := 1; i < n; i++ {
		c.beds[i].wake = make(chan struct{}, 1)
		go c.work(i)
	}
	return c
}

// each calls run(worker, from, to) for disjoint ranges that make up [0, items), at the same time, and returns when all
// have returned.
func (c *crew) each(items int, run func(worker, from, to int)) {
	if c.n == 1 || items < 2 {
		run(0, 0, items)
		return
	}
	s := &shift{run: run, parts: make([]part, c.n)}
	s.left.Store(int64(items))
	for i := range s.parts {
		from, to := items*i/c.n, items*(i+1)/c.n
		s.parts[i].Store(uint64(from)<<32 | uint64(to))
	}
	c.now.Store(s)
	for i := 1; i < c.n; i++ {
		c.rouse(i)
	}
	for s.help(0) {
	}
	for k := 1; s.left.Load() > 0; k++ {
		if k%64 == 0 {
			runtime.Gosched()
		}
	}
}

// help does a quarter of what is left of a part, the worker's own before the others'; false: nothing is left to begin.
// Neighbours go together: a processor reads a matrix on without a pause but takes a while to begin elsewhere.
func (s *shift) help(i int) bool {
	for k := range s.parts {
		p := &s.parts[(i+k)%len(s.parts)]
		for {
			v := p.Load()
			from, to := v>>32, v&(1<<32-1)
			if from >= to {
				break
			}
			n := (to - from + 3) / 4
			if k == 0 && p.CompareAndSwap(v, v+n<<32) { // the owner from the front
				s.run(i, int(from), int(from+n))
			} else if k > 0 && p.CompareAndSwap(v, v-n) {
				s.run(i, int(to-n), int(to))
			} else {
				continue
			}
			s.left.Add(-int64(n))
			return true
		}
	}
	return false
}

// work is the life of worker i.
func (c *crew) work(i int) {
	for last := (*shift)(nil); ; {
		c.await(i, last)
		if c.closing.Load() {
			return
		}
		if last = c.now.Load(); last == nil {
			continue
		}
		for last.help(i) {
		}
	}
}

// await returns when there is another shift than last, or none ever again.
func (c *crew) await(i int, last *shift) {
	ready := func() bool { return c.now.Load() != last || c.closing.Load() }
	start := time.Now()
	for k := 1; !ready(); k++ {
		if k%16 == 0 {
			if time.Since(start) > crewSpin {
				break
			}
			runtime.Gosched()
		}
	}
	for b := &c.beds[i]; !ready(); {
		b.asleep.Store(true)
		if ready() && b.asleep.CompareAndSwap(true, false) {
			return // nobody has sent, or will
		}
		<-b.wake
	}
}

// rouse wakes worker i if it sleeps.
func (c *crew) rouse(i int) {
	if b := &c.beds[i]; b.asleep.Load() && b.asleep.CompareAndSwap(true, false) {
		b.wake <- struct{}{}
	}
}

// close ends the workers.
func (c *crew) close() {
	c.closing.Store(true)
	for i := 1; i < c.n; i++ {
		c.rouse(i)
	}
}
