// Package quant describes quantised tensors and the settings that fix them: widths (Recipe), clip and mode (Spec),
// activations with a scale a row (Acts), weights with a scale a channel (Linear). It computes nothing.
//
// # Values
//
// A code q with zero point z and scale s stands for s·(q − z), never another form. The range of a row always includes 0,
// so 0 is exact and z is a code itself.
//
//	activations   per token        value = (code − Zero)·M/2^K            codes of 2…8 or 16 bits, dynamic
//	weights       per channel      value = (code − Zero[j])·M[j]/2^KW     one KW for the matrix, M of 24 bits
//	              at 8 bits the panel holds code − 128 (int8), at 5–7 code − Zero, at 2–4 the code in a nibble;
//	              SumW is the sum over the depth of what is held, which the zero point of the activations needs
//
// # Recipes
//
//	recipe   weight  act  query  kv  score  glu  head  emb
//	w8a8     8       8    8      8   8      8    8     8
//	w6a6     6       6    6      6   8      8    8     8
//	w4a8     4       8    8      8   8      8    8     8
//	w4a4     4       4    4      4   8      8    8     8
//
// kvN as a suffix sets the keys', values' and cache's width alone, emb16 adds a second embedding table of 16 bits, -METHOD
// says how the weights were prepared (rtn, the default, smoothquant, omniquant, fsbr, gptq, rotate, best) and changes no
// width. -static, -static999, -statichead, -mixed and -static:SITE put constant grids from calibration in the place of rows'
// own ranges (see StaticNames). A JSON file holds the same fields.
//
// # Modes
//
//	                illm                          precise                            published
//	exponential     DI-Exp, log2 e ≈ 1.4375       DI-Exp+, 94548/2^16 and a parabola Algorithm 1, t in whole steps
//	score codes     8 bits                        16 bits                            8 bits
//	probabilities   15 bits, sum-normalised       as illm                            2^−7, values on a constant grid
//	sigmoid         two branches, Q15             as illm, DI-Exp+                   row maximum, 2^−7
//	SwiGLU operands 8 bits                        16 bits                            8 bits
//	requantisation  one rounding, B = 16          as illm                            two roundings, B = 8
//	residual        int32 on one grid             as illm                            16 bits a channel, constant steps
//
// Mode "published" has the paper's literal formulas, for ablations. Not among them is B_w = 8 for the weights, which belong
// to the artefact (study multiplier). Its steps and the values' grid come from calibration.
//
// # Panel
//
// Every instruction set reads the same bytes. 64 channels × 4 depth steps make one block of 256 bytes; pads are byte 0.
//
//	bytes (5–8 bits)              nibbles (2–4 bits)
//	[j/64][k/4][j%64][k%4]        [j/64][k/8][j%64][k%4], low nibble: k%8 < 4, high nibble: k%8 ≥ 4
//
//	            k%4 →  0   1   2   3
//	 j%64 = 0         b0  b1  b2  b3
//	 j%64 = 1         b4  b5  b6  b7        one block, one VNNI operand row of 64 channels
//	   …
//	 j%64 = 63       b252 …      b255
//
// Sources: I-LLM (arXiv 2405.17849), section 3; its released training code for what is quantised per token and per
// channel. Departure: asymmetric ranges include 0; mantissas of 16 (activations) and 24 bits (weights) instead of 8.
package quant
