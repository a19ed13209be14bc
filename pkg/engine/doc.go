// Package engine runs a language model in integers alone: token ids in, int64
// logits out, no float in between.
//
// # Forward pass
//
//	ids ──embedding──▶ h int32 [T, C], grid 2^-k_r
//	┌─ block ────────────────────────────────────────────────────────────────┐
//	│ h ─DI-Norm─▶ X u8 ─DI-MatMul─▶ q, k, v int64                            │
//	│   q, k: per head 16 bits ─RoPE─▶ requantised; k and v into the cache    │
//	│   Q·Kᵀ int32 ─aligned─▶ S int64 ─DI-ClippedSoftmax─▶ e Q30              │
//	│   e·m_v ─normalised─▶ N 15 bits;  N·V int32 ─heads merged─▶ X u8        │
//	│ h += X·W_oᵀ                                                             │
//	│ h ─DI-Norm─▶ X u8 ─DI-MatMul─▶ gate, up u8 ─DI-SwiGLU─▶ X u8            │
//	│ h += X·W_downᵀ                                                          │
//	└─────────────────────────────────────────────────────────────────────────┘
//	h ─DI-Norm─▶ X u8 ─head─▶ T int64 [V] with one scale m/2^k
//
// The family "opt" differs in three places: h starts as embedding + learned
// position row and nothing rotates, DI-Norm is DI-LayerNorm with β, and the MLP is
// up ─ReLU─▶ X u8 ─ down. Biases enter T in DI-MatMul wherever the artefact lists
// them; q and k pass a DI-RMSNorm per head before RoPE where it lists head norms.
//
// An artefact may ask for Hadamard rotations in front of a requantisation, whose counterparts are in its weights: of
// queries and keys behind RoPE, of the merged heads before o, of SwiGLU's (ReLU's) product before down; and for a ratio at
// every site and layer, the part of a row's dynamic range that its codes cover. Both act on the row T itself.
//
// Options.Static puts constant grids, from calibration, in the place of rows' own ranges at some or all sites (ablation A);
// they are no part of the artefact. Model.StaticCounts tells how many codes met the ends of those grids.
//
// An artefact may hold a clip value of the softmax for each layer, which stands in for the default c; Options.Clips is
// another such list. A Trial runs a text under other clips of one layer, for the search of a list.
//
// Every arrow into a u8 is a dynamic requantisation: codes, zero point and dyadic
// scale come from the row itself. The operators are package di's; Options may
// replace the non-linear ones.
//
// # Order of evaluation
//
// Tokens pass in chunks of up to 512. Within a chunk, workers take blocks of 32
// rows through everything that concerns a row alone; attention is shared out by
// KV head and row block; a chunk of fewer than 16 rows (decoding) shares out the
// panels of each matrix instead, and a worker without panels loads those it will
// begin the next matrix with. All reductions are integer sums, minima and
// maxima over a fixed set of values, and the alignment of a row's scores depends
// on its visible keys alone. So the logits are the same bits for every number of
// threads, every split of the prompt and every instruction set: TestSameBits.
//
// # Memory
//
//	cache    2·layers·KV heads·(d + 4) bytes a token, half the codes at ≤ 4 bits, twice and a byte at 16;
//	         allocated for the session's capacity, touched as it fills
//	weights  the mapped file; from the 16th step of decoding on a copy of it in huge pages, in the same place
//	         (Options.Weights)
//	scratch  per worker: 32 rows of the widest product, one row block of scores;
//	         with the head for every token, 32 rows of logits
//
// A step of decoding allocates nothing once the session is warm.
//
// # Files
//
// model.go loading; sites.go rotations and ratios; static.go constant grids; session.go chunks and sharing out; rows.go linear layers,
// norms and MLP; share.go narrow products; attention.go; cache.go the KV panels; trial.go; wide.go 16-bit ones;
// head.go; pool.go workers, places_linux.go where they run;
// float.go logits as float32 for measurement, which nothing here reads back.
//
// Source: I-LLM (arXiv:2405.17849). Departures stand at the operators, in di.
package engine
