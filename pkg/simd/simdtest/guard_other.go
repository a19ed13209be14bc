//go:build !unix

package simdtest

import "testing"

func guarded(_ testing.TB, size int) []byte { return make([]byte, max(size, 1)) }

const protects = false
