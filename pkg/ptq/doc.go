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
//	biases    B_j = round(b_j·2^k_b) below 2^23 with one k_b a vector, the largest that fits
//	q         its scales and its bias take the 1/√d of attention; codes are unchanged.
//	          Where q and k are normed per head, the norm of q takes it instead
//	norms     Γ_c = round(γ_c·√n/f_c · 2^k_Γ), |Γ_c| ≤ 2^23; f is the smoothing
//	          factor of the linears behind the norm; E = round(ε·n·4^k_r).
//	          LayerNorm: β_c = round(β·2^(30+k_Γ)) below 2^59, the same k_Γ for both
//	q/k norms Γ over head_dim, for all heads; (m_ε, k_ε) = fit(ε·d)
//	GLU       α_c = round(2^k_α/f_c) < 2^20 where an act-smooth factor is used
//	RoPE      φ_i = round(2^64·θ_i/2π), θ_i = base^(−2i/d)
//	positions learned rows at the embedding's width, a 16-bit table with emb16
//	residual  k_r = min(18, 28 − ⌈log2 max|h|⌉), from a calibration pass
//
// Rounding is half away from zero throughout. Weights are read as float32 and
// all arithmetic on them is float64 with no fused multiply-add, so the artefact
// of a closed-form method is the same on every machine.
//
// Round-to-nearest (method "rtn") uses the weights as they are: f = 1.
//
// # Other methods
//
// Package smooth folds factors and rotations into the weights before they come here; Smoothed makes an Input of them.
// Γ and the biases have them already; what else is left goes into the artefact:
//
//	clipping   lo = Lo_j·min(0, min W_j), hi = Hi_j·max(0, max W_j), Lo, Hi in (0, 1]
//	rounding   Input.Rounder chooses the codes on these grids; nil rounds to nearest
//	α          gains of the gate, above
//	rotations, range ratios, hash of the factors: fields of the header
//
// # Static grids
//
// StaticCalibrate runs the float model, smoothed and rotated as the integer one will be, and keeps minimum, maximum and the
// 99.9 percentile of |x| of every site, layer and head; Grids makes the constant grids of a static recipe of them. They are
// no part of an artefact: the engine takes them beside it, and one file serves dynamic and static runs.
//
// Source: I-LLM (arXiv:2405.17849), sections on DI-MatMul and DI-Norm; widths
// of M and Γ and the common k_w are the project's own.
package ptq
