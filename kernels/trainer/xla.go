//go:build cgo && ((linux && amd64) || darwin)

package main

import "github.com/gomlx/gomlx/backends/xla" // registers itself

// Nothing is fetched over the network behind the user's back.
func init() { xla.EnableAutoInstall(false) }
