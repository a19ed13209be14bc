//go:build cgo && ((linux && amd64) || darwin)

package main

import _ "github.com/gomlx/gomlx/backends/xla" // registers itself
