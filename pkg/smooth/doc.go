// Package smooth holds the factors that make a model's tensors easier to quantise, and folds them into its weights: the
// transformations of FSBR, of SmoothQuant and OmniQuant as special cases of it, and Hadamard rotations. In real
// arithmetic none of them changes the function of the model.
//
// # Smoothing pairs
//
// A channel that one tensor makes smaller by s, the next makes larger by s. x̂, Ŵ: what is quantised.
//
//	norm → q, k, v        γ/s, W·diag(s)                      qkv       the norm keeps Γ = γ/s at run time
//	norm → gate, up       likewise (OPT: fc1)                 mlp
//	v → o                 W_v/s, W_o·diag(s)                  vo        s per KV head, repeated over its query heads
//	q, k                  W_q/s, W_k·s: (q/s)·(k·s) = q·k     qk        with RoPE one s for a rotary pair (i, i + d/2);
//	                                                                    with head norms (Qwen3) γ_q/s, γ_k·s instead,
//	                                                                    one set for all heads: a norm undoes scaled rows
//	gate, up              W_g·s, W_u/s, σ(g) = σ(ĝ/s)         gate_up   act-smooth: DI-SwiGLU keeps α = 1/s at run time
//	up → down             W_u/s, W_d·diag(s)                  up_down   through OPT's ReLU too, because s > 0
//	δ, LayerNorm only     β − δ and b + Wδ behind it          shift_…   before the norm's division by s: (β − δ)/s
//
// Biases of scaled rows are scaled with them. [Table] is this list as data; Apply, Check and the training of factors
// read it. Each kind is switched off by leaving its vector nil.
//
// # Rotations
//
// H is the Hadamard matrix of [Order], R = H·D/√n with D the random signs of Seed (1 without):
//
//	residual    offline  E·Rᵀ, W_in·diag(γ)·Rᵀ, R·W_out, W_head·diag(γ)·Rᵀ; all γ become 1, the head is untied
//	value_out   offline  (H/√d)·W_v per KV head, W_o·Hᵀ/√d per query head
//	query_key   online   H/√d·q, H/√d·k behind RoPE: their product is unchanged; OPT, without RoPE: offline in W_q, W_k
//	out_proj    online   input of o over all heads; W_o·Hᵀ/√n
//	down        online   input of down; W_d·Hᵀ/√n
//
// A LayerNorm subtracts the mean, which H·D does not keep. For those models R is F·H·D/√n with F the Householder
// reflection that brings R·1 back to 1: mean and variance are then those of the unrotated row. Their β goes into the
// biases behind the norm as W·β; that of the final norm becomes R·(β/γ), since the head has no bias.
//
// # Order
//
// Offline rotations come first, then shifts, then factors in the order of Table, then the counterparts of the online
// rotations. So the factors of a rotated site are those of the rotated channels and both may be used together: factors
// can be trained on a rotated model. (The reference has either–or per site, since γ has to leave the norm for a
// rotation; 1/s may well return to it.)
//
// # Precision and files
//
// Factors act rounded to half precision, which is what a file holds: what ships is what acts. A file is safetensors with
// F16 vectors "model.layers.N.smooth.KIND" and "model.layers.N.LINEAR.clip.lo", ".hi", and Meta in its header, where clip
// values of the softmax by layer may stand too (Factors.Clips): they are no factors and leave the weights alone. A file has
// one form: Hash is the sha256 of the file whether it lies on a disk or not.
//
// Sources: FSBR: I-LLM (arXiv:2405.17849); SmoothQuant (arXiv:2211.10438); OmniQuant (arXiv:2308.13137): shifts,
// q/k, clipping; QuaRot (arXiv:2404.00456), SpinQuant (arXiv:2405.16406): rotations; Paley 1933: H_12 … H_140.
// Departures: one q/k factor for a rotary pair (the published code leaves them free, which changes the function);
// s > 0; R with F for LayerNorm, where the mean is usually folded into the weights.
package smooth
