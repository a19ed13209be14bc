package engine

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// spinTime is how long a goroutine looks for work before it sleeps: a little
// longer than what one worker does alone between two products of a decoding
// step. Waking a sleeper takes about as long as reading a matrix.
const spinTime = 50 * time.Microsecond

// tailTime is how long it looks while others are at the last items of the call in flight: who sleeps near its end is
// missing when the next one begins.
const tailTime = 2 * time.Millisecond

// Pool shares items of work out to a fixed number of workers. The caller is
// worker 0; the others are goroutines that spin for a while after their last
// item, then sleep. A call ends when all items are done, whoever did them: the
// caller never waits for a worker that the system has not let run, since it
// takes that worker's items itself. Nothing is allocated per call, and calls come
// one after the other.
type Pool struct {
	n      int
	spin   bool                       // there is a processor for each worker
	run    func(worker, from, to int) // does the items [from, to) of the call in flight
	whole  func(worker int)           // what do was given
	shares []share                    // items nobody has begun, by worker
	left   struct {
		atomic.Int64 // items not done
		_            [56]byte
	}
	sleeps  []sleeper // by worker
	places  places    // where the workers are
	idle    atomic.Pointer[func(worker int) bool]
	closing atomic.Bool
	once    sync.Once
	alive   sync.WaitGroup // the goroutines

	runWhole func(worker, from, to int) // calls whole; made once
}

// share is a worker's part of the items: its owner takes from the front, and who has none left takes from the back.
type share struct {
	left atomic.Uint64 // first item and end, 32 bits each
	_    [56]byte      // one cache line each
}

func (a *share) set(from, to int) { a.left.Store(uint64(from)<<32 | uint64(to)) }

func (a *share) empty() bool {
	v := a.left.Load()
	return v>>32 >= v&(1<<32-1)
}

// take returns the next items, a quarter of what is left: neighbours, since a processor reads a matrix on without a pause
// but takes a while to begin elsewhere.
func (a *share) take(owner bool) (from, to int) {
	for {
		v := a.left.Load()
		first, end := v>>32, v&(1<<32-1)
		if first >= end {
			return 0, 0
		}
		n := (end - first + 3) / 4
		if owner && a.left.CompareAndSwap(v, v+n<<32) {
			return int(first), int(first + n)
		}
		if !owner && a.left.CompareAndSwap(v, v-n) {
			return int(end - n), int(end)
		}
	}
}

// portion is the range of items that worker i of n begins with.
func portion(total, i, n int) (from, to int) { return total * i / n, total * (i + 1) / n }

// sleeper is one goroutine's way of waiting without a processor.
type sleeper struct {
	asleep atomic.Bool
	wake   chan struct{}
	_      [48]byte // one cache line each
}

// NewPool starts the n − 1 goroutines of a pool, n ≥ 1.
func NewPool(n int) *Pool {
	p := &Pool{n: n, shares: make([]share, n), sleeps: make([]sleeper, n), places: newPlaces(n), spin: n <= runtime.GOMAXPROCS(0)}
	p.runWhole = func(worker, _, _ int) { p.whole(worker) }
	for i := range p.sleeps {
		p.sleeps[i].wake = make(chan struct{}, 1)
	}
	for i := 1; i < n; i++ {
		p.alive.Go(func() { p.work(i) })
	}
	return p
}

// Each calls run(worker, from, to) for disjoint ranges that make up [0, items), at the same time, and returns when all
// have returned.
func (p *Pool) Each(items int, run func(worker, from, to int)) {
	if p.closing.Load() {
		panic("engine: used after Close")
	}
	if p.n == 1 || items < 2 {
		run(0, 0, items)
		return
	}
	p.run = run
	p.left.Store(int64(items))
	for i := range p.shares {
		p.shares[i].set(portion(items, i, p.n))
	}
	woken := false
	for i := 1; i < p.n; i++ {
		woken = p.rouse(i, 0) || woken
	}
	if woken && p.spin {
		yield() // who was woken up on this processor moves away from it
	}
	for p.help(0) {
	}
	p.wait(0)
	p.run = nil // it holds its session, which must not live as long as the goroutines
}

// help does some of the items of the call in flight; false: none are left to begin.
func (p *Pool) help(i int) bool {
	for k := range p.n {
		j := i + k
		if j >= p.n {
			j -= p.n
		}
		if from, to := p.shares[j].take(k == 0); from < to {
			p.run(i, from, to)
			if p.left.Add(int64(from-to)) == 0 && i > 0 {
				p.rouse(0, i)
			}
			return true
		}
	}
	return false
}

// work is the life of worker i.
func (p *Pool) work(i int) {
	for p.wait(i) {
		for p.help(i) {
		}
	}
}

// ready reports whether goroutine i has to stop waiting: the caller when all items are done, the others when there are
// items to begin.
func (p *Pool) ready(i int) bool {
	if i == 0 {
		return p.left.Load() == 0
	}
	for j := range p.shares {
		if !p.shares[j].empty() {
			return true
		}
	}
	return p.closing.Load()
}

// wait returns when goroutine i is ready; false: the pool is closed. Whoever makes it ready calls rouse afterwards. Who
// wakes up when others have done the items watches for more before it sleeps again.
func (p *Pool) wait(i int) bool {
	s := &p.sleeps[i]
	for !p.watch(i) {
		s.asleep.Store(true)
		if p.ready(i) && s.asleep.CompareAndSwap(true, false) {
			break // nobody has sent, or will
		}
		p.places.leave(i)
		<-s.wake
		if p.spin {
			p.places.spread(i)
		}
	}
	return !p.closing.Load()
}

// watch reports whether goroutine i is ready. Where there is a processor for each it looks for a while.
func (p *Pool) watch(i int) bool {
	if !p.spin {
		return p.ready(i)
	}
	start := time.Now()
	since := start // when items were last in flight
	for k := 1; ; k++ {
		if p.ready(i) {
			return true
		}
		if f := p.idle.Load(); f != nil && i > 0 && (*f)(i) && k%16 != 0 {
			continue
		}
		if k%16 == 0 {
			now := time.Now()
			if p.left.Load() > 0 && now.Sub(start) < tailTime {
				since = now
			}
			if now.Sub(since) > spinTime {
				return false
			}
			yield()
		}
	}
}

// rouse wakes goroutine i if it sleeps, for worker by, and reports whether it did.
func (p *Pool) rouse(i, by int) bool {
	s := &p.sleeps[i]
	if !s.asleep.Load() || !s.asleep.CompareAndSwap(true, false) {
		return false
	}
	p.places.look(by)
	s.wake <- struct{}{}
	return true
}

// do calls f on every worker that has a processor to run it: f takes its own work and returns when there is none.
func (p *Pool) do(f func(worker int)) {
	p.whole = f
	p.Each(p.n, p.runWhole)
	p.whole = nil
}

// Close ends the goroutines and returns when they are gone: one of them may still be loading weights ahead, which must
// not be unmapped under it. A second call does nothing.
func (p *Pool) Close() {
	p.once.Do(func() {
		p.closing.Store(true)
		p.idle.Store(nil)
		for i := 1; i < p.n; i++ {
			p.rouse(i, 0)
		}
		p.alive.Wait()
	})
}
