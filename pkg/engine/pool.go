package engine

import "sync"

// pool runs one function on a fixed number of workers. The caller is worker 0;
// the others are goroutines that sleep between calls. Nothing is allocated per
// call.
type pool struct {
	n     int
	start []chan struct{}
	done  sync.WaitGroup
	f     func(worker int)
	once  sync.Once
}

func newPool(n int) *pool {
	p := &pool{n: n, start: make([]chan struct{}, n-1)}
	for i := range p.start {
		p.start[i] = make(chan struct{}, 1)
		go func() {
			for range p.start[i] {
				p.f(i + 1)
				p.done.Done()
			}
		}()
	}
	return p
}

// do calls f(0) … f(n−1) at the same time and returns when all have.
func (p *pool) do(f func(worker int)) {
	if p.n == 1 {
		f(0)
		return
	}
	p.f = f
	p.done.Add(p.n - 1)
	for _, c := range p.start {
		c <- struct{}{}
	}
	f(0)
	p.done.Wait()
	p.f = nil // f holds its session, which must not live as long as the goroutines
}

// close ends the goroutines; a second call does nothing.
func (p *pool) close() {
	p.once.Do(func() {
		for _, c := range p.start {
			close(c)
		}
	})
}
