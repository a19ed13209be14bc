package engine

import "syscall"

// yield lets another thread have this processor, if one waits for it: two workers may have been put on the same one.
// It costs a fifth of a microsecond where none waits.
func yield() { syscall.RawSyscall(syscall.SYS_SCHED_YIELD, 0, 0, 0) }
