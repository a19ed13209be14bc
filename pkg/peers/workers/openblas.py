# The float32 GEMM of OpenBLAS, which numpy brings along.


def start():
    global np
    # OpenBLAS takes some processors with AVX-512 for older ones.
    try:
        with open("/proc/cpuinfo") as f:
            if " avx512bw" in f.read():
                os.environ.setdefault("OPENBLAS_CORETYPE", "SkylakeX")
    except OSError:
        pass
    import numpy as np

    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    core = os.environ.get("OPENBLAS_CORETYPE", "")
    return {"version": f"{blas['version']} (numpy {np.__version__})", "detail": f"{blas['name']}, core {core or 'as it finds'}"}


def floats(n, seed):
    return ((np.frombuffer(pattern(n, seed), np.uint8).astype(np.float32) - 128) / 128).astype(np.float32)


class Case:
    def __init__(self, r):
        m, n, k = r["m"], r["n"], r["k"]
        self.a = floats(m * k, 1).reshape(m, k)
        w = floats(n * k, 2).reshape(n, k)
        self.w = [w.copy().T for _ in range(r["copies"])]
        self.c = np.empty((m, n), np.float32)

    def run(self, i):
        np.matmul(self.a, self.w[i % len(self.w)], out=self.c)


kept = Kept(Case)


def gemm(r):
    return {"seconds": repeat(kept.get(r).run, r["least"])}


serve(start, {"sgemm": gemm})
