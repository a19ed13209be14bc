// Package safetensors reads safetensors files, single or sharded, memory-mapped, and
// writes single ones ([Write]).
//
// # Layout of a file
//
//	n u64 little-endian
//	n bytes of JSON: {"name": {"dtype": "F16", "shape": [out, in], "data_offsets": [begin, end]}, …}
//	data: tensor bytes begin…end, counted from here, row-major, little-endian
//
// The optional entry "__metadata__" maps strings to strings. A sharded model has
// an index, model.safetensors.index.json, whose "weight_map" names the file of
// every tensor; [OpenDir] follows it.
//
// # Untrusted input
//
// The header length is checked against the file before the header is read, every
// tensor at Open: offsets in order and inside the file, their difference equal to
// the product of the shape (checked for overflow) times the size of the type, no
// two tensors on the same bytes. An index may name files of its own directory only.
// Errors say file and tensor, what was expected, and what was found.
//
// Source: the format description in the safetensors repository. Departure: gaps
// between tensors are allowed.
package safetensors
