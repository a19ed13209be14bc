package sgemm

// Misuse by the caller panics with one of these.
const (
	badShape  = "sgemm: negative dimension"
	badC      = "sgemm: c too short or ldc below the channels"
	badA      = "sgemm: a too short or lda below the depth"
	badPack   = "sgemm: pack: w too short or ldw below its rows"
	badColumn = "sgemm: Columns: bounds not multiples of 64 within the panel"
)
