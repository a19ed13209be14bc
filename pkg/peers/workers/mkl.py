# Intel's MKL through its C interface: u8·s8 → s32 and float32, weights packed or plain.
import ctypes

ROW, NO, TRANS, PACKED, B_MATRIX, FIX = 101, 111, 112, 151, 162, 173
P, I, F, Z = ctypes.c_void_p, ctypes.c_int, ctypes.c_float, ctypes.c_size_t


def start():
    global M
    ctypes.CDLL(library("libiomp5.so"), mode=ctypes.RTLD_GLOBAL)
    os.environ.setdefault("MKL_THREADING_LAYER", "INTEL")
    M = ctypes.CDLL(library("libmkl_rt.so.3"), mode=ctypes.RTLD_GLOBAL)
    text = ctypes.create_string_buffer(256)
    M.MKL_Get_Version_String(text, 256)
    for f in ("cblas_gemm_s8u8s32_pack_get_size", "cblas_sgemm_pack_get_size"):
        getattr(M, f).restype = Z
    with open("/proc/cpuinfo") as f:
        intel = "GenuineIntel" in f.read()
    return {"version": text.value.decode().split("Version ")[-1].split(" Build")[0], "detail": "" if intel else "not a CPU of Intel's: MKL takes slower paths"}


def aligned(n):
    """n bytes from a 64-byte border on; the owner is returned too, for it must live."""
    raw = ctypes.create_string_buffer(n + 64)
    return (ctypes.addressof(raw) + 63) & ~63, raw


def held(data):
    address, raw = aligned(len(data))
    ctypes.memmove(address, data, len(data))
    return address, raw


def floats(n, seed):
    import array

    step = array.array("f", [(b - 128) / 128 for b in pattern(4093, seed)])
    return ((step * (n // 4093 + 1))[:n]).tobytes()


class U8S8:
    size = 1

    def __init__(self, r):
        M.MKL_Set_Num_Threads(I(r["threads"]))
        self.m, self.n, self.k, self.packed = r["m"], r["n"], r["k"], r["packed"]
        self.a, self.a_raw = held(self.left())
        self.c, self.c_raw = aligned(4 * self.m * self.n)
        self.b = []
        right = self.right()
        for _ in range(r["copies"]):
            address, raw = held(right)
            if self.packed:
                to, to_raw = aligned(self.pack_size())
                self.pack(address, to)
                address, raw = to, to_raw
            self.b.append((address, raw))

    def left(self):
        return pattern(self.m * self.k, 1)

    def right(self):  # as signed bytes
        return pattern(self.n * self.k, 2)

    def pack_size(self):
        return M.cblas_gemm_s8u8s32_pack_get_size(I(B_MATRIX), I(self.m), I(self.n), I(self.k))

    def pack(self, source, to):
        M.cblas_gemm_s8u8s32_pack(I(ROW), I(B_MATRIX), I(TRANS), I(self.m), I(self.n), I(self.k), P(source), I(self.k), P(to))

    def run(self, i):
        b = self.b[i % len(self.b)][0]
        zero = ctypes.c_int32(0)
        call, how = (M.cblas_gemm_s8u8s32_compute, PACKED) if self.packed else (M.cblas_gemm_s8u8s32, TRANS)
        call(I(ROW), I(NO), I(how), I(FIX), I(self.m), I(self.n), I(self.k), F(1), P(self.a), I(self.k), ctypes.c_int8(0),
             P(b), I(self.k), ctypes.c_int8(0), F(0), P(self.c), I(self.n), ctypes.byref(zero))

    def check(self):
        c = (ctypes.c_int32 * (self.m * self.n)).from_address(self.c)
        return str(sum(c[: self.n]) + sum(c[(self.m - 1) * self.n :]))


class F32(U8S8):
    def left(self):
        return floats(self.m * self.k, 1)

    def right(self):
        return floats(self.n * self.k, 2)

    def pack_size(self):
        return M.cblas_sgemm_pack_get_size(I(B_MATRIX), I(self.m), I(self.n), I(self.k))

    def pack(self, source, to):
        M.cblas_sgemm_pack(I(ROW), I(B_MATRIX), I(TRANS), I(self.m), I(self.n), I(self.k), F(1), P(source), I(self.k), P(to))

    def run(self, i):
        b = self.b[i % len(self.b)][0]
        if self.packed:
            M.cblas_sgemm_compute(I(ROW), I(NO), I(PACKED), I(self.m), I(self.n), I(self.k), P(self.a), I(self.k), P(b), I(self.k), F(0), P(self.c), I(self.n))
        else:
            M.cblas_sgemm(I(ROW), I(NO), I(TRANS), I(self.m), I(self.n), I(self.k), F(1), P(self.a), I(self.k), P(b), I(self.k), F(0), P(self.c), I(self.n))

    def check(self):
        return ""


kept = Kept(lambda r: (F32 if r["op"] == "sgemm" else U8S8)(r))


def gemm(r):
    g = kept.get(r)
    return {"seconds": repeat(g.run, r["least"]), "check": g.check()}


serve(start, {"gemm_u8s8": gemm, "sgemm": gemm})
