"""Writes quants.gguf and quants.json: random blocks of every supported format and
what the reference package `gguf` (0.19) dequantises them to. Run once by hand:

    python quants.py

The blocks are random bytes, so that every code and every scale pattern occurs;
scales (halves) are drawn finite. quants.json holds, per tensor, the SHA-256 of the
float32 values (little-endian) and the first eight of them.
"""

import hashlib
import json
from pathlib import Path

import gguf
import numpy as np
from gguf import GGMLQuantizationType as T

HERE = Path(__file__).parent
rng = np.random.default_rng(20261122)

# type: (bytes of a block, offsets of halves in it)
FORMATS = {
    T.F32: None, T.F16: None, T.BF16: None,
    T.Q8_0: (34, [0]), T.Q4_0: (18, [0]), T.Q4_1: (20, [0, 2]), T.Q5_0: (22, [0]), T.Q5_1: (24, [0, 2]),
    T.Q4_K: (144, [0, 2]), T.Q5_K: (176, [0, 2]), T.Q6_K: (210, [208]),
}


def blocks(size, halves, count):
    b = rng.integers(0, 256, (count, size), dtype=np.uint8)
    for at in halves:
        h = rng.normal(0, 0.05, count).astype(np.float16)
        h[0] = np.float16(6e-8)  # subnormal
        b[:, at : at + 2] = h.view(np.uint8).reshape(count, 2)
    return b.reshape(-1)


def main():
    w = gguf.GGUFWriter(HERE / "quants.gguf", "llama")
    w.add_string("text", "grüße")
    w.add_float32("eps", 1e-5)
    w.add_float64("wide", 0.1)
    w.add_int8("minus", -5)
    w.add_uint64("large", 2**63 - 1)
    w.add_bool("yes", True)
    w.add_array("words", ["a", "", "longer word"])
    w.add_array("numbers", [1, -2, 3])
    expect = {}
    for t, fmt in FORMATS.items():
        rows = 4
        if fmt is None:
            x = rng.normal(0, 1, (rows, 48)).astype(np.float32)
            raw = {T.F32: x, T.F16: x.astype(np.float16), T.BF16: gguf.quants.quantize(x, T.BF16)}[t]
        else:
            raw = blocks(*fmt, rows * 2).reshape(rows, -1)
        w.add_tensor(t.name, raw, raw_dtype=t if fmt or t == T.BF16 else None)
        v = gguf.quants.dequantize(raw, t).astype("<f4")
        assert v.shape[0] == rows and np.isfinite(v).all()
        expect[t.name] = {"shape": list(v.shape), "sha256": hashlib.sha256(v.tobytes()).hexdigest(), "first": [float(f) for f in v.reshape(-1)[:8]]}
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()
    (HERE / "quants.json").write_text(json.dumps(expect, indent=1) + "\n")


main()
