// Package baseline holds the rivals of the integer operators of package di: what the literature, or a float unit, would
// put in the same place, so that an ablation replaces one thing and leaves the rest as it is. Everything here reaches the
// engine through di.Operators alone.
//
// # Exponentials in the integer softmax
//
//	S ─ clip ─ codes d, scale (m, k) ─┬─ DI-Exp            ─┬─ e, Q30 ─ di.Weights ─ N
//	    the same for all              ├─ table, lines       │
//	                                  ├─ Taylor, I-BERT, …  │
//	                                  └─ exp in a float     ┘
//
// An exponential takes a distance d ≥ 0 below the row's maximum in steps of m/2^k, m of 16 bits, and gives e ≈ 2^30·e^−x
// for x = d·m/2^k, with e(0) = 2^30 (lines alone miss that by 0.25 %) and 0 beyond 32 octaves. Two readings of the
// distance are shared (package simd/vec):
//
//	Natural   x with 16 fraction bits, for range reductions by ln 2, tables and lines over [0, c]
//	Octaves   x·log2 e with 15 fraction bits: the integer part is a shift, the fraction a chord or a table
//
// Over all 65 536 distances of 16-bit scores at c = 15 (TestExpErrors, TestExpDomain):
//
//	name              max abs.   rel. x ≤ 5   x ≤ 15   table   remark
//	di-exp            0.044      7.9 %        12 %       –     1.4375 for log2 e
//	di-exp-log2e      0.043      6.2 %        6.2 %      –
//	di-exp+, exaq     0.0020     0.32 %       0.49 %     –     exaq: clip from the row's deviation
//	di-exp-published  0.044      7.9 %        100 %      –     0 from x = 8.1 on; 8-bit scores: from 2.65
//	lut256            0.029      3.0 %        3.1 %   1024 B
//	lut8, lut8i       0.042      4.4 %        4.5 %     36 B   i: interpolated, 0.0009, 0.1 %, 0.28 %
//	lut32, lut32i     0.011      1.1 %        1.4 %    132 B   7.7·10⁻⁵, 0.011 %, 0.29 %
//	lut64, lut64i     0.0053     0.55 %       0.80 %   260 B   3.5·10⁻⁵, 0.007 %, 0.29 %
//	pwl16             0.0026     9.5 %        15×      192 B
//	taylor2 … 5       0.047      9.4 %        9.4 %      –     0.0084, 0.0012, 0.00013
//	taylor3-raw       464        10³          10⁹        –     no range reduction
//	i-bert            0.0019     0.33 %       0.51 %     –
//	shiftmax          0.044      7.9 %        99×        –     floor 2^−15; 8-bit scores: 0.074, 42 %
//	softermax         0.0035     0.38 %       100 %     20 B   15 bits: 0 from x = 10.4 on
//	float32, half     4·10⁻⁴     0.24 %       9.4 %      –     (half)
//
// Below x = 15 a step of Q30 is 0.15 % of e^−15, so that 0.29 % is what 15 fraction bits and Q30 leave anyone. All but
// the Taylor polynomials of odd order fall monotonely: those end an octave below one half, where the next one starts.
//
// WithExp puts one of them into the softmax, and on request into the sigmoid of SwiGLU, at other widths of scores and
// probabilities; nothing else changes. NewExpRow sets one up for a clock. Those with Vector have rows in AVX-512, in one
// frame: sixteen codes a step, 32-bit lanes where the definition allows, tables in registers; every row equals its
// definition bit for bit. What is set up once (tables, the least-squares lines) is made in float64 and kept as integers.
//
// # Operators in floating point
//
// Float32 and Half are the operators of a decoder that are no matrix product in floats, around integer products
// (ablation D).
//
// # Map
//
//	exp.go             Exponentials   the list, and the contract
//	exp_di.go          DI-Exp, DI-Exp+, as published; Shiftmax
//	exp_lut.go         tables over [0, c] and over the fraction of an octave; Softermax
//	exp_poly.go        Taylor, I-BERT, piecewise linear
//	exp_exaq.go        EXAQ's clip
//	exp_float.go       exp in float64, float32 and half of the same distance
//	exp_error.go       errors over whole domains
//	exp_speed.go       NewExpRow
//	softmax.go         WithExp
//	float_*.go         operators in float32
//	half_*.go          operators in half precision
//
// # Sources
//
// I-LLM, Algorithm 1 (DI-Exp); Kim et al. 2021 (I-BERT); Li and Gu 2023 (I-ViT, Shiftmax); Yu et al. 2022 (NN-LUT);
// Stevens et al. 2021 (Softermax); Shkolnik et al. 2024 (EXAQ); gemmlowp (Taylor). Each function says where it departs.
package baseline
