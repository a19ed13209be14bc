package simdtest

import "unsafe"

var sink int32

// at goes around the bounds check.
func at(p *int32, i int) *int32 { return (*int32)(unsafe.Add(unsafe.Pointer(p), 4*i)) }
