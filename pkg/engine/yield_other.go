//go:build !linux

package engine

import "runtime"

// yield lets another goroutine have this processor, if one waits for it.
func yield() { runtime.Gosched() }
