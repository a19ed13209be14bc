// Package ptq turns float weights into an integer artefact (post-training
// quantisation). It is the last place where floats live: what it writes holds
// integers only.
//
// # What is computed
//
//	weights   per output channel, asymmetric, range includes 0:
//	          lo = min(0, min W_j), hi = max(0, max W_j), s_j = (hi − lo)/(2^n − 1),
//	          z_j = round(−lo/s_j), code = clamp(round(W/s_j) + z_j, 0, 2^n − 1)
//	scales    M_j = round(s_j·2^k_w) < 2^24 with one k_w a matrix, the largest that fits
//	q         its scales take the 1/√d of attention; codes are unchanged
//	norms     Γ_c = round(γ_c·√n/f_c · 2^k_Γ), |Γ_c| ≤ 2^23; f is the smoothing
//	          factor of the linears behind the norm; E = round(ε·n·4^k_r)
//	GLU       α_c = round(2^k_α/f_c) < 2^20 where an act-smooth factor is used
//	RoPE      φ_i = round(2^64·θ_i/2π), θ_i = base^(−2i/d)
//	residual  k_r = min(18, 28 − ⌈log2 max|h|⌉), from a calibration pass
//
// Rounding is half away from zero throughout. Weights are read as float32 and
// all arithmetic on them is float64 with no fused multiply-add, so the artefact
// of a closed-form method is the same on every machine.
//
// Round-to-nearest (method "rtn") uses the weights as they are: f = 1.
//
// Source: I-LLM (arXiv:2405.17849), sections on DI-MatMul and DI-Norm; widths
// of M and Γ and the common k_w are the project's own.
package ptq
