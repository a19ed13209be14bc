package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/gofrs/flock"
)

// claimEvery is how often a process that waits looks whether the other one is done.
const claimEvery = 100 * time.Millisecond

// claim keeps other processes with the same folder of records from computing what the
// keys name, until release is called: the second to ask waits, and then finds the
// records of the first in its store. Locks are of the operating system and end with
// their process, so one that was killed holds nothing up; its finished windows are in
// the journal. They are taken in the order of their names, which leaves no circle of
// processes that wait for each other.
//
// waited tells whether another process held one of them: what it computed is in the
// store now. A claim that ctx ends holds nothing.
func (r *Runner) claim(ctx context.Context, keys []string) (release func(), waited bool, err error) {
	return r.lock(ctx, keys, func(n int) { r.waiting("waiting for another process that computes the same", n) })
}

// clockKey is what all runs under the clock claim, whatever they time.
const clockKey = "clock"

// claimClock keeps other processes with the same folder of records from taking times, until release is called: two runs
// at once would each measure the other's load. The second waits, and say tells so; nil tells r.Progress.
func (r *Runner) claimClock(ctx context.Context, say func(line string)) (release func(), err error) {
	const why = "waiting for another process that takes times: both at once would disturb each other"
	release, _, err = r.lock(ctx, []string{clockKey}, func(n int) {
		if say != nil {
			say(why)
			return
		}
		r.waiting(why, n)
	})
	return release, err
}

// waiting reports what a lock is waited for.
func (r *Runner) waiting(why string, locks int) {
	if r.Progress != nil {
		r.Progress(Progress{What: why, Total: locks})
	}
}

// lock takes the locks of the keys, in the order of their names, and calls tell with their number before each wait.
func (r *Runner) lock(ctx context.Context, keys []string, tell func(locks int)) (release func(), waited bool, err error) {
	keys = slices.Compact(slices.Sorted(slices.Values(keys)))
	if len(keys) == 0 {
		return func() {}, false, nil
	}
	dir := filepath.Join(r.Store.Dir(), "journal")
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, false, fmt.Errorf("bench: %w: choose a writable folder with ILLM_RECORDS", err)
	}
	var held []*flock.Flock
	release = func() {
		for _, l := range held {
			_ = l.Unlock() // it ends with the process anyway
		}
	}
	for _, key := range keys {
		l := flock.New(filepath.Join(dir, key+".claim"))
		free, err := l.TryLock()
		if err == nil && !free {
			waited = true
			tell(len(keys))
			free, err = l.TryLockContext(ctx, claimEvery)
		}
		if err != nil || !free {
			release()
			if ctx.Err() != nil {
				return nil, waited, ctx.Err()
			}
			return nil, waited, fmt.Errorf("bench: lock %s: %w: choose a folder on a file system with locks with ILLM_RECORDS", l.Path(), errors.Join(err))
		}
		held = append(held, l)
	}
	// Whether or not it waited: another process may have filed them since the store was read.
	if err := r.Store.Reload(); err != nil {
		release()
		return nil, waited, err
	}
	return release, waited, nil
}

// claimMissing claims the variants that no record answers, and looks them up again
// once it has them.
func (r *Runner) claimMissing(ctx context.Context, req QualityRequest, list []*prepared) (release func(), err error) {
	var keys []string
	for _, p := range list {
		if p.found == nil {
			keys = append(keys, p.key)
		}
	}
	release, _, err = r.claim(ctx, keys)
	if err != nil || r.Force || req.NoRecord {
		return release, err // a shard's windows are in the journal, which is read behind this
	}
	for _, p := range list {
		if old, ok := r.Store.Find(p.key); ok && p.found == nil {
			p.found = old
		}
	}
	return release, nil
}
