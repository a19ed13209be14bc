// Package gguf reads GGUF model files (versions 2 and 3, little-endian), memory-mapped.
//
// # Layout of a file
//
//	"GGUF"  version u32  tensors u64  pairs u64
//	pairs ×   key string, type u32, value           string = length u64, bytes
//	tensors × name string, dims u32, dim u64 ×, type u32, offset u64
//	padding to general.alignment (32 unless the pair says otherwise)
//	data: tensor t occupies Size bytes from Offset, counted from here
//
// An array value is: element type u32, count u64, elements. Dimensions are
// stored fastest first; [Tensor.Shape] reverses them, so that a weight matrix
// reads [out, in], row-major.
//
// # Block formats
//
// Quantised types store each row as blocks of 32 (or 256) elements that share
// their scales. With d, m halves (F16) and q the unsigned code:
//
//	Q8_0  d, 32 × int8 q                    x = d·q
//	Q4_0  d, 16 bytes                       x = d·(q − 8)
//	Q4_1  d, m, 16 bytes                    x = d·q + m
//	Q5_0  d, 4 bytes of fifth bits, 16      x = d·(q − 16)
//	Q5_1  d, m, 4 bytes, 16                 x = d·q + m
//	Q4_K, Q5_K, Q6_K                        256 elements in 8 or 16 sub-blocks, see kquants.go
//
// Byte i of a 4-bit block holds element i in its low and element i+16 in its
// high nibble. Products are rounded to float32 before they are added (no fused
// multiply-add), so that dequantised weights are equal on every platform.
//
// # Untrusted input
//
// A file is data, not a friend. No number that it announces sizes an allocation
// before it is checked against the bytes that are there: a count of 2^60 entries
// is refused because 2^60 entries cannot fit in the rest of the file. Sums and
// products of announced numbers are checked for overflow. Every tensor is checked
// at Open to lie within the file, so that reading one later cannot go past its end.
// Errors say where (key, tensor, byte offset), what was expected, and what was found.
//
// Source: the GGUF specification in the ggml repository (docs/gguf.md); written
// from the description. Departures: version 1 and big-endian files are refused.
package gguf
