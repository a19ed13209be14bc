// Package vec holds the row loops of the integer operators: what remains of package di once everything that happens
// once a row (ranges, divisions, shifts) is done, so that a loop is one pass over contiguous slices with scalars in
// registers.
//
// # Conventions
//
//	t, s, w, v, y, u   int64 rows before a requantisation, a score row, folded numerators, a norm, a product, a merge
//	e                  int32 numerators in Q30
//	x>>n               floor; round(x/2^n) is to nearest, halves away from zero
//	lo, hi             min(0, min row), max(0, max row), the range that the next requantisation takes;
//	                   Scores alone returns the plain ones
//
// Destination first; every other slice has at least its length (a shorter one panics, an index out of range). Rows may
// be empty. Nothing allocates, nothing is shared: calls on disjoint destinations may run at once.
//
// # Products
//
// Every product has two factors of 32 bits, so an instruction set needs only a 32×32→64 multiplication; the one
// trap is an unsigned factor that reaches 2^31 (rho of Norm, c of Split), which a signed multiplication misreads.
//
//	loop            factor (bits)                  factor (bits)               result
//	Accumulate      corrected accumulator (s32)    M, below 2^24               T, below 2^55
//	Requant         T>>s, at most 2^31 (s32)       G, below 2^31               below 2^62
//	Rotate          16 bits signed                 16 bits signed              below 2^31
//	Scores          corrected accumulator (s25)    m, below 2^16               S, below 2^56
//	Exp             distance>>s, below 2^31        G, below 2^31               below 2^62; then d·m_f below 2^33
//	Fold            e, at most 2^30                m, below 2^16               W, below 2^46
//	Split           W>>s, below 2^31               C, at most 2^31 (u32)       below 2^62
//	FoldExp         e, at most 2^30                m·2^(16−k+kmin), below 2^32 below 2^62, then 2^15 for rounding
//	Merge           accumulator, below 2^24 (s25)  m, below 2^16               below 2^48 with 8 guard bits
//	Norm            h', at most 2^24 (s26)         rho, at most 2^31 (u32)     below 2^55; u·Γ below 2^54
//	LayerNorm       x − μ, at most 2^24 (s26)      rho, at most 2^31 (u32)     below 2^55; u·Γ below 2^54
//	AddBias         B, below 2^23                  r, below 2^24               below 2^47, shifted below 2^59
//	AddResidual     T>>16, below 2^44 (s45)        m, below 2^16               below 2^60: the one wider factor
//	SwiGLU          (X_g−z_g)·σ, below 2^23        X_u−z_u, below 2^8          below 2^31
//
// The Go loops here are the definition. A path for an instruction set equals them bit for bit on every input inside the
// stated bounds; there is no tolerance.
//
// # Paths
//
// AVX-512 takes a whole row under masks, AVX2 and NEON steps of eight elements and leave the rest to Go. AVX2 has no 64-bit
// arithmetic shifts, minima or masks, so some of its kernels are those of the common case and Go does the other rows:
// Requant where ties can occur, Scores where key scales lie more than 2^16 apart, Exp with a shift below 33. Every function
// has the three paths but SwiGLUCodes with 16-bit codes or without alpha, which is Go's, and what leaves a row in an order of
// its own between two calls: a Pending or Folded row is AVX-512's, and elsewhere the functions that it stands for. FoldExp
// and the Split behind it have a faster form by IFMA and VBMI. NEON ran under qemu-aarch64 alone: correct, of unknown speed.
//
// Nanoseconds an element, one thread of a Xeon (BenchmarkRow):
//
//	loop, length        generic   AVX2   AVX-512      loop, length         generic   AVX2   AVX-512
//	MinMax 576             0.67   0.34      0.10      Merge 64                2.24   0.75      0.39
//	Accumulate 1536        1.32   0.65      0.23      GateTable 256           2.74   0.53      0.35
//	Requant 1536           1.41   0.29      0.16      SwiGLU 1536             1.03   0.51      0.45
//	Rotate 64              2.66   1.19      0.47      SwiGLUCodes 1536        4.77   1.86      0.82
//	Scores 256             2.77   0.69      0.33      SumSquares 576          0.87   0.34      0.19
//	Exp 256                4.36   0.79      0.33      Norm 576                1.96   0.86      0.44
//	Exp, 16 bits, 256      4.18   1.41      0.68      LayerNorm 576           2.81   0.98      0.65
//	Fold 256               2.08   0.57      0.32      AddBias 1536            2.31   0.66      0.26
//	Split 256              1.71   0.57      0.30      AddResidual 576         3.38   1.69      0.46
package vec
