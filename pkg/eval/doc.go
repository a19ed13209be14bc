// Package eval scores language models on text: perplexity, divergence from a base
// model on the same tokens, and the answers to zero-shot questions.
//
// # Protocol
//
// The tokens x_0 … of a text are cut into ⌊tokens/W⌋ windows of W tokens; the
// rest is dropped (the GPTQ protocol, algorithm reference, section 12). A model
// starts each window from an empty cache and predicts its tokens 1 … W−1 from
// those before them: W−1 predictions a window. With natural logarithms
//
//	NLL_w   = −1/(W−1) · Σ_t ln p(x_t | x_<t)        one window
//	PPL     = exp(mean_w NLL_w)                      token perplexity
//
// A perplexity without its window length and number of windows means nothing;
// results carry both.
//
// # Against a base model
//
// [Run] scores any number of variants against one pass of a base model: per
// position t, with base distribution p and variant q over the vocabulary,
//
//	KL_t  = Σ_v p(v)·(ln p(v) − ln q(v))             nats
//	Δp_t  = q(x_t) − p(x_t)                          the target's probability
//	same  : argmax q = argmax p                      ties: lowest token id
//
// and over windows the difference of NLL, paired window by window:
//
//	ln(PPL/PPL_base) = mean_w (NLL_w − NLL_w,base)
//
// whose standard error is far smaller than that of either perplexity, because
// hard windows are hard for both models.
//
// # Arithmetic
//
// Logits arrive as float32, shifted by any constant. For a row x with maximum m
//
//	lse = m + ln Σ exp(x_v − m),    NLL = lse − x_target
//
// in float64. One pass of the base leaves p as float32 [W−1, V] (400 MB for 2047
// × 49,152; allocated once) and per position, from these same rounded p, with m
// the row's largest logit and L = lse − m,
//
//	D  = Σ p·(x_base − m_base),   S = Σ p
//	KL = D − Σ p·(x_q − m_q) + S·(L_q − L_base)
//
// so that a variant costs one exponential and one product an element in one pass
// over its row, and a model compared with itself differs in nothing. The rounding
// of p adds at most 2^-23·Σ p·|ln p − ln q|; p below e^-76 of the largest is 0.
// The exponential errs by less than 2^-46 of its value.
//
// # The same bits every time
//
// The callback of [LM] may run for many positions at once. Each position's
// numbers are stored by position and summed in order afterwards, so a result
// depends neither on the number of threads nor on which of them was first. (On
// another architecture the compiler may fuse products and sums: the last bits of
// a float64 then differ, not the digits that are shown.)
//
// # Questions with choices
//
// [Choose] asks a model the questions of package tasks: for choice j of a question
//
//	LL_j = Σ_t ln p(x_t | x_<t)       t over the tokens of its continuation
//
// the row's logarithm of Σ exp as above, the sum in float64 and in the tokens' order.
// Choices whose tokens begin alike share the work: equal inputs and inputs that
// begin others are one pass, and a model that is a [Brancher] runs a common context
// once. What a model promises (a position's bits depend on the tokens up to it
// alone) makes the scores the same either way. [ScoreTask] turns answers into
// accuracies ± standard error, [Compare] two models' into a paired difference and
// McNemar's exact test, [ZeroShotMetrics] into a record's metrics; [Ask] and
// [ZeroShot] do it for a list of tasks. A model that is a [Chooser] takes many
// questions at a time and returns the sums itself.
//
// Proof: testdata/harness.py runs lm-evaluation-harness itself; on 250 items of each task
// the log-likelihoods of tiny-llama in float32 lie within 2.9e-4 of its own, and all
// predictions are the same (TestHarness).
//
// # Interruptions
//
// With Options.Journal each finished (window, variant) is one line in a file
// named by the hash of variant, base, tokens and window length. A run that was
// stopped, or one that asks for more windows, starts from those lines; a line
// torn by a crash counts as not done. Questions are kept in the same way, at
// least once a second, by the hash of their tokens.
//
// Sources: Frantar et al., GPTQ (arXiv:2210.17323), for the protocol; the set of
// divergence statistics is that of llama.cpp's perplexity tool. Departure: the
// standard errors here are over windows, not over tokens, since neighbouring
// tokens are not independent.
package eval
