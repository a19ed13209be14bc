package ordered

// Misuse by the caller panics with one of these.
const (
	badLength = "ordered: slices of different lengths"
	badShape  = "ordered: negative dimension"
	badC      = "ordered: c too short or ldc below the outputs"
	badA      = "ordered: a too short or lda below its rows"
	badW      = "ordered: w too short or ldw below the depth"
	badB      = "ordered: b too short or ldb below its rows"
)
