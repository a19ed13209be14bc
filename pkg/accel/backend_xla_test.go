//go:build cgo && ((linux && amd64) || darwin)

package accel

import "github.com/gomlx/gomlx/backends/xla" // registers itself

func init() { xla.EnableAutoInstall(false) }
