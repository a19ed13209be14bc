package gptq

import (
	"sync"
	"sync/atomic"
)

// parallel calls f(worker, task) once for each task 0 … tasks−1 on up to workers goroutines, which take the tasks in
// order, and returns when all are done. Tasks write disjoint results, so that who takes which changes nothing.
func parallel(workers, tasks int, f func(worker, task int)) {
	workers = min(workers, tasks)
	if workers <= 1 {
		for i := range tasks {
			f(0, i)
		}
		return
	}
	var next atomic.Int64
	work := func(w int) {
		for {
			i := int(next.Add(1)) - 1
			if i >= tasks {
				return
			}
			f(w, i)
		}
	}
	var wg sync.WaitGroup
	for w := 1; w < workers; w++ {
		wg.Go(func() { work(w) })
	}
	work(0)
	wg.Wait()
}
