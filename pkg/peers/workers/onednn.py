# oneDNN through its C interface: the matmul primitive, weights in the layout it asks for.
import ctypes

S8, U8, S32, F32, ANY, WEIGHTS_MD = 5, 6, 4, 3, 1, 131
SRC, DST, WEIGHTS, FROM, TO = 1, 17, 33, 1, 17
P = ctypes.c_void_p


class Argument(ctypes.Structure):
    _fields_ = [("arg", ctypes.c_int), ("memory", P)]


class Version(ctypes.Structure):
    _fields_ = [("major", ctypes.c_int), ("minor", ctypes.c_int), ("patch", ctypes.c_int), ("hash", ctypes.c_char_p)]


def start():
    global D, engine, stream
    D = ctypes.CDLL(library("libdnnl.so.3"))
    engine, stream = P(), P()
    ok(D.dnnl_engine_create(ctypes.byref(engine), 1, ctypes.c_size_t(0)))
    ok(D.dnnl_stream_create(ctypes.byref(stream), engine, 1))
    D.dnnl_version.restype = ctypes.POINTER(Version)
    D.dnnl_primitive_desc_query_md.restype = P
    v = D.dnnl_version().contents
    return {"version": f"{v.major}.{v.minor}.{v.patch}", "detail": "matmul primitive, weights reordered once"}


def ok(status):
    if status != 0:
        raise RuntimeError(f"oneDNN returned status {status}")


def made(create, *args):
    out = P()
    ok(create(ctypes.byref(out), *args))
    return out


def dense(rows, columns, strides, kind):
    two = ctypes.c_int64 * 12
    return made(D.dnnl_memory_desc_create_with_strides, 2, two(rows, columns), kind, two(*strides))


def memory(md, data=None):
    handle = P(-1) if data is None else data  # -1: the library allocates
    return made(D.dnnl_memory_create, md, engine, handle)


def execute(primitive, *pairs):
    args = (Argument * len(pairs))(*[Argument(a, m.value) for a, m in pairs])
    ok(D.dnnl_primitive_execute(primitive, stream, len(pairs), args))
    ok(D.dnnl_stream_wait(stream))


class Case:
    def __init__(self, r):
        m, n, k = self.m, self.n, self.k = r["m"], r["n"], r["k"]
        integers = self.integers = r["op"] == "gemm_u8s8"
        kinds = (U8, S8, S32) if integers else (F32, F32, F32)
        operand = pattern if integers else floats
        self.a = held(operand(m * k, 1))
        self.w = held(operand(n * k, 2))
        src, given, dst = dense(m, k, (k, 1), kinds[0]), dense(k, n, (1, k), kinds[1]), dense(m, n, (n, 1), kinds[2])
        wanted = made(D.dnnl_memory_desc_create_with_tag, 2, (ctypes.c_int64 * 12)(k, n), kinds[1], ANY)
        pd = made(D.dnnl_matmul_primitive_desc_create, engine, src, wanted, P(), dst, P())
        layout = P(D.dnnl_primitive_desc_query_md(pd, WEIGHTS_MD, 0))
        self.primitive = made(D.dnnl_primitive_create, pd)
        reorder = made(D.dnnl_primitive_create, made(D.dnnl_reorder_primitive_desc_create, given, engine, layout, engine, P()))
        plain = memory(given, self.w)
        self.weights = []
        for _ in range(r["copies"]):
            self.weights.append(memory(layout))
            execute(reorder, (FROM, plain), (TO, self.weights[-1]))
        self.c = held(bytes(4 * m * n))
        self.src, self.dst = memory(src, self.a), memory(dst, self.c)
        self.free = [(D.dnnl_memory_destroy, x) for x in [plain, self.src, self.dst, *self.weights]]

    def run(self, i):
        execute(self.primitive, (SRC, self.src), (WEIGHTS, self.weights[i % len(self.weights)]), (DST, self.dst))

    def check(self):
        if not self.integers:
            return ""
        c = (ctypes.c_int32 * (self.m * self.n)).from_buffer(self.c)
        return str(sum(c[: self.n]) + sum(c[(self.m - 1) * self.n :]))

    def __del__(self):
        for destroy, x in getattr(self, "free", ()):
            destroy(x)


def held(data):
    return ctypes.create_string_buffer(data, len(data))


def floats(n, seed):
    import array

    step = array.array("f", [(b - 128) / 128 for b in pattern(4093, seed)])
    return ((step * (n // 4093 + 1))[:n]).tobytes()


kept = Kept(Case)


def gemm(r):
    g = kept.get(r)
    return {"seconds": repeat(g.run, r["least"]), "check": g.check()}


serve(start, {"gemm_u8s8": gemm, "sgemm": gemm})
