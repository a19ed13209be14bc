//go:build !linux

package bench

import "time"

// threadTime is not to be had here.
func threadTime() (time.Duration, bool) { return 0, false }

// load is not known here.
func load() float64 { return 0 }
