// Package artifact reads and writes the integer model file: everything that
// inference needs, as integers, in the layout in which the machine code reads
// it.
//
// # Layout
//
//	offset 0    prologue, 96 bytes, little-endian
//	            [0,8)   magic "illm\r\n\x1a\n" (a transfer in text mode breaks it)
//	            [8,12)  format version, uint32
//	            [12,16) length of the header in bytes, uint32
//	            [16,24) offset of the header, uint64
//	            [24,56) sha256 of the header
//	            [56,88) sha256 of the payload, the bytes [96, header offset)
//	            [88,96) zero
//	offset 96   payload: sections, each at a multiple of 64, zeros between
//	last        header: one JSON object, integers and strings only
//
// The header lists every section with offset and length. Open checks the
// prologue, the header's sha256, every dimension against its limits, and every
// section's length against the length that the dimensions imply; it reads no
// payload page, so that opening costs the same for every model. Verify reads
// the whole file and compares the payload's sha256.
//
// # Sections
//
//	linear   packed panel (package gemm or gemm4) · z_w uint8 [N] · M int32 [N]
//	         · ΣW' int32 [N] for 8-bit weights · B int32 [N] where biased
//	norm     Γ int32 [n] · β int64 [n] for LayerNorm
//	head norm  Γ int32 [d], over each head of q or k
//	GLU      α int32 [F] where an act-smooth factor is used
//	RoPE     φ uint64 [d/2]: turns per position in units of 2^-64; absent for "opt"
//	table    the embedding is a linear, which a tied head shares; emb16 adds a
//	         table of int16 codes [V, n], m uint16 [V] and k int8 [V]. Learned
//	         positions are a linear [context, n] beside it, with emb16 such a
//	         table instead
//	text     the tokenizer, as package tokenizer marshals it
//
// # Sites
//
// Optional header fields say what the engine does to a row before its requantisation: "rotations" names the sites of a
// Hadamard rotation (qk, out, down), "range_ratios" the part of the dynamic range that is kept, a list of one Q15 ratio a
// layer for each of attn_in, query, key, value, attn_out, mlp_in, gate, up and product. "clips" is the clip value of the softmax in
// thousandths (0: none), one a layer, in place of that of "spec". "factors_sha256" names the calibration's factor file.
//
// # Versions
//
// Version 1 began with "llama" alone. Architecture "opt", biases, head norms, tables
// of positions and the fields of Sites came as optional header fields: a file that needs none of
// them has the same bytes as before and is read as before, so the number stays. A
// build from before refuses the others by the name of the architecture or of the
// unknown field.
//
// Integers of the payload that could overflow an operator (bias, Γ, β) are checked
// when the engine asks for them.
//
// The artefact's identity (ID) is the sha256 of prologue and header, which hold
// the payload's hash: equal identities mean equal bytes.
//
// Source: the project's own format; the panel layout and the list of sections
// are those of the algorithm reference, sections 2.2 and 12.
package artifact
