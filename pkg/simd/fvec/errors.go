package fvec

// Misuse by the caller panics with one of these.
const (
	badLength = "fvec: rows of different lengths"
	badEmpty  = "fvec: row without elements"
)
