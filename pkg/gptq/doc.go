// Package gptq calibrates a model on pinned tokens with the same bytes on every machine, and rounds its weights by GPTQ.
//
// # What is computed
//
// The decoder blocks of floatref (LLaMA family with grouped heads, RoPE, head norms and biases; OPT), one block at a
// time over all windows, with the activations rounded as the integer engine will round them:
//
//	h ← embedding (at its width)
//	for each block:
//	  range ratios                                      Options.Ratios, from the float weights
//	  x = Q(norm₁ h),   H += x xᵀ  → codes of q, k, v    one Hessian
//	  a = Q(attention), H += a aᵀ  → codes of o          with the quantised q, k, v
//	  h ← h + Ŵ_o a
//	  x = Q(norm₂ h),   H += x xᵀ  → codes of gate, up   one Hessian
//	  y = Q(σ(α·g)·g·u), H += y yᵀ → codes of down       with the quantised gate and up
//	  h ← h + Ŵ_d y
//
// so that every Hessian is of the inputs that the quantised model sees, and no tensor is computed twice for it:
// group after group costs what all groups of a block at once would cost.
//
// GPTQ of a row w on its grid, columns ascending, no reordering:
//
//	H ← H + 0.01·mean(diag H)·I,  H⁻¹ = UᵀU
//	ŵ_i = nearest(w_i),  e = (w_i − ŵ_i)/U_ii,  w_j ← w_j − e·U_ij  (j > i)
//
// Σe² is (w − ŵ)ᵀH(w − ŵ), which ClipLoss minimises over the clipping ratios of a row: 1 … 0.6, in half precision, the
// same for both ends.
//
// # The same bits everywhere
//
// Arithmetic is that of package ordered: float32 products and sums in 16 fixed lanes, float64 chains of rounded
// products, e^x, sin and cos from + − × ÷ √, no fused multiply-add, no map order. Work is split over rows, heads,
// panels of a Hessian, columns of a factor and output channels, never inside a sum. GPTQ's updates reach a weight in
// ascending order of the column, whatever the blocks. Result.Digest is one number on amd64 with each instruction set,
// 386 and arm64 (TestDigest, TestSameBitsEverywhere, TestNoFusedSteps).
//
// Input.Online and Input.Weights are others' code: the promise holds as far as theirs does.
//
// # Range ratios
//
// A ratio ρ in Q15 multiplies the dynamic range [min(0, min x), max(0, max x)] of every row of a site before it is
// requantised; values beyond it saturate. Sites: attn_in, query, key, value, attn_out, mlp_in, gate, up, product.
//
// # What is not there
//
// Of an integer-aware refinement this package has the choice of codes, clipping ratios and range ratios. It has not:
//
//	the clip value c of the scores    one for a recipe, not chosen by layer or head
//	range ratios by integer error     they minimise the squared error of the residual in the float simulation, not what
//	                                  the integer operators (DI-Exp, dyadic scales) add to it
//	learned rounding (AdaRound)       codes come from GPTQ alone, nothing is trained
//	a second pass                     codes of earlier blocks are not changed once later ones are known
//
// # Cost
//
// CPU time at w4a4 on an AVX-512 core (Zen 4) that others used too (go test -bench Block ./pkg/gptq), extrapolated to the
// model:
//
//	model, windows              a window and block   a block   ClipLoss   ratios    all: GPTQ     + ClipLoss, ratios
//	SmolLM2-135M, 32 × 2048     0.55 s               0.6 s     + 2.7 s    + 4.8 s   9.1 CPU-min   13 CPU-min
//	tiny-llama, 32 × 1024       0.10 s               0.2 s     + 0.7 s    + 1.1 s   0.5 CPU-min   0.8 CPU-min
//
// so that two free cores need 6.5 minutes for SmolLM2. The float forward alone, ten blocks of SmolLM2 on two windows,
// takes 6.2 CPU-s in the fixed order and 5.9 in floatref with fused steps: 5 to 8 % more. (Products of the linears' shapes
// run at 84 to 90 % of the fused rate, those of the depth of a head at 59 %: package ordered.)
//
// # Measured
//
// No figure stands here, because no record would keep it true. What rounding by GPTQ is worth against rounding to nearest,
// in integers, is the study "rotation" (rows rtn, gptq, rotate, best):
//
//	illm study show rotation --model tiny-llama
//
// and ClipPlain, ClipLoss and the range ratios one by one, each with its paired error, are printed by
//
//	ILLM_TEST_LONG=8 go test -run TestPerplexity -v ./pkg/gptq      in float simulation, 8 windows, some minutes
//	ILLM_TEST_ENGINE=8 go test -run TestEngine -v ./pkg/gptq        in the integer engine
//
// # Map
//
//	input.go      Input, Options, their checks      calibrate.go  the loop over blocks
//	weights.go    blocks, embedding                 forward.go, attention.go, elementwise.go  the pass
//	grid.go       rounding of activations, grids of weights
//	hessian.go    H        factor.go   U            round.go      GPTQ and clipping
//	ranges.go     range ratios                      maxima.go     statistics for SmoothQuant
//	result.go     Result: codes for ptq, digest
//
// Sources: Frantar et al. 2022 (GPTQ, arXiv:2210.17323); the rules of the float path in section 12 of the project's
// algorithm reference. Departures from GPTQ's code: inputs are quantised; the grid includes 0; no groups, no
// reordering; the inverse is factored by one Cholesky factorisation of the reversed H.
package gptq
