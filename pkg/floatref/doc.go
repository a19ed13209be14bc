// Package floatref is the float32 forward pass of the LLaMA and OPT families: the model that the integer engine is measured against.
//
// # What is computed
//
// For token ids t_0 … t_{T−1} and every position p (x: row of a token; W: [out, in]):
//
//	h   = E[t_p]                                     embedding row       site
//	for each block l:
//	  x = h / √(mean(h²) + ε) · γ₁                   RMSNorm             AttnIn
//	  q = RoPE(W_q x), k = RoPE(W_k x), v = W_v x    per head            Query, Key, Value
//	  s_j = q·k_j / √d,  j ≤ p                       scores              Scores
//	  o = Σ_j softmax(s)_j v_j                       heads side by side  AttnOut
//	  h = h + W_o o                                                      ResidualMid
//	  x = h / √(mean(h²) + ε) · γ₂                                       MLPIn
//	  g = W_g x, u = W_u x                                               Gate, Up
//	  h = h + W_d (g·σ(g)·u)                                             Product, Residual
//	logits = W_head (h / √(mean(h²) + ε) · γ)                            HeadIn
//
// Query head i reads KV head i div (heads/KV heads). RoPE turns the pair (i, i + d/2) by p·θ^(−2i/d).
// The angle is formed in float32 as in the transformers library, the reference of the fixtures.
//
// Where the configuration says so (model.Config), the LLaMA family also has
//
//	QKVBias, OutBias, MLPBias   W x + b for W of {q, k, v}, {o}, {gate, up, down}
//	HeadNorm                    q = RoPE(RMSNorm(W_q x, γ_q)), k likewise with γ_k: one γ of [head_dim] for all heads (Qwen3)
//
// and the OPT family differs in
//
//	h = E[t_p] + P[p]                                learned positions: a session ends where they end
//	x = (h − mean(h)) / √(var(h) + ε) · γ + β        LayerNorm, all three; mean and variance in float64
//	q = W_q x + b_q, k = W_k x + b_k                 no RoPE; b_k cancels in the softmax and is added all the same
//	h = h + W_d max(0, W_u x + b_u) + b_d            no gate: site Up before, Product behind the ReLU, Gate is not seen
//
// Each bias is added to a part of a product's channels as soon as that part is there.
//
// # Order of work
//
// A call of more than 64 tokens is cut into row blocks of 64 positions, the unit of the KV cache too:
//
//	phase 0      embedding, then norm, q, k, v of block 0            any row block, any worker
//	phase l      attention, o, MLP of block l−1; norm, q, k, v of l  all keys of phase l−1 are there
//	phase L      attention, o, MLP of block L−1; final norm; head
//
// so that one barrier a block of the model is enough. The worker that computes the rows of a row block
// packs its keys and values for the matrix product; nobody else writes that part of the cache.
// A shorter call (generation) has too few rows to share out: there every product is split by output channels and
// the attention by KV head instead.
//
// # Watching and changing
//
// A Tap sees every tensor named at the right above and may change it in place: statistics for calibration
// (Stats) and the float simulation of the integer quantisers (package baseline/fakequant) are both taps.
//
// # Accuracy
//
// Against transformers in float32 the logits of random-weight models of both families (LLaMA with and without biases,
// Mistral, Qwen2, Qwen3, OPT) differ by at most 6e-6, 2e-5 being allowed (TestTinyModels, TestRandomModels).
// Against transformers in float32 on SmolLM2-135M (Q4_1 weights, dequantised) the largest difference of a logit is
// 7e-5 over the fixtures in testdata, 1e-3 being allowed (TestSmolLM2); the perplexity of the first six windows of
// 2048 tokens of WikiText-2 is 22.06012 for both (TestWikiText2). What is left comes from the order of sums and
// from e^x (2·10⁻⁷).
// Neither the number of workers nor the split of a sequence into calls changes a bit of the logits (TestSplits):
// each sum runs over the same terms in the same order. Instruction sets may differ in the last bits (package sgemm).
//
// Sources: Touvron et al. 2023 (LLaMA), Su et al. 2021 (RoPE), Shazeer 2020 (SwiGLU), Ainslie et al. 2023 (GQA),
// Zhang et al. 2022 (OPT), Ba et al. 2016 (LayerNorm), Yang et al. 2025 (Qwen3: head norms).
package floatref
