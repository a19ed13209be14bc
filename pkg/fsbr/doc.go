// Package fsbr finds smoothing factors and weight-clipping ratios by block reconstruction: fully-smooth block
// reconstruction of I-LLM (arXiv:2405.17849) with the quantisers of the integer engine, and OmniQuant (arXiv:2308.13137)
// and SmoothQuant (arXiv:2211.10438) as special cases of the same code. The result is a smooth.Factors, from which
// package ptq makes integer weights. It runs on GoMLX's backends through package tape.
//
// # What is trained
//
// One decoder block after another, for weights W [out, in] and a factor s > 0 per channel of every kind in smooth.Table:
//
//	kind                  parameter        start                      learning rate
//	norm → linears, v → o,
//	up → down             θ = ln s         max|x|^½ / max|W|^½        0.005
//	q/k, gate/up          θ                s = 1                      0.005
//	shifts (OPT)          δ                mean of (max + min)/2      0.005
//	clipping ratios       logit of r       4 (r = 0.982)              0.01
//	range ratios (ours)   logit of 2r − 1  4 (r = 0.991)              0.01
//
// Every kind can be switched off (Options.Kinds); range ratios, one for each site of a block, are off unless asked for.
// Options.Rotation puts Hadamard matrices in front of everything (smooth.Rotation): the offline ones are in the
// weights that a block begins with, the online ones are products in its graph. The target of a block is what the float block makes of the float
// blocks' outputs; its input is what the quantised blocks before it gave. AdamW without decay, windows in a new order
// each epoch, the parameters of the epoch with the lowest mean loss are kept; the initial ones if those are better.
//
// # What is rounded
//
//	weights of the linears    per output channel, n_w, range times the clipping ratios
//	inputs of the linears     per token, n_a
//	q, k after RoPE, v        per (head, token), n_q and n_kv
//	gate, up                  per token, n_glu
//	scores                    distance to the row's maximum, n_s: only with Options.Scores
//	embedding                 per row, n_emb, as input of block 0: not with Options.FloatInput
//
// which is the table of package fakequant, and TestSimulation holds a block against it: the same codes, so that the
// outputs differ by float32 rounding. Rounding passes the gradient straight through; see quantise.
//
// # Departures
//
// From the paper's public code, each selectable where it has a setting here; "–" is not selectable:
//
//	here                                                    there                           setting
//	s = e^θ: stays positive, steps are relative             s itself, pushed off 0          –
//	one factor for both channels of a rotary pair           one a channel: not exact        –
//	maxima over all linears of a group                      of one linear                   AsPublished
//	each token's error divided by its target's mean square  plain mean square               Loss.Plain
//	embedding at the recipe's width                         float                           FloatInput
//	batches: rates times √batch                             batch of one                    Batch, RatePower
//	scores and probabilities                                "16 bits", which does nothing   Scores
//	factors rounded to half precision before they act       float32                         –
//	rounded weights keep their scale                        option: rescaled by row         –
//	gradient of the formula in quantise                     option: that of LSQ             –
//	gradients of any size                                   option: norm clipped            –
//
// A run with AsPublished, Loss.Plain, FloatInput and a batch of one is near the published training and not the same: signed
// factors, free ones for the two channels of a rotary pair, and the three options cannot be had.
//
// # Speed and memory
//
// A step — forward, backward and AdamW — is one executable for all blocks; weights are its inputs. Parameters and moments
// stay on the device. On the host there are the weights of one block and, at the beginning, the embedding.
//
// Activations between two blocks are tables [windows, T·C] of float32: the inputs of the float and of the quantised
// network, the target, with Loss.Aug a second one, and one more on the device while a new one is put together. Where that
// is more than Options.Memory they are files instead (Options.Activations), read and written a batch at a time; float32
// there too, so that the factors are the same to the bit. The files have no name and go with the process: after an
// interruption activations are computed again. For LLaMA-7B (C 4096, FFN 11008, 32 blocks), 128 windows of 2048:
//
//	a table                    128 · 2048 · 4096 · 4 bytes                    4.3 GB
//	on the device              4 tables                                      17.2 GB, and a block, and a step's scratch
//	in files                   3 tables on the disk                          12.9 GB
//	                           3 batches of one window on the device          0.1 GB
//	a block                    (4 · 4096² + 3 · 4096 · 11008) · 4 bytes       0.8 GB, on the host and on the device
//	embedding, on the host     32000 · 4096 · 4 bytes                         0.5 GB, until the tables are filled
//
// Products of rounded tensors multiply their codes, integers of at most 9 bits, so that tensor cores which round float32
// operands to 11 bits (TF32) lose nothing; the float blocks get the accuracy of float32 from split products
// (Options.Split).
//
// # Resuming
//
// After every block its factors go to Options.State. Activations are not kept: they are computed again by forward passes.
// On a deterministic backend an interrupted run ends in the same bits.
//
// # Map
//
//	options.go    Options, kinds, checks          quantise.go   the quantisers and their gradients
//	data.go       calibration windows             transform.go  operations on factors
//	layout.go     one flat vector of parameters   block.go      the block of both families
//	init.go       statistics, initial values      loss.go       the losses
//	train.go      Train: block after block        programs.go   what is compiled
//	epochs.go     epochs and steps of a block     curve.go      the training curve
//	stream.go     passes, weights, embedding      state.go      the file to resume from
//	table.go      activations between blocks      memory.go     bytes on the device
//	plan.go       what a run would take
package fsbr
