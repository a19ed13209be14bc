package gemm

// Misuse by the caller panics with one of these.
const (
	badShape = "gemm: negative dimension"
	badAcc   = "gemm: acc too short or ldacc below the padded channels"
	badX     = "gemm: x too short or ldx below the padded depth"
	badPanel = "gemm: panel too short or ldp below its depth"
	badPack  = "gemm: Pack: len(w) < n*k or len(panel) < PanelBytes(n, k)"
)
