// Package peers measures this project's engine beside its rivals, in one run on
// one machine: the same model, the same tokens, the same shapes, the same number
// of threads, one after the other in turn.
//
//	llama.cpp     prefill, decode, load, memory   Q8_0, Q4_0, F16; flash attention on and off
//	mkl           u8·s8 → s32 and float32 GEMM    weights packed and plain
//	onednn        the same                        matmul primitive, weights in its own layout
//	onnxruntime   the same                        MatMulInteger, MatMul; constant weights
//	openblas      float32 GEMM                    as numpy calls it
//
// # How it fits together
//
//	Install ──► Env ──Start──► Fleet.Subjects ─┐
//	                                           ├─► Measure ──► Table ──► Text, Records
//	the caller's own Subjects (closures) ──────┘
//
// This package knows neither the engine nor the kernels: ours come as functions
// that take a [Case] and return a [Sample].
//
// # Honesty
//
// A rival is met in its best form. Where it has a choice that nobody can make in
// advance (flash attention, packed weights), both forms run and the faster counts
// ([Table.Best]). Weights are packed before the clock starts, on both sides.
// Warm-up is not counted. Rounds alternate in order (1 2 3, 3 2 1, …), and the
// ratio is that of the paired rounds, with a bootstrap interval; the machine's
// moods then meet both sides. Rivals that keep their threads spinning after a
// product get a few milliseconds of that, and a pause, before the next subject
// runs. Integer products carry a checksum: who computes something else is
// excluded, not timed.
//
// What the numbers do not say: a table of a busy machine says little about
// rivals with barriers between threads, which wait for the one that lost its
// processor ([Table.Busy], and a warning in the text). MKL takes slow paths on
// processors that are not Intel's. The oneDNN on PyPI that stands alone is of
// 2023 (3.2); later ones want the SYCL run time.
//
// Peak memory is that of a fresh process after the whole context; what the Python
// interpreter took before the model was opened is subtracted from the rival's.
//
// # Few rows
//
// With 16 rows and fewer, successive products take copies of the weights in turn
// that exceed the caches together ([Case.Copies]): in decode a layer's weights
// come from memory each time, and a product that finds them in the cache would
// measure something that does not happen.
//
// # The environment
//
// Everything lies below root/peers: python-VERSION-HASH, a virtual environment
// with hash-pinned packages and a stamp illm-RIVAL for each that is complete, and
// gguf, the requantised models. A rival is installed on its own: what cannot be
// had (no compiler, no network, no wheel for this platform) is named with the
// reason in Env.Missing, and the others take part. The lists were made by
//
//	uv pip compile NAME.in --universal --python-version 3.10 \
//	    --generate-hashes --no-header --no-annotate -o NAME.txt
//
// with --no-emit-package for what a rival's library does not load (numpy is the
// base's; MKL needs neither TBB nor SYCL; ONNX Runtime neither sympy nor
// coloredlogs).
//
// # Workers
//
// A rival is a Python script (workers/*.py, behind protocol.py) that reads a
// request a line and writes an answer a line:
//
//	→ {"id": 7, "op": "prefill", "tokens": 512, "ids": […], "model": "…", "flash": true, "threads": 2, …}
//	← {"id": 7, "seconds": 1.52}      or      {"id": 7, "error": "…"}
//
// The clock is the worker's, around the library's call alone. What the library
// prints goes to standard error. A worker that dies, hangs, or says what is no
// answer is ended with its children, and its cases are missing with the reason;
// the end of the context ends all.
package peers
