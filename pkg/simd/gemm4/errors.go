package gemm4

// Misuse by the caller panics with one of these.
const (
	badShape = "gemm4: negative dimension"
	badAcc   = "gemm4: acc too short or ldacc below the padded channels"
	badX     = "gemm4: x too short or ldx below the padded depth"
	badPanel = "gemm4: panel too short or ldp below its depth"
	badPack  = "gemm4: Pack: len(codes) < n*k or len(panel) < PanelBytes(n, k)"
	badCode  = "gemm4: Pack: code above 15"
)
