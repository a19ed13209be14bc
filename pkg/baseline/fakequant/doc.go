// Package fakequant is the float simulation of the integer engine's quantisers: the float reference of package
// floatref in which every tensor that the engine stores as codes is rounded to the values that those codes stand
// for, and everything else stays float32.
//
// It answers one question: how much of the integer engine's loss comes from the widths of the recipe, and how much
// from computing in integers. The engine must stay close to it.
//
// # What is rounded
//
//	tensor (site of floatref)           grid                                              width
//	weights of the block linears        per output channel, asymmetric, 0 in range        n_w
//	inputs of the linears               per token, asymmetric, 0 in range                 n_a
//	  (AttnIn, AttnOut, MLPIn, Product)
//	q after RoPE (Query)                per (head, token), likewise                       n_q
//	k after RoPE, v (Key, Value)        per (KV head, token), likewise                    n_kv
//	gate, up (Gate, Up), gated MLP only per token, likewise                               n_glu
//	scores (Scores)                     distance to the row maximum, clipped at c         n_s
//	final norm's output (HeadIn)        per token                                         n_head
//	head                                per vocabulary row, asymmetric, 0 in range        n_head
//	embedding, learned positions        the same; 16 bits: symmetric per row              n_emb
//
// On a grid of n bits over lo = min(0, min x), hi = max(0, max x):
//
//	s = (hi − lo)/(2^n − 1), z = round(−lo/s), code = sat(z + round(x/s), 0, 2^n − 1), value = (code − z)·s
//
// with halves rounded away from zero. In the OPT family the ReLU stands before the quantiser of Product, whose range
// then starts at 0 (z = 0), and its own input has no codes: Up stays float. A scale does not move a dynamic range, so q
// is rounded before 1/√d, whichever side of it the engine's codes are on. Scores: with m the row maximum and R = min(m − min, c),
// d = round(min(m − s_j, R)·(2^n − 1)/R), value −d·R/(2^n − 1); the softmax does not see the shift by m.
//
// # What is not
//
// Scales are float32 here and have 16-bit mantissas there; RoPE, norms (those of heads too) and the residual grid are
// float32 here: each of these costs the engine less than 10⁻⁴ of a row's magnitude. Biases are float32 here and 24-bit
// integers there: 10⁻⁷ of the largest one. The weights of P×V are float32 here and 15 bits there:
// 5·10⁻⁴ on flat rows of 4096 keys, less on shorter or steeper ones. DI-Exp is larger (up to 6 % of a weight that then
// is normalised) and is no quantiser: Options.Shapes puts its formula, and that of the sigmoid, into the simulation,
// so that what still differs is integer arithmetic alone.
//
// # Measured
//
// SmolLM2-135M (Q4_1 weights, dequantised), first 768 tokens of WikiText-2, c = 15, ln(PPL/PPL of the float model):
// w8a8 0.0105, w6a6 0.2025 (TestPerplexity). The first window of 2048: w8a8 0.0170, w6a6 0.2181.
//
// # Smoothed models
//
// Package smooth folds factors and rotations into the weights; what acts at run time is set in Options: gains of the
// gate (Alpha), online rotations (Before), clipped weights (Clip), chosen codes (Rounder), part of a row's range (Ratio).
//
// Sources: the recipe table and the quantisers of this project's algorithm reference (sections 2, 3.2, 4.4, 7 and 8);
// pseudo-quantisation as in the public code of I-LLM (arXiv:2405.17849), with the range including 0.
package fakequant
