package bench

import (
	"context"
	"math"
	"runtime"
	"time"

	"github.com/illm-go/illm/pkg/peers"
	"github.com/illm-go/illm/pkg/record"
)

// contender is one of several things that take turns under the clock: run does it n times.
type contender struct {
	name    string
	run     func(n int) error
	before  func() error            // each turn, off the clock; may be nil
	sample  func() (float64, error) // measures itself, instead of run; may be nil
	n       int                     // set beforehand: kept
	seconds []float64               // of one, by round
}

// compete times the contenders in turn, warm-up rounds first, the order turning round each time, each repeated for at
// least that long. alone says that they run on the calling goroutine alone: then the clock is the thread's processor
// time where the system has one, which what a busy machine does beside it does not enter.
func compete(ctx context.Context, list []*contender, rounds int, least time.Duration, alone bool) error {
	clock := time.Now
	since := func(t time.Time) time.Duration { return time.Since(t) }
	if alone {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		if _, ok := threadTime(); ok {
			zero := time.Now()
			clock = func() time.Time { t, _ := threadTime(); return zero.Add(t) }
			since = func(t time.Time) time.Duration { return clock().Sub(t) }
		}
	}
	once := func(c *contender) (seconds float64, err error) {
		if c.before != nil {
			if err := c.before(); err != nil {
				return 0, err
			}
		}
		if c.sample != nil {
			return c.sample()
		}
		start := clock()
		err = c.run(c.n)
		return since(start).Seconds(), err
	}
	for _, c := range list { // how often, and the warm-up
		fixed := c.n > 0 || c.sample != nil
		for c.n = max(c.n, 1); ; {
			took, err := once(c)
			if err != nil {
				return err
			}
			if fixed || took >= least.Seconds() || c.n >= 1<<24 {
				break
			}
			c.n = min(max(2*c.n, int(1.2*float64(c.n)*least.Seconds()/(took+1e-9))), 1<<24)
		}
	}
	for round := range rounds {
		for i := range list {
			if err := ctx.Err(); err != nil {
				return err
			}
			c := list[(i+round)%len(list)]
			took, err := once(c)
			if err != nil {
				return err
			}
			c.seconds = append(c.seconds, took/float64(c.n))
		}
	}
	return nil
}

// forever turns a function without an error into a contender's.
func forever(f func()) func(n int) error {
	return func(n int) error {
		for range n {
			f()
		}
		return nil
	}
}

// median is the middle of a contender's times.
func (c *contender) median() float64 { return peers.Result{Seconds: c.seconds}.Spread().Median }

// timing is the metric of a contender's median in parts of a second: 1e9 and "ns", 1e3 and "ms".
func (c *contender) timing(name string, unit string, times float64) record.Metric {
	s := peers.Result{Seconds: c.seconds}.Spread()
	return record.Metric{Name: name, Value: times * s.Median, N: s.N, Unit: unit, Better: record.Lower}
}

// share gives a's time as a part of b's over paired rounds, with its 95 % interval in two metrics more; nothing where
// both are the same.
func share(name string, a, b *contender, better string) []record.Metric {
	if a == b {
		return nil
	}
	r := pair(0, peers.Result{Name: b.name, Seconds: b.seconds}, peers.Result{Name: a.name, Seconds: a.seconds})
	return []record.Metric{
		{Name: name, Value: r.Value, N: r.N, Better: better},
		{Name: name + "_low", Value: r.Low, N: r.N, Better: better},
		{Name: name + "_high", Value: r.High, N: r.N, Better: better},
	}
}

// deviation is the standard error of a share that was counted over n samples.
func deviation(share float64, n uint64) float64 {
	return math.Sqrt(share * (1 - share) / float64(max(n, 1)))
}
