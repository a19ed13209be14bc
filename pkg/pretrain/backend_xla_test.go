//go:build cgo && ((linux && amd64) || darwin)

package pretrain

import _ "github.com/gomlx/gomlx/backends/xla" // registers itself
