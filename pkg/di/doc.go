// Package di holds the dynamic integer-only operators of I-LLM: everything a decoder block computes between two matrix
// products, on int32 and int64 rows, without a float. Matrix products themselves are in simd/gemm and simd/gemm4; the
// engine calls the two in turn.
//
// # Notation
//
//	T, acc        rows before and behind the scale of a channel: acc = Σ(X−z)(w−z_w), T = acc·M
//	(m, k)        the dyadic scale m/2^k of a whole row, m of 16 bits; (m, k) beside a row is its unit
//	lo, hi        min(0, min row), max(0, max row): the range a requantisation takes. Scores has the plain ones
//	X, z          codes and zero point: value = (X − z)·m/2^k
//	e             numerators of the softmax, Q30: 2^30 is 1
//	N             probabilities, 15 bits, divided by their own sum ΣN
//	h             residual stream, int32 on the one grid 2^−k_r of a model
//	Qn            n fraction bits
//
// # Path of a block
//
//	h ─ Norm ─ X ─ gemm q,k,v ─ Accumulate ─ T ─┬─ RoPE.Rotate ─ Requant ─ Q, K'
//	                                            └───────────────── Requant ─ V'
//	Q,K' ─ gemm ─ Scores ─ S ─ Softmax ─ e ─ Weights ─ N ─ gemm with V' ─ Merge ─ U ─ Requant ─ X
//	rotated sites: Hadamard between RoPE and Requant, Merge and Requant, SwiGLU or ReLU and Requant
//	OPT: no RoPE; biases in Accumulate; h ─ Norm ─ X ─ gemm up ─ Accumulate ─ ReLU ─ X ─ gemm down
//	X ─ gemm o ─ Accumulate ─ T ─ AddResidual ─ h
//	h ─ Norm ─ X ─ gemm gate,up ─ Accumulate ─ Requant ─ SwiGLU ─ X ─ gemm down ─ Accumulate ─ AddResidual ─ h
//	h ─ Norm ─ X ─ gemm head ─ Accumulate ─ T: logits ─ Argmax, Sampler, LogitHash
//
// # Map
//
//	accumulate.go  Accumulate       DI-MatMul's correction, channel scale and bias
//	requant.go     Requant          dynamic quantisation of a row: one division
//	ratio.go       Ratio, Product   the same over a part of the range; what precedes down_proj
//	static.go      Static, Site     the same on a constant grid from calibration (ablation A)
//	published.go   WeightsPublished and the literal formulas of mode "published"
//	hadamard.go    Hadamard         rotation of a row by ±1: sums and differences, 1/√n in the scale
//	rope.go        RoPE             tables by CORDIC from 64-bit phases, rotation at 16 bits
//	scores.go      Keys, Scores     query·key on one scale a row
//	softmax.go     Softmax          DI-ClippedSoftmax: clip, codes, numerators
//	exp.go         Exp, ExpPlus     DI-Exp and its quadratic form
//	values.go      Weights, Merge   probabilities folded with the values' scales, heads merged
//	norm.go        NormRow          DI-RMSNorm, DI-LayerNorm; HeadNorm for q and k
//	swiglu.go      SwiGLU           DI-SwiGLU with a two-branch sigmoid
//	relu.go        ReLU             max(T, 0) before its requantisation
//	residual.go    AddResidual      DI-Add
//	embed.go       Embed            embedding and position rows on the residual grid
//	sampler.go     Sampler          greedy, temperature, top-k, top-p from integer logits
//	hash.go        LogitHash        one number for "same bits"
//	operators.go   Operators        the interface that an ablation replaces, and its integer form
//
// # Order and bits
//
// Every reduction is an integer sum, minimum or maximum, so any order and any split gives the same bits: rows may be
// shared out over workers freely, a token's result does not depend on its batch, and prefill equals decode. What a row
// needs to know of itself (range, clip, sum) it knows before its codes are made, hence the passes: Scores over all
// visible keys, then Softmax, then Weights. Masked positions are not computed; no sentinel value exists.
//
// # Bounds
//
//	K ≤ MaxDepth = 33 025 for int32 accumulators of 8-bit codes    |T| < 2^55, with a bias 2^60
//	keys ≤ MaxKeys = 65 535                                        |S| < 2^56, W < 2^46, ΣW < 2^62
//	channels of a norm ≤ MaxNorm = 16 384                          |v| < 2^54
//	head dimension ≤ 256                                           SwiGLU's product < 2^31, at 16 bits 2^47
//
// Row operators allocate nothing, start no goroutine and panic only on misuse (errors.go); model data that could break a
// bound is refused when the artefact is opened.
//
// # Sources
//
// I-LLM, arXiv 2405.17849 (DI-MatMul, DI-ClippedSoftmax, DI-Exp, DI-SwiGLU, DI-Norm); I-BERT and I-ViT for the integer
// softmax and square root; gemmlowp for multiply-and-shift. The paper's integer operators were never released: each
// function says where it departs from the printed form, and why. The main ones: B = 16 mantissas, one rounding in a
// requantisation, guard bits in DI-Exp, 15-bit sum-normalised probabilities, a sigmoid without a row maximum, an int32
// residual and a norm that reads it unquantised.
package di
